"""A gateway whose answers have secrets in every place and form: none is in what the command writes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from enphase_companion.commands.gateway_generate_docs import main

from ..cli_user import CliUser

#: Each is the only one of its kind, so that a hit names it.
SECRETS = (
    "122249017193",
    "202249017194",
    "00:1D:C0:6A:12:34",
    "00-1d-c0-6a-12-35",
    "001dc06a1236",
    "001d.c06a.1237",
    "jane.doe@house.example",
    "john@doe.ch",
    "Jane Doe",
    "DoeJane",
    "Müller",
    "springfield",
    "JANE_SPRINGFIELD",
    "47.376912",
    "8.541712",
    "doe-wifi",
    "DOE_5G",
    "FRITZ!Box 7590 XY",
    "eyJraWQiOiI3ZDEwMDA1ZC03ODk5.eyJhdWQi.c2ln",
    "4f9a1c0de3b24d6f8a7b6c5d4e3f2a1b",
    "s3cr3tPassw0rd",
    "6f1ed002-ab12-4c3d-9e8f-001122334455",
    "doe-nas.fritz.box",
    "nas.doe.ch",
    "gateway-doe.local",
    "192.168.178.20",
    "fe80::21d:c0ff:fe6a:1234",
    "+41791234567",
    "0791234568",
)


def plant(secret: str) -> dict[str, Any]:
    """Return an object with a secret as value, as key, in lists and in texts."""
    number = float(secret) if secret.replace(".", "", 1).isdigit() and "." in secret else secret
    return {
        "unheard_of": secret,
        "state": secret,
        "description": f"last seen {secret}, ok",
        "log": [secret, f"id={secret};x", f"/api/{secret}/x", f"dev_{secret}"],
        "by_name": {secret: {"state": secret}},
        "counters": {secret: 1},
        "owner": {"x": secret, secret: secret},
        "location": {"x": number, "y": [number]},
        "latitude": number,
        "copy": number,
        "nested": json.dumps({"a": secret}),
        "ssid": secret,
        "hostName": secret,
        "serial_num": secret,
        "version": secret,
    }


def plant_in_xml(text: str) -> str:
    """Return /info with the secrets in elements, attributes and texts."""
    planted = "".join(
        f'<package name="{each}"><pn>{each}</pn><note>for {each}</note><state>{each}</state></package>'
        for each in SECRETS
    )
    return text.replace("</envoy_info>", f"{planted}</envoy_info>")


@pytest.mark.slow
def test_no_planted_secret_is_on_a_page_in_a_schema_or_in_the_recording(
    create_ready_user: Callable[..., CliUser], monkeypatch: pytest.MonkeyPatch
) -> None:
    user = create_ready_user("battery")
    answers = user.simulator.gateway._answers
    get, info = answers.get, answers.info

    def get_with_secrets(path: str, query: str) -> Any:
        answer = get(path, query)
        planted = [plant(each) for each in SECRETS]
        if isinstance(answer, list):
            return [*answer, *planted]
        return {**answer, "devices": planted, **planted[0]} if isinstance(answer, dict) else answer

    monkeypatch.setattr(answers, "get", get_with_secrets)
    monkeypatch.setattr(answers, "info", lambda: plant_in_xml(info()))
    result = user.run(main, "-v", "--delay", "0", "--record", "recording", "--output", "pages")
    assert result.status == 0
    folder = user.home.parent
    written = {
        str(file.relative_to(folder)): f"{file} {file.read_text()}"
        for name in ("recording", "pages")
        for file in sorted((folder / name).rglob("*"))
        if file.is_file()
    }
    assert len(written) > 100
    private = [*SECRETS, user.simulator.serial_number, user.simulator.token()]
    private += [each.serial_number for each in user.simulator.house.inverters]
    assert find(private, written) == []
    assert find(private, {"output": result.out + result.err.replace(str(Path.home()), "")}) == []
    # What is no secret is still there.
    assert '"activePower": ' in written["recording/ivp_meters_readings"]
    assert json.loads((folder / "recording" / "ivp_meters").read_text())[0]["state"] == "enabled"


def find(secrets: list[str], texts: dict[str, str]) -> list[tuple[str, str]]:
    """Return each secret that a text has, in upper or lower case or with JSON's escapes, and where."""
    return [
        (secret, name)
        for name, text in texts.items()
        for secret in secrets
        if any(form.lower() in text.lower() for form in (secret, json.dumps(secret)[1:-1]))
    ]
