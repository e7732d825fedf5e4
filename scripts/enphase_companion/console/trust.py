"""Trusting a gateway: its certificate shown, agreed to by its owner, and stored as it was shown."""

from __future__ import annotations

import asyncio

from enphase_api import CertificateError
from enphase_api.local import Certificate, Gateway, fetch_certificate
from enphase_api.local.trust import read_certificate
from enphase_api.models import Info
from enphase_api.private_file import write_private_file

from ..running.errors import CommandError
from ..settings.keys import Settings
from ..source.finding import finding
from ..source.opening import check_serial_numbers


def trust(settings: Settings, fingerprint: str | None) -> int:
    """Store the certificate that the gateway shows, after a typed yes or where it has this fingerprint.

    Gives the exit status: 1 where the owner does not say yes. Raises CommandError for another fingerprint.
    """
    # Asking is left out of the event loop: there, Ctrl-C would wait for the answer.
    with finding(settings):
        shown = asyncio.run(fetch_certificate(settings.gateway_host))
    if fingerprint not in (None, shown.fingerprint):
        raise CommandError(
            f"{settings.gateway_host} shows the certificate with SHA-256 {shown.fingerprint}, "
            "not the one given with --fingerprint. Nothing was stored."
        )
    info = asyncio.run(_identified(settings, shown))
    trusted = _trusted_until_now(settings)
    print(_description(settings, shown, info))
    if trusted is not None and trusted.fingerprint == shown.fingerprint:
        print(f"It is trusted already ({settings.certificate_file}).")
        return 0
    if trusted is not None:
        print(f"Trusted until now is another ({settings.certificate_file}):\n\n{_lines(trusted)}\n")
    if fingerprint is None and not _said_yes():
        print("Nothing was stored.")
        return 1
    write_private_file(settings.certificate_file, shown.pem)
    print(f"It is trusted now ({settings.certificate_file}).")
    return 0


async def _identified(settings: Settings, shown: Certificate) -> Info:
    """Give who answers with this certificate, so that nobody trusts a router's web page."""
    async with Gateway(settings.gateway_host, certificate=shown.pem) as gateway:
        with finding(settings):
            info = await gateway.info()
    check_serial_numbers(settings, info, shown, None)
    return info


def _trusted_until_now(settings: Settings) -> Certificate | None:
    try:
        return read_certificate(settings.certificate_file)
    except CertificateError:
        # Enphase-API's scripts leave an empty file behind where the gateway did not answer.
        return None


def _description(settings: Settings, shown: Certificate, info: Info) -> str:
    return (
        f"IQ Gateway {info.serial_number} (firmware {info.firmware}) at {settings.gateway_host} "
        f"shows this certificate:\n\n{_lines(shown)}\n"
    )


def _lines(certificate: Certificate) -> str:
    expired = " (expired)" if certificate.is_expired else ""
    not_before, not_after = certificate.not_before.date(), certificate.not_after.date()
    # A terminal would break it within a byte.
    half = len(certificate.fingerprint) // 2 + 1
    return (
        f"  Fingerprint (SHA-256)  {certificate.fingerprint[:half]}\n"
        f"                         {certificate.fingerprint[half:]}\n"
        f"  Name in it (subject)   {certificate.subject or '(none)'}\n"
        f"  Valid                  {not_before} to {not_after}{expired}"
    )


def _said_yes() -> bool:
    print(
        "Nobody but you vouches for it. Compare the serial number with the label on your gateway, and trust\n"
        "it if you are on your own network."
    )
    try:
        return input("Type yes to trust it: ").strip().lower() == "yes"
    except EOFError:
        print()
        return False
