"""Finding the gateway at the address that is set; where somebody else or nobody answers: what to do then."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from enphase_api import CommunicationError, InvalidAnswerError, ResponseError, Silence

from ..config.settings import Settings

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
        f"does not answer: see that the gateway has power and is on your network, and {_COMPARE}"
    ),
    Silence.NO_TLS: f"answers, but not with https, so it is another device: {_COMPARE}",
    Silence.BROKEN: (
        f"breaks the connection off: try again in a few minutes, and if that does not help, {_COMPARE}"
    ),
}
_NO_GATEWAY = f"answers, but is not an IQ Gateway, perhaps your router: {_COMPARE}"


@contextmanager
def finding(settings: Settings) -> Iterator[None]:
    """Raise an error of the same kind that says what its owner can do, where no gateway answers there."""
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
