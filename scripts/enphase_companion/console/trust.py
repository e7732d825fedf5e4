"""Trust a gateway: show its certificate, ask the owner, and store it as shown."""

from __future__ import annotations

import asyncio

from enphase_api import CertificateError
from enphase_api.files import write_private
from enphase_api.local import Certificate, Gateway, fetch_certificate
from enphase_api.local.trust import read_certificate
from enphase_api.models import Info

from ..config.settings import Settings
from ..gateway.connection import check_serial_numbers, explain_silence
from ..runtime.errors import CommandError

_CHANGED = "Its key has changed:\nthe gateway was reset, or another device answers in its place."

#: A serial number is public: it does not distinguish a gateway from an impostor.
_ADVICE = (
    "Any device on your network can claim this serial number. Look up the gateway's address in your router,\n"
    "open it in a browser on another device, and trust it only if that shows the same fingerprint."
)


def trust(settings: Settings, fingerprint: str | None) -> int:
    """Store the gateway's certificate after a typed yes, or if it has this fingerprint.

    Returns the exit status: 1 without a yes. Raises CommandError for another fingerprint.
    """
    # The question is asked outside the event loop: there, Ctrl-C would wait for the answer.
    with explain_silence(settings):
        shown = asyncio.run(fetch_certificate(settings.gateway_host))
    if fingerprint not in (None, shown.fingerprint):
        raise CommandError(
            f"{settings.gateway_host} shows the certificate with SHA-256 {shown.fingerprint}, "
            "not the one of --fingerprint: nothing was stored"
        )
    info = asyncio.run(_identify(settings, shown))
    trusted = _read_trusted(settings)
    print(_description(settings, shown, info))
    if trusted is not None and trusted.fingerprint == shown.fingerprint:
        print(f"{_fingerprint('Fingerprint (SHA-256)', shown)}\n")
        print(f"It is trusted already ({settings.certificate_file}).")
        return 0
    print(_question(settings, shown, trusted, info))
    if fingerprint is None and not _confirm():
        print("Nothing was stored.")
        return 1
    write_private(settings.certificate_file, shown.pem)
    print(f"It is trusted now ({settings.certificate_file}).")
    return 0


async def _identify(settings: Settings, shown: Certificate) -> Info:
    """Return the gateway's identity, so that a router's web page is not trusted by mistake."""
    async with Gateway(settings.gateway_host, certificate=shown.pem) as gateway:
        with explain_silence(settings):
            info = await gateway.info()
    check_serial_numbers(settings, info, shown, None)
    return info


def _read_trusted(settings: Settings) -> Certificate | None:
    try:
        return read_certificate(settings.certificate_file)
    except CertificateError:
        # Enphase-API's scripts leave an empty file if the gateway did not answer.
        return None


def _description(settings: Settings, shown: Certificate, info: Info) -> str:
    """Return all text of the peer: nothing after it can be overwritten by it."""
    expired = " (expired)" if shown.is_expired else ""
    return (
        f"{settings.gateway_host} identifies itself as this gateway:\n\n"
        f"  Serial number          {info.serial_number}\n"
        f"  Firmware               {info.firmware}\n"
        f"  Certificate            {shown.subject or '(without a name)'}\n"
        f"  Valid                  {shown.not_before.date()} to {shown.not_after.date()}{expired}\n"
    )


def _question(settings: Settings, shown: Certificate, trusted: Certificate | None, info: Info) -> str:
    if trusted is None:
        return f"{_ADVICE}\n\n{_fingerprint('Fingerprint (SHA-256)', shown)}\n"
    same = trusted.key_fingerprint == shown.key_fingerprint
    change = (
        "It is a renewal, with the trusted key."
        if same
        else f"{_CHANGED}\n{_claim(trusted.serial_number, info.serial_number)}\n{_ADVICE}"
    )
    return (
        f"Another certificate is trusted until now ({settings.certificate_file}). {change}\n\n"
        f"{_fingerprint('Trusted until now', trusted)}\n\n{_fingerprint('Shown now', shown)}\n"
    )


def _claim(trusted: str | None, claimed: str) -> str:
    """Compare the claimed serial number with that of the trusted certificate."""
    if trusted is None:
        return ""
    if trusted == claimed:
        return "It claims the serial number of the trusted gateway.\n"
    return f"The trusted gateway has the serial number {trusted}, this one claims another.\n"


def _fingerprint(label: str, certificate: Certificate) -> str:
    # A terminal would break the line within a byte.
    half = len(certificate.fingerprint) // 2 + 1
    return f"  {label:21}  {certificate.fingerprint[:half]}\n{'':25}{certificate.fingerprint[half:]}"


def _confirm() -> bool:
    try:
        return input("Type yes to trust it: ").strip().lower() == "yes"
    except EOFError:
        print()
        return False
