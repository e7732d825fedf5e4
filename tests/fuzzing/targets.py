"""The parsers of foreign input: each with its input and its invariants."""

from __future__ import annotations

import argparse
import base64
import importlib
import json
import math
import ssl
import struct
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from pamqp.header import ContentHeader

from enphase_api import (
    CertificateError,
    InvalidAnswerError,
    MultiFactorError,
    TokenError,
    UnsupportedFirmwareError,
)
from enphase_api.cloud.battery import CloudSettings
from enphase_api.cloud.connection import Answer as EntrezAnswer
from enphase_api.cloud.html import EntrezPage
from enphase_api.cloud.token import Token
from enphase_api.http import parse_json
from enphase_api.json_values import is_printable
from enphase_api.local import Certificate
from enphase_api.models import (
    Batteries,
    DeviceData,
    DryContact,
    Generator,
    Info,
    Inverter,
    Live,
    Meter,
    Production,
    ProductionTotals,
    Readings,
    Relay,
    Report,
    Site,
    Storage,
    Tariff,
)
from enphase_api.models.storage import SCHED, SECCTRL, TARIFF
from enphase_companion.amqp.properties import read_all
from enphase_companion.config.loader import load_settings
from enphase_companion.config.settings import SETTINGS
from enphase_companion.delivery.spool_file import SpoolFile
from enphase_companion.displays import forecast
from enphase_companion.endpoint_docs.anonymize import anonymize
from enphase_companion.endpoint_docs.answers import Answer, Outcome, Recording, parse_answer
from enphase_companion.endpoint_docs.catalogue import load_catalogue
from enphase_companion.endpoint_docs.markup import FORMATS
from enphase_companion.endpoint_docs.pages import build_page
from enphase_companion.endpoint_docs.placeholders import Placeholders
from enphase_companion.message import (
    Message,
    MessageError,
    OutgoingMessage,
    build_reports,
    decode,
    encode,
    from_readings,
)
from enphase_companion.runtime.errors import CommandError, SettingsError
from enphase_companion.runtime.redaction import redact
from enphase_companion.simulator import Simulator
from tests.houses import JUNE

from .inputs import generate_properties, mutate_bytes, mutate_json

PATHS = {
    "/ivp/meters": Meter.list_from_json,
    "/ivp/meters/reports": Report.list_from_json,
    "/production.json": Production.from_json,
    "/api/v1/production": ProductionTotals.from_json,
    "/api/v1/production/inverters": Inverter.list_from_json,
    "/ivp/livedata/status": Live.from_json,
    "/ivp/pdm/device_data": DeviceData.from_json,
    "/ivp/ensemble/relay": Relay.from_json,
    "/ivp/ensemble/generator": Generator.from_json,
    TARIFF: Tariff.from_json,
}
CONTACTS = ("/ivp/ensemble/dry_contacts", "/ivp/ss/dry_contact_settings")
ENSEMBLE = ("/ivp/ensemble/inventory", "/ivp/ensemble/power", "/ivp/ensemble/secctrl")
STORAGE = (TARIFF, SCHED, SECCTRL)
READINGS = "/ivp/meters/readings"
#: The time in all houses, in seconds since the epoch.
START = 1782032400.0
#: The separator of the answers of an input, which occurs in no answer.
SEPARATOR = b"\x1e"


@dataclass(frozen=True)
class Target:
    """A parser: `run` raises if an invariant fails, for any bytes; `inputs` generates relevant bytes."""

    run: Callable[[bytes], None]
    inputs: SearchStrategy[bytes]
    #: Number of inputs in a test; fewer for slow parsers.
    examples: int = 100


@cache
def get_simulator(profile: str = "battery") -> Simulator:
    """Return a simulator with valid answers."""
    return Simulator(profile, hour_of_day=11, day=JUNE, start=START)


@cache
def create_certificate() -> str:
    """Return the certificate of that simulator's gateway."""
    return get_simulator()._make_certificate(datetime.fromtimestamp(START, UTC)).pem


@cache
def get_answers(*paths: str) -> tuple[Any, ...]:
    """Return the answers of simulated gateways to these paths."""
    found = [
        get_simulator(profile).gateway._answers.get(path, "")
        for path in paths
        for profile in ("battery", "three-phase", "ac-batteries", "no-meters")
    ]
    return tuple(answer for answer in found if answer is not None)


def check(found: Any) -> None:
    """Raise AssertionError if a value contains an unprintable text or a number that is not finite."""
    if isinstance(found, str):
        assert is_printable(found), ascii(found)
    elif isinstance(found, float):
        assert math.isfinite(found)
    elif isinstance(found, datetime):
        assert found.tzinfo is not None
    elif is_dataclass(found):
        for each in fields(found):
            check(getattr(found, each.name))
    elif isinstance(found, Mapping):
        for pair in found.items():
            check(pair)
    elif isinstance(found, (tuple, list)):
        for each in found:
            check(each)


def run_info(body: bytes) -> None:
    """Parse the description of a gateway, which any peer can send before trust."""
    with suppress(InvalidAnswerError):
        check(Info.firmware_from_xml(body))
    with suppress(InvalidAnswerError, UnsupportedFirmwareError):
        info = Info.from_xml(body)
        check(info)
        check(info.version)
        info.require_tokens()


def run_certificate(body: bytes) -> None:
    """Read a certificate as in a handshake, and as in a file."""
    for is_pem in (False, True):
        with suppress(CertificateError):
            text = body.decode("ascii", "replace")
            found = Certificate.from_pem(text) if is_pem else Certificate.from_der(body)
            check((found.subject, found.serial_number, found.not_before, found.not_after, found.is_expired))
            assert Certificate.from_pem(found.pem) == found
            found.ssl_context()


def run_readings(body: bytes) -> None:
    """Read meters, and encode the message of their readings."""
    listed, _, read_now = body.partition(SEPARATOR)
    with suppress(InvalidAnswerError):
        meters = Meter.list_from_json(parse_json(listed, "/ivp/meters", "the gateway"))
        readings = Readings.from_json(parse_json(read_now, READINGS, "the gateway"), meters)
        check(tuple(readings))
        check(readings.measured_at)
        check(Site.from_readings(readings))
        _check_round_trip(from_readings(readings, "122333444455", START))


def run_models(body: bytes) -> None:
    """Parse each other answer of a gateway; the first byte selects the parser."""
    number, body = body[:1].rjust(1), body[1:]
    path, parse = list(PATHS.items())[number[0] % len(PATHS)]
    with suppress(InvalidAnswerError):
        check(parse(parse_json(body, path, "the gateway"), path))


def run_batteries(body: bytes) -> None:
    """Read the three answers about batteries."""
    parts = [*body.split(SEPARATOR), b"[]", b"{}", b"{}"][: len(ENSEMBLE)]
    with suppress(InvalidAnswerError):
        batteries = Batteries.from_json(
            *(parse_json(part, path, "the gateway") for path, part in zip(ENSEMBLE, parts, strict=True))
        )
        check(batteries)
        check(batteries.as_of(datetime.fromisoformat("2026-06-21T11:00:00+00:00")))


def run_storage(body: bytes) -> None:
    """Read the three answers about the use of the batteries."""
    parts = [*body.split(SEPARATOR), b"{}", b"{}", b"{}"][: len(STORAGE)]
    with suppress(InvalidAnswerError):
        check(
            Storage.from_json(
                *(parse_json(part, path, "the gateway") for path, part in zip(STORAGE, parts, strict=True))
            )
        )


def run_cloud_settings(body: bytes) -> None:
    """Read the batteries' settings in the cloud."""
    with suppress(InvalidAnswerError):
        check(CloudSettings.from_json(parse_json(body, "/batterySettings", "Enlighten"), "/batterySettings"))


def run_dry_contacts(body: bytes) -> None:
    """Read the two answers about dry contacts; their settings are kept as they were read."""
    parts = [*body.split(SEPARATOR), b"{}", b"{}"][: len(CONTACTS)]
    with suppress(InvalidAnswerError):
        contacts = DryContact.list_from_json(
            *(parse_json(part, path, "the gateway") for path, part in zip(CONTACTS, parts, strict=True))
        )
        check([replace(contact, settings={}) for contact in contacts])


def _check_round_trip(message: Message) -> None:
    """Encode a message in both forms and decode it."""
    for body in (encode(message), encode(message, build_reports(message))):
        decoded = decode(body)
        check(decoded)
        assert decode(encode(decoded)).samples == decoded.samples


def run_message(body: bytes) -> None:
    """Read a message from a broker: a readable message can be forwarded and reads equal again."""
    with suppress(MessageError):
        _check_round_trip(decode(body, "122333444455"))


def run_properties(body: bytes) -> None:
    """Read the properties of a message: all that a broker accepts can be read and forwarded."""
    read_all()
    header = ContentHeader()
    payload = struct.pack(">HHQ", 60, 0, 0) + body
    try:
        header.unmarshal(payload)
    except (ValueError, struct.error, IndexError, KeyError):
        # A broker sends no truncated properties; `properties` generates complete ones.
        return
    header.marshal()


def run_complete_properties(body: bytes) -> None:
    """Read properties from bytes that a broker accepts: none may be rejected."""
    read_all()
    header = ContentHeader()
    header.unmarshal(struct.pack(">HHQ", 60, 0, 0) + body)
    header.marshal()


def run_weather(body: bytes) -> None:
    """Read an answer of the weather service."""
    with suppress(InvalidAnswerError):
        forecast._read(parse_json(body, forecast._PATH, "the weather service"))


def run_token(body: bytes) -> None:
    """Read a token: the text itself, and one whose claims are the bytes."""
    parts = (base64.urlsafe_b64encode(part).rstrip(b"=") for part in (b'{"alg":"ES256"}', body, b"c"))
    for text in (body.decode(errors="replace"), b".".join(parts).decode()):
        with suppress(TokenError):
            token = Token.parse(text, "122333444455", verify_signature=True)
            check((token.serial_number, token.role, token.issued_at, token.expires_at, token.reason))
            assert token.problem is None or is_printable(token.problem, 200)


def run_page(body: bytes) -> None:
    """Read a page of Entrez."""
    answer = EntrezAnswer("Entrez", "/login", 200, None, cookies={}, body=body, page=EntrezPage(body))
    with suppress(MultiFactorError):
        assert answer.is_refused in (True, False)


def run_settings(body: bytes) -> None:
    """Read a file of settings."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "credentials.json"
        file.touch(0o600)
        file.write_bytes(body)
        with suppress(SettingsError):
            load_settings(SETTINGS, argparse.Namespace(configuration=folder))


def run_spool(body: bytes) -> None:
    """Read a spool file: its messages can be forwarded, and the spool works in any case."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "spool"
        file.write_bytes(body)
        with suppress(OSError, CommandError), ExitStack() as ends:
            spool = SpoolFile(file)
            ends.callback(spool.close)
            for attempt in range(2):
                try:
                    _use_spool(spool)
                except OSError:
                    # Found to be damaged, and replaced.
                    assert attempt == 0
                else:
                    break


def _use_spool(spool: SpoolFile) -> None:
    numbers, _ = spool.append([OUTGOING], 1_000_000)
    found = spool.read(0, 1_000_000, ())
    for _, message in found:
        if message is not None:
            texts = (message.message_id, message.gateway, message.routing_key)
            assert {type(each) for each in texts} == {str}
            assert type(message.body) is bytes
    assert (numbers[0], OUTGOING) in found
    spool.remove({number for number, _ in found})
    assert spool.count == 0


def run_redact_response(body: bytes) -> None:
    """Redact an answer for `call_api`."""
    json.dumps(API_ACCESS.redact_response(body))
    assert TOKEN not in json.dumps(API_ACCESS.redact_response(body + TOKEN.encode()))


def run_redaction(body: bytes) -> None:
    """Redact a line of the scripts' log."""
    text = body.decode(errors="replace")
    assert TOKEN not in redact(f"{text} {TOKEN} {text}")


def run_documentation(body: bytes) -> None:
    """Generate a page from an answer: its lines are printable, and its listing ends at its last line."""
    form, body = body[:1], body[1:]
    path = "/info" if form == b"x" else "/home.json"
    endpoint = next(each for each in CATALOGUE if each.path == path)
    with suppress(ValueError):
        answers = {path: Answer(Outcome.ANSWERED, parse_answer(body, endpoint))}
        anonymous = anonymize(Recording("8.2.127", answers), CATALOGUE, Placeholders())
        for markup in FORMATS.values():
            page = build_page(endpoint, [anonymous], markup)
            assert len("".join((*page.facts, *page.example))) < 500_000
            lines = [line for part in (*page.facts, *page.example) for line in part.split("\n")]
            assert all(line.isprintable() for line in lines)
            fence = lines[-1]
            assert sum(line.startswith(fence) for line in lines) == (2 if set(fence) <= {*"`-"} else 1)


def _api_access() -> ModuleType:
    """Import a module of the integration without its package, which needs Home Assistant."""
    package = ModuleType("integration")
    package.__path__ = [str(Path(__file__).parents[2] / "custom_components" / "enphase_iq_gateway")]
    sys.modules[package.__name__] = package
    return importlib.import_module(f"{package.__name__}.api_access")


API_ACCESS = _api_access()
CATALOGUE = load_catalogue()
TOKEN = f"eyJhbGciOiJFUzI1NiJ9.{'e30' * 10}.{'c2ln' * 10}"
OUTGOING = OutgoingMessage("an-id", "122333444455", "meters", b"{}")


@cache
def build_spool() -> bytes:
    """Return the bytes of a spool with messages."""
    with tempfile.TemporaryDirectory() as folder:
        file = SpoolFile(Path(folder) / "spool")
        file.append([OUTGOING] * 3, 1_000_000)
        file.close()
        return (Path(folder) / "spool").read_bytes()


def _join(*strategies: SearchStrategy[bytes]) -> SearchStrategy[bytes]:
    return st.tuples(*strategies).map(SEPARATOR.join)


def _messages() -> list[Any]:
    readings = Readings.from_json(
        get_answers(READINGS)[0], Meter.list_from_json(get_answers("/ivp/meters")[0])
    )
    message = from_readings(readings, "122333444455", START)
    return [json.loads(encode(message, build_reports(message)))]


_CLAIMS = {
    "aud": "122333444455",
    "iss": "Entrez",
    "enphaseUser": "owner",
    "exp": 1893456000,
    "iat": int(START),
}
_CLOUD_SETTINGS = {
    "data": {
        "profile": "cost_savings",
        "batteryBackupPercentage": 30,
        "batteryBackupPercentageMin": 5,
        "veryLowSoc": 10,
        "veryLowSocMax": 25,
        "chargeFromGrid": True,
        "chargeBeginTime": 120,
        "chargeEndTime": 300,
        "acceptedItcDisclaimer": "2026-09-24T19:13:11.950Z",
        "requestedConfig": {"pendingGateways": ["122300000001"]},
    }
}
_WEATHER = {
    "current_units": {"wind_speed_10m": "m/s"},
    "current": {"weather_code": 3, "wind_speed_10m": 2.5, "is_day": 1},
}
_PAGES = (
    (
        b'<form action="/login" method="post"><input type="hidden" name="_csrf" value="a">'
        b'<input type="password" name="password"></form><a href="/entrez_tokens">tokens</a>'
    ),
    b'<html><script>var a = "otp";</script><textarea id="JWTToken">eyJ.a.b</textarea></html>',
)
_SETTINGS: dict[str, Any] = dict.fromkeys(SETTINGS, "") | {
    "gateway_host": "https://envoy.local",
    "gateway_serial_number": "122333444455",
    "gateway_token": "eyJ.a.b",
    "interval": 5,
    "latitude": 48.2,
    "longitude": 16.4,
    "amqp_url": "amqps://user:password@broker.example:5671/",
    "amqp_queues": ["a", "b"],
}
_SECRETS = (
    b'{"ssid": "home", "psk": "hunter2", "sub": [{"token": "eyJ.a.b"}]}',
    b"password=hunter2&user=me <password>hunter2</password> Bearer abc",
    b"amqp://user:password@broker.example/ owner@house.example",
)

TARGETS: Mapping[str, Target] = {
    "info": Target(
        run_info, mutate_bytes([each.gateway._answers.info().encode() for each in (get_simulator(),)])
    ),
    "certificate": Target(
        run_certificate,
        mutate_bytes([ssl.PEM_cert_to_DER_cert(create_certificate()), create_certificate().encode()]),
    ),
    "readings": Target(
        run_readings, _join(mutate_json(get_answers("/ivp/meters")), mutate_json(get_answers(READINGS)))
    ),
    "models": Target(
        run_models,
        st.one_of(
            *(
                mutate_json(get_answers(path)).map(lambda body, number=number: bytes([number]) + body)  # type: ignore[misc]
                for number, path in enumerate(PATHS)
            )
        ),
    ),
    "batteries": Target(run_batteries, _join(*(mutate_json(get_answers(path)) for path in ENSEMBLE))),
    "storage": Target(run_storage, _join(*(mutate_json(get_answers(path)) for path in STORAGE))),
    "cloud-settings": Target(run_cloud_settings, mutate_json([_CLOUD_SETTINGS])),
    "dry-contacts": Target(run_dry_contacts, _join(*(mutate_json(get_answers(path)) for path in CONTACTS))),
    "message": Target(run_message, mutate_json(_messages())),
    "properties": Target(run_complete_properties, generate_properties()),
    "cut-properties": Target(
        run_properties, generate_properties().flatmap(lambda complete: mutate_bytes([complete]))
    ),
    "weather": Target(run_weather, mutate_json([_WEATHER])),
    "token": Target(run_token, mutate_json([_CLAIMS])),
    "page": Target(run_page, mutate_bytes(_PAGES)),
    "settings": Target(run_settings, mutate_json([_SETTINGS])),
    "spool": Target(run_spool, mutate_bytes([build_spool()]), examples=25),
    "redact-response": Target(
        run_redact_response, mutate_bytes(_SECRETS) | mutate_json([json.loads(_SECRETS[0])])
    ),
    "redaction": Target(run_redaction, mutate_bytes(_SECRETS)),
    "documentation": Target(
        run_documentation,
        mutate_json(get_answers("/home.json", "/ivp/meters", *ENSEMBLE)).map(lambda body: b"j" + body)
        | mutate_bytes([get_simulator().gateway._answers.info().encode()]).map(lambda body: b"x" + body),
    ),
}
