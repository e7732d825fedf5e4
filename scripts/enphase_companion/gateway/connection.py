"""From settings to a gateway that answers: its trusted certificate, its token (renewed in time), a login."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from enphase_api import (
    AuthenticationError,
    CertificateChangedError,
    CertificateError,
    CommunicationError,
    EnphaseError,
    InvalidAnswerError,
    MultiFactorError,
    NotTrustedError,
    ResponseError,
    Silence,
    TokenError,
)
from enphase_api.cloud import AUTHENTICATION_HOST, Authentication, Token
from enphase_api.local import Certificate, Gateway
from enphase_api.local.trust import read_certificate
from enphase_api.models import Info

from ..config.loader import store
from ..config.settings import Settings
from ..runtime.errors import CommandError, SettingsError, join_clauses
from ..runtime.redaction import hide

_LOGGER = logging.getLogger(__name__)

#: A token is renewed this long before its end, or a tenth of its life, whichever is less.
_BEFORE_END = timedelta(days=30)


#: Tokens that could not be stored, by their file: a service with read-only copies of the files would
#: otherwise request one from Entrez for each connection.
_unstored: dict[Path, str] = {}

_COMPARE = "compare the address with that of the gateway in your router's list of devices"

#: For each reason: what is wrong with the host, and what to do.
_ADVICE = {
    Silence.UNKNOWN_HOST: (
        "is not known on your network: set the gateway's IP address, as your router's list of "
        "devices shows it"
    ),
    Silence.REFUSED: (
        f"refuses the connection: the gateway is starting, or this is another device: {_COMPARE}"
    ),
    Silence.TIMEOUT: (
        f"does not answer: check that the gateway has power and is on your network, and {_COMPARE}"
    ),
    Silence.NO_TLS: f"answers, but not with https, so it is another device: {_COMPARE}",
    Silence.BROKEN: (
        f"breaks the connection off: try again in a few minutes, and if that does not help, {_COMPARE}"
    ),
}
_NO_GATEWAY = f"answers, but is not an IQ Gateway, perhaps your router: {_COMPARE}"


class AccountError(CommandError):
    """Entrez rejects the account: repeated attempts would lock it."""


@asynccontextmanager
async def open_gateway(settings: Settings) -> AsyncIterator[tuple[Gateway, Info]]:
    """Yield the gateway of these settings, logged in, and its identity; close it at the end.

    Raises CommandError if certificate, serial numbers or token do not allow it, EnphaseError if the gateway
    or Entrez is unavailable or answers with an error. Certificate errors become CommandErrors with a
    solution, also those of later requests.
    """
    try:
        if await asyncio.to_thread(read_certificate, settings.certificate_file) is None:
            raise NotTrustedError
        async with Gateway(settings.gateway_host, settings.certificate_file) as gateway:
            with explain_silence(settings):
                info = await gateway.info()
            await sign_in(gateway, info, settings)
            yield gateway, info
    except NotTrustedError:
        raise CommandError(
            f"{settings.certificate_file}: the certificate of {settings.gateway_host} is not trusted yet; "
            f"no secret was sent: check it and trust it: {settings.trust_command}"
        ) from None
    except CertificateChangedError as error:
        shown = Certificate.from_pem(error.shown_pem)
        raise CommandError(
            f"{settings.certificate_file}: the gateway now shows another certificate "
            f"(SHA-256 {shown.fingerprint}, valid to {shown.not_after:%Y-%m-%d}); no secret "
            f"was sent: if you expected that, trust the new one: {settings.trust_command}"
        ) from error
    except CertificateError as error:
        raise CommandError(f"{error}: {settings.trust_command}") from error


async def sign_in(gateway: Gateway, info: Info, settings: Settings) -> None:
    """Log in with the token of the settings, or with a new one if that cannot be used or expires soon.

    Raises as `open_gateway` does.
    """
    raw = settings.gateway_token
    token, problem = _parse_token(raw, info.serial_number)
    if (kept := _unstored.get(settings.file_of("gateway_token"))) is not None:
        renewed, trouble = _parse_token(kept, info.serial_number)
        if trouble is None and (problem is not None or _end(renewed) > _end(token)):
            raw, token, problem = kept, renewed, None
    check_serial_numbers(settings, info, gateway.certificate, token)
    if raw is not None and token is not None and problem is None:
        if await gateway.login(await _renew_if_due(raw, token, info, settings)):
            return
        problem = "the gateway rejects this token"
        _unstored.pop(settings.file_of("gateway_token"), None)
    if not settings.has_account:
        raise SettingsError(
            join_clauses(
                f"{settings.where('gateway_token')}: {problem}",
                f"create one on {AUTHENTICATION_HOST}, or set enphase_username and enphase_password for "
                "automatic renewal",
            )
        )
    _LOGGER.info("requesting a new token, as %s", problem)
    if not await gateway.login(await _request_token(info, settings)):
        raise CommandError(
            f"the gateway at {settings.gateway_host} rejects even a new token, so check that "
            f"{settings.where('enphase_username')} is the gateway's owner"
        )


def _parse_token(raw: str | None, serial_number: str) -> tuple[Token | None, str | None]:
    """Return a token's claims, if it is one, and the reason why it cannot be used."""
    if raw is None:
        return None, "no token is set"
    try:
        token = Token.parse(raw, serial_number)
    except TokenError as error:
        return None, str(error)
    return token, token.problem


def _end(token: Token | None) -> datetime:
    return datetime.min.replace(tzinfo=UTC) if token is None else token.expires_at


def check_serial_numbers(
    settings: Settings, info: Info, certificate: Certificate | None, token: Token | None
) -> None:
    """Check that settings, certificate and token are for the gateway that answers.

    Raises SettingsError.
    """
    named = {
        settings.where("gateway_serial_number"): settings.gateway_serial_number,
        f"its certificate ({settings.certificate_file})": certificate.serial_number if certificate else None,
        settings.where("gateway_token"): token.serial_number if token else None,
    }
    others = [
        f"{where} names {serial}"
        for where, serial in named.items()
        if serial not in (None, info.serial_number)
    ]
    if others:
        raise SettingsError(
            f"the gateway at {settings.gateway_host} is {info.serial_number}, but {', and '.join(others)}: "
            "correct one of them, or gateway_host"
        )


async def _renew_if_due(raw: str, token: Token, info: Info, settings: Settings) -> str:
    """Return the token, or a new one if it expires soon and an account is configured."""
    left = token.expires_at - datetime.now(UTC)
    if left > min(_BEFORE_END, (token.expires_at - token.issued_at) / 10):
        return raw
    end = (
        f"{settings.where('gateway_token')}: the token ends on {token.expires_at.astimezone():%Y-%m-%d %H:%M}"
    )
    if not settings.has_account:
        _LOGGER.warning("%s: create a new one on %s", end, AUTHENTICATION_HOST)
        return raw
    try:
        return await _request_token(info, settings)
    except (CommandError, EnphaseError) as error:
        _LOGGER.warning("%s; renewal failed: %s", end, error)
        return raw


async def _request_token(info: Info, settings: Settings) -> str:
    """Sign in to Entrez (or Enlighten), get a token, store it beside the account's name, and return it."""
    async with Authentication(host=settings.entrez_host) as entrez:
        try:
            raw = await entrez.get_token(
                settings.enphase_username or "", settings.enphase_password or "", info.serial_number
            )
        except (MultiFactorError, TokenError):
            raise
        except CommunicationError as error:
            raise CommunicationError(
                f"{error}: check this machine's Internet connection",
                path=error.path,
                reason=error.reason,
            ) from error
        except AuthenticationError:
            name = settings.where("enphase_username")
            # Name the file once if it contains both.
            file = name.removesuffix("enphase_username")
            raise AccountError(
                f"Entrez rejects {name} with {settings.where('enphase_password').removeprefix(file)}: "
                f"try them on {AUTHENTICATION_HOST}, and correct them"
            ) from None
        hide(raw)
        with suppress(EnphaseError):
            await entrez.logout()
    Token.parse(raw, info.serial_number).require_valid()
    try:
        await asyncio.to_thread(store, settings, "gateway_token", raw)
    except (OSError, SettingsError) as error:
        _unstored[settings.file_of("gateway_token")] = raw
        _LOGGER.warning(
            "%s: the new token cannot be stored (%s); each run requests another one",
            settings.file_of("gateway_token"),
            error,
        )
    if settings.gateway_token is not None and settings.where("gateway_token") != settings.in_file(
        "gateway_token"
    ):
        _LOGGER.warning(
            "%s: this invalid token takes precedence over the renewed one in %s: remove it",
            settings.where("gateway_token"), settings.file_of("gateway_token"),
        )  # fmt: skip
    return raw


@contextmanager
def explain_silence(settings: Settings) -> Iterator[None]:
    """Raise an error of the same class with advice if the address belongs to no gateway."""
    named = f"{settings.where('gateway_host')}: {settings.gateway_host}"
    try:
        yield
    except CommunicationError as error:
        text = f"{named} {_ADVICE[error.reason]}"
        raise CommunicationError(text, path=error.path, reason=error.reason) from error
    except InvalidAnswerError as error:
        raise InvalidAnswerError(f"{named} {_NO_GATEWAY}", path=error.path, status=error.status) from error
    except ResponseError as error:
        starting = (
            f"answers with status {error.status}, as a gateway does while it starts: "
            "try again in a few minutes"
        )
        raise ResponseError(
            f"{named} {starting if error.retryable else _NO_GATEWAY}",
            path=error.path,
            status=error.status,
            retryable=error.retryable,
        ) from error
