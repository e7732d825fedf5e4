"""The redaction of responses of `call_api`: secrets in any form are replaced, other values are kept."""

import json
from typing import Any

import pytest

from custom_components.enphase_iq_gateway.api_access import REDACTED, redact, redact_response

TOKEN = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJodW50ZXIyIn0.aHVudGVyMg"
PEM = "-----BEGIN PRIVATE KEY-----\naHVudGVyMg==hunter2\n-----END PRIVATE KEY-----"


@pytest.mark.parametrize(
    "answer",
    [
        {"pass": "hunter2"},
        {"wifi_pass": "hunter2"},
        {"wifiPass": "hunter2"},
        {"WIFI_PASS": "hunter2"},
        {"userpass": "hunter2"},
        {"Passwd": "hunter2"},
        {"passphrase": "hunter2"},
        {"pwd": "hunter2"},
        {"adminPwd2": "hunter2"},
        {"pin": "hunter2"},
        {"simPin": "hunter2"},
        {"SIM_PIN": "hunter2"},
        {"pin_code": "hunter2"},
        {"auth": {"user": "hunter2"}},
        {"Authorization": "Basic hunter2"},
        {"basic-auth": "hunter2"},
        {"cookie": "hunter2"},
        {"Set-Cookie": ["hunter2"]},
        {"jwt": "hunter2"},
        {"code_verifier": "hunter2"},
        {"clientSecret": "hunter2"},
        {"refresh_tokens": ["hunter2"]},
        {"JSESSIONID": "hunter2"},
        {"wpaKey": "hunter2"},
        {"apikey": "hunter2"},
        {"preSharedKey": "hunter2"},
        {"private_keys": ["hunter2"]},
        {"wpa2-psk": "hunter2"},
        {"credentials": {"a": {"b": "hunter2"}}},
        {"totp": "hunter2"},
        {"name": "password", "value": "hunter2"},
        {"value": "hunter2", "Name": "Wi-Fi password"},
        {"key": "pin", "val": "hunter2"},
        {"id": "auth", "type": "text", "content": ["hunter2"]},
        {"fields": ["ssid", "psk"], "values": [["Home", "hunter2"], ["Work", "hunter2"]]},
        {"names": ["ssid", "psk"], "values": ["Home", "hunter2"]},
        ["ssid", "Home", "psk", "hunter2"],
        [["psk", "hunter2"]],
        {"note": f"-{PEM}-"},
        {"certificate": PEM},
        {"note": "see https://owner:hunter2@gateway/x"},
        {"note": "Authorization: Bearer hunter2-and-more"},
        {"note": "sent bearer hunter2-and-more"},
        {"file": '{"pass": "hunter2"}'},
        {"file": json.dumps([json.dumps({"name": "pwd", "value": "hunter2"})])},
        {"file": "wpa_key=hunter2"},
        {TOKEN: TOKEN},
        {"x" * 101: "hunter2"},
    ],
    ids=str,
)
def test_a_secret_in_json_is_redacted(answer: Any) -> None:
    passed = json.dumps(redact_response(json.dumps(answer).encode()))
    assert "hunter2" not in passed
    assert "aHVudGVyMg" not in passed
    assert REDACTED in passed


@pytest.mark.parametrize(
    "text",
    [
        "pass=hunter2",
        "PASS = hunter2 and hunter2",
        "wifi.pwd: hunter2",
        "pin:hunter2",
        "pin => 'hunter2'",
        'auth := "a \\" hunter2"',
        "Cookie: a=hunter2; b=hunter2",
        "set-cookie: sessionId=hunter2; Path=/",
        "Authorization: Basic hunter2",
        "authorization: Bearer hunter2-and-more",
        "GET /x?jwt=hunter2&x=1",
        "code_verifier=hunter2",
        "user[password]=hunter2",
        "password%3Dhunter2",
        "password: |\n  hunter2\n",
        "password:\n  hunter2\n",
        "password" + " " * 200 + "= hunter2",
        "amqp://guest:hunter2@gateway/",
        '{"ssid": "Home", "pass": "hunter2", "power": NaN}',
        '{"name": "password", "type": "text", "value": "hunter2", "power": NaN}',
        '{"a": "{\\"pwd\\": \\"hunter2\\"}", "power": NaN}',
        "{&quot;pwd&quot;:&quot;hunter2&quot;}",
        "name=password value=hunter2",
        "<pass>hunter2</pass>",
        "<wifi:psk>\n hunter2\n hunter2\n</wifi:psk>",
        '<password type="text">hunter2</password>',
        "<pin><![CDATA[hunter2]]></pin>",
        '<param name="password">hunter2</param>',
        '<param name="auth" value="hunter2"/>',
        "<input type='password' id='x' value='hunter2'>",
        "<name>pwd</name><value>hunter2</value>",
        "<key>jwt</key>\n<string>hunter2</string>",
        "<tr><td>Passphrase</td><td class='x'>hunter2</td></tr>",
        f"<textarea>{PEM}</textarea>",
        PEM[:50] + "hunter2 and no end",
        f"x {TOKEN}",
        f"x {TOKEN[:30]}",
        "key=1\n" * 2001 + "hunter2",
    ],
)
def test_a_secret_in_text_is_redacted(text: str) -> None:
    passed = redact_response(text.encode())
    assert "hunter2" not in passed
    assert "aHVudGVyMg" not in passed
    assert "eyJhb" not in passed
    assert REDACTED in passed


@pytest.mark.parametrize(
    "answer",
    [
        {"pinned": "a", "author": "b", "passed": "c", "shipping": "d", "keypad": "e", "KEYPAD": "f"},
        {"passive": 1, "bypass": 2, "compass": 3, "spin": 4, "opinion": 5, "authority": 6, "monkey": 7},
        {
            "secretary": 1,
            "possession": 2,
            "assessment": 3,
            "pinging": 4,
            "mapping": 5,
            "AUTHOR": 6,
            "PASSED": 7,
        },
        {"authorized": True, "password_set": True, "token": None, "keys": [], "session": "", "pin": False},
        {"name": "production", "value": 5},
        {"key": "production", "value": "normal"},
        ["keypad", "Home", "production", "normal"],
        {"fields": ["acPowerINmW", "temperature"], "values": [[1, 2], [3, 4]]},
        {"serial_num": "122300000001", "ssid": "Home", "note": "The password is set, the key too."},
        {"note": "https://gateway/home?x=1", "mail": "a@example.com"},
        "<p>1 keyword</p>",
        "<author>Somebody</author>",
        "passed: 5\nshipping = 1\nkeypad: yes",
        "10 tokens were given, none to the bearer of it.",
        '{"file": "[1, 2]", "power": NaN}',
        {"file": '{"power":  1}'},
        [1, 2.5, True, None, "x", [[]], {}],
    ],
    ids=str,
)
def test_values_that_are_not_secret_are_returned(answer: Any) -> None:
    body = answer if isinstance(answer, str) else json.dumps(answer)
    assert redact_response(body.encode()) == answer


def test_deeply_nested_values_are_redacted() -> None:
    deep: Any = "x"
    for _ in range(60):
        deep = [deep]
    assert redact(deep) == deep
    assert REDACTED in json.dumps(redact([[[[[[deep]]]]]]))
