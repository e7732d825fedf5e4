"""The client and the catalogue agree: paths, methods and roles; keys, their types and units.

The client reads answers that are made of the catalogue's fields, and each key that it reads is recorded.
"""

from __future__ import annotations

import ast
import asyncio
import re
from collections.abc import Mapping
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import enphase_api
from enphase_api import json_values
from enphase_api.local import Gateway
from enphase_api.models import Quantities
from enphase_companion.endpoint_docs.catalogue import (
    ANY_NAME,
    UNKNOWN,
    Endpoint,
    Field,
    find_field,
    load_catalogue,
)
from enphase_companion.endpoint_docs.schema import ANY_ID, join_path
from enphase_companion.storage.tables import readings

ALL = load_catalogue()
CLIENT = Path(enphase_api.__file__).parent

#: The types of values that a function of json_values reads.
READERS = {
    "number": {"number", "integer"},
    "thousandth": {"number", "integer"},
    "integer": {"integer"},
    "text": {"string"},
    "identifier": {"string"},
    "boolean": {"boolean"},
    "timestamp": {"number", "integer"},
    "texts": {"list of strings"},
}
THOUSANDTHS = {"mW", "mVA", "mV", "mA", "mHz"}
#: Every other path needs an owner's token only.
ROLES = {"/info": "none", "/ivp/mod/{eid}/mode/power": "installer"}


class Answer(dict[str, Any]):
    """An object of an answer, which knows its place in the catalogue."""

    def __init__(self, endpoint: Endpoint, path: str, reads: set[tuple[str, str, str, str]]) -> None:
        super().__init__()
        self.endpoint, self.path, self.reads = endpoint, path, reads

    def get(self, key: str, default: Any = None) -> Any:
        self.note(key, "")
        return super().get(key, default)

    def note(self, key: str, reader: str) -> None:
        self.reads.add((self.endpoint.path, self.path, key, reader))


def find_endpoint(path: str) -> Endpoint | None:
    """Return the endpoint of a path, in which there may be a value for a name in braces."""
    for each in ALL:
        patterns = (re.sub(r"\\{\w+\\}", "[^/]+", re.escape(known)) for known in (each.path, *each.aliases))
        if any(re.fullmatch(pattern, path) for pattern in patterns):
            return each
    return None


def make_answer(endpoint: Endpoint, reads: set[tuple[str, str, str, str]]) -> Any:
    """Return an answer with all fields of an endpoint: one element for each known value."""

    def make(path: str, number: int) -> Answer:
        answer = Answer(endpoint, path, reads)
        for name, field in endpoint.fields.get(path, {}).items():
            inside = join_path(path, name)
            if name == ANY_ID:
                answer |= {str(553648384 + each): make(inside, each) for each in range(count(inside))}
            elif name != ANY_NAME:
                answer[name] = make_value(field, inside, number)
        return answer

    def count(path: str) -> int:
        return max((len(each.values) for each in endpoint.fields.get(path, {}).values()), default=0) or 1

    def make_value(field: Field, path: str, number: int) -> Any:
        kind = field.type.split(" or ")[0]
        if kind.startswith("list of objects"):
            return [make(f"{path}[]", each) for each in range(count(f"{path}[]"))]
        if kind.startswith("list"):
            return [make_scalar(field, "string", number)] if kind == "list of strings" else []
        return make(path, number) if kind == "object" else make_scalar(field, kind, number)

    if "[]" in endpoint.fields:
        return [make("[]", number) for number in range(count("[]"))]
    return make("", 0)


def make_scalar(field: Field, kind: str, number: int) -> Any:
    if field.values:
        return field.values[number % len(field.values)]
    if field.unit == "s since 1970":
        return "1768478400" if kind == "string" else 1768478400
    if kind == "string":
        days = "Mon,Tue" if "days of the week" in field.meaning else "USD"
        return "6/1" if "month/day" in field.meaning else days
    return {"boolean": True, "integer": number + 1, "number": number + 1.5}.get(kind)


class CataloguedGateway(Gateway):
    """A gateway that answers with the catalogue's fields, and remembers its requests."""

    def __init__(self) -> None:
        super().__init__(cert_file=None)
        self.requests: set[tuple[str, str]] = set()
        self.reads: set[tuple[str, str, str, str]] = set()

    async def api_call(self, path: str, method: str = "GET", *_: Any, **__: Any) -> Any:
        self.requests.add((path, method))
        endpoint = find_endpoint(path)
        assert endpoint is not None, path
        return make_answer(endpoint, self.reads)


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> CataloguedGateway:
    """Return a gateway of which everything has been read."""

    def read(reader: str, data: Mapping[str, Any], key: str, *limits: Any, **named: Any) -> Any:
        if isinstance(data, Answer):
            data.note(key, reader)
        return original[reader](data, key, *limits, **named)

    original = {name: getattr(json_values, name) for name in READERS}
    modules = [
        import_module(f"enphase_api.{folder}.{file.stem}")
        for folder in ("models", "local")
        for file in (CLIENT / folder).glob("[a-z]*.py")
    ]
    for module in modules:
        for name in READERS:
            if hasattr(module, name) and getattr(module, name) is original[name]:
                monkeypatch.setattr(module, name, partial(read, name))
    result, control = CataloguedGateway(), None
    control = result.control

    async def read_all() -> None:
        for each in (
            result.meters, result.readings, result.reports, result.production, result.production_totals,
            result.inverters, result.batteries, result.device_data, result.relay, result.generator,
            result.dry_contacts, result.tariff, result.live, result.enable_live, control.storage,
            control.generator_mode, control.generator_charging, control.ac_battery_levels,
            control.sleeping_ac_batteries, control.is_production_on,
        ):  # fmt: skip
            await each()

    asyncio.run(read_all())
    return result


def test_each_key_that_the_client_reads_has_its_type_and_unit(gateway: CataloguedGateway) -> None:
    endpoints = {each.path: each for each in ALL}
    wrong = []
    for endpoint, path, key, reader in sorted(gateway.reads):
        # The key without the colon is that of other firmware.
        if (endpoint, key) == ("/ivp/ensemble/power", "devices"):
            continue
        field, where = find_field(endpoints[endpoint].fields.get(path, {}), key), f"{endpoint}: {path}.{key}"
        if not field.type:
            wrong.append(f"{where} is missing")
        elif reader and not READERS[reader] & set(field.type.split(" or ")):
            wrong.append(f"{where} is read by {reader}, and is {field.type}")
        elif reader == "timestamp" and field.unit != "s since 1970":
            wrong.append(f"{where} is read as a time, and is in {field.unit}")
        elif reader in ("number", "thousandth") and (reader == "thousandth") is not (
            field.unit in THOUSANDTHS
        ):
            wrong.append(f"{where} is read by {reader}, and is in {field.unit}")
    assert not wrong, "\n".join(wrong)
    # All answers were read to their last level.
    assert {path for _, path, _, _ in gateway.reads} >= {
        "{id}.channels[].lastReading", "[].channels[]", "[].lines[]", "[].devices[]", "devices:[]",
        "dry_contacts[]", "meters.generator", "storage[]", "tariff.seasons[].days[].periods[]", "acb_sleep[]",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("path", "place", "parse"),
    [
        ("/ivp/meters/readings", "[]", Quantities.from_reading),
        ("/ivp/meters/readings", "[].channels[]", Quantities.from_channel),
        ("/ivp/meters/reports", "[].cumulative", Quantities.from_report),
        ("/ivp/meters/reports", "[].lines[]", Quantities.from_line),
    ],
)
def test_quantities_have_the_units_of_the_database(path: str, place: str, parse: Any) -> None:
    endpoint = find_endpoint(path)
    assert endpoint is not None
    compared = set()
    for name, field in endpoint.fields[place].items():
        for quantity, value in parse({name: 0.5})._asdict().items():
            if value is not None and quantity != "power_factor":
                assert re.split("[, ]", readings.c[quantity].comment or "")[0] == field.unit, name
                compared.add(quantity)
    assert compared == {*Quantities._fields} - {"power_factor"}


def test_the_role_of_each_request_is_what_the_client_assumes(gateway: CataloguedGateway) -> None:
    written = {
        (getattr(import_module(f"enphase_api.local.{file.stem}"), name), method)
        for file in (CLIENT / "local").glob("*control.py")
        for name, method in re.findall(r'self\._write\((\w+), "(\w+)"', file.read_text())
    }
    assert len(written) >= 9
    for path, method in sorted(gateway.requests | written):
        endpoint = find_endpoint(path)
        assert endpoint is not None, path
        assert endpoint.methods.get(method) == ROLES.get(endpoint.path, "owner"), (method, path)


def test_each_path_in_the_client_is_in_the_catalogue() -> None:
    files = [file for folder in ("local", "models") for file in (CLIENT / folder).glob("*.py")]
    paths = {
        node.value
        for file in files
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and re.fullmatch(r"/\w[\w./]*", node.value)
    }
    assert {"/info", "/ivp/meters/readings", "/auth/get_jwt"} <= paths
    assert [path for path in sorted(paths) if find_endpoint(path) is None] == []
    roles = {path: endpoint.methods for path in paths if (endpoint := find_endpoint(path)) is not None}
    assert [path for path, methods in roles.items() if UNKNOWN in methods.values()] == []
