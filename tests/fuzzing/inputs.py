"""Fuzzing input: complete answers with changes, and fragments."""

from __future__ import annotations

import copy
import json
import struct
from collections.abc import Iterator, Sequence
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy, composite

#: Texts with a special meaning in a terminal, a page, a table or a parser.
TEXTS = (
    "", " ", "\x1b[2J", "\u202e", "\u200b", "\ufeff", "\n", "\r", "\t", "\x00", "\x85", "\u2028", "é", "٣",
    "\U0001f600", "`", "|", "<b>", "&#8238;", "[a](b)", "{a}", "../", "%00", "'", '"', "\\", "nan", "1e999",
    "-1", "0", "true", "D8.2.127", "122333444455", "production", "net-consumption",
    "eyJhbGciOiJFUzI1NiJ9.e30.c2ln", "password", "x" * 65, "1" * 33, "9" * 5000, "@" * 3000,
)  # fmt: skip
NUMBERS = (
    0,
    -1,
    1,
    2**31,
    2**53,
    2**63,
    2**64,
    10**400,
    -(2**70),
    0.5,
    1e300,
    1e-320,
    float("nan"),
    float("inf"),
    -0.0,
)
VALUES: tuple[Any, ...] = (*TEXTS, *NUMBERS, None, True, False, [], {}, [[]], [{}], {"": ""}, {"a": [{}]})

#: Fragments of all formats that are parsed here.
FRAGMENTS = (
    b"<", b">", b"</", b"<a>", b"</a>", b"&amp;", b"&#8238;", b"&#0;", b"&a;", b"<!DOCTYPE", b"<!--",
    b"<![CDATA[", b"]]>", b"<?xml ", b' encoding="utf-16"?>', b"{", b"}", b"[", b"]", b'"', b",", b":",
    b"\\u202e", b"\\ud800", b"NaN", b"1e999", b"\xff", b"\xef\xbb\xbf", b"\x00", b"\x1b", b"\xe2\x80\xae",
    b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----", b".", b"=", b"@", b"://", b"9" * 20,
)  # fmt: skip


@composite
def mutate_bytes(draw: DrawFn, complete: Sequence[bytes]) -> bytes:
    """Generate one of these with some bytes removed and some inserted."""
    mutated = draw(st.sampled_from(complete)) if complete else b""
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(mutated)))
        end = start + draw(st.sampled_from((0, 1, 2, 8, 40, len(mutated))))
        piece = draw(st.sampled_from(FRAGMENTS) | st.binary(max_size=6))
        mutated = mutated[:start] + piece * draw(st.sampled_from((0, 1, 1, 1, 2, 100))) + mutated[end:]
    return mutated


@composite
def mutate_json(draw: DrawFn, complete: Sequence[Any]) -> bytes:
    """Generate one of these with some values and names changed, removed or repeated."""
    mutated = copy.deepcopy(draw(st.sampled_from(complete)))
    for _ in range(draw(st.integers(0, 4))):
        elements = list(_list_elements(mutated))
        if not elements:
            break
        container, key = draw(st.sampled_from(elements))
        value = copy.deepcopy(
            draw(st.sampled_from(VALUES) | st.text(max_size=8) | st.integers() | st.floats())
        )
        match draw(st.integers(0, 4)):
            case 0 if isinstance(container, dict):
                container[draw(st.sampled_from(TEXTS) | st.text(max_size=8))] = container.pop(key)
            case 1:
                del container[key]
            case 2 if isinstance(container, list):
                container[key:key] = [container[key]] * draw(st.sampled_from((1, 4, 40)))
            case 3:
                for _ in range(draw(st.sampled_from((1, 10, 70)))):
                    value = [value] if draw(st.booleans()) else {"a": value}
                container[key] = value
            case _:
                container[key] = value
    body = json.dumps(mutated, ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")
    return draw(mutate_bytes([body])) if draw(st.integers(0, 4)) == 0 else body


def _list_elements(value: Any) -> Iterator[tuple[Any, Any]]:
    pairs = list(
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, content in pairs:
        yield value, key
        yield from _list_elements(content)


#: Short texts and names as a broker takes them: any bytes, up to 255.
_short = (st.binary(max_size=12) | st.sampled_from(TEXTS).map(lambda text: text.encode()[:255])).map(
    lambda text: struct.pack(">B", len(text)) + text
)


def _long(content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + content


def _field(members: SearchStrategy[bytes]) -> SearchStrategy[bytes]:
    table = st.lists(st.tuples(_short, members).map(b"".join), max_size=3).map(b"".join).map(_long)
    return st.one_of(
        *(
            st.binary(min_size=size, max_size=size).map(lambda value, kind=kind: kind + value)  # type: ignore[misc]
            for kind, size in ((b"b", 1), (b"B", 1), (b"s", 2), (b"u", 2), (b"I", 4), (b"i", 4), (b"l", 8))
        ),
        *(
            st.binary(min_size=size, max_size=size).map(lambda value, kind=kind: kind + value)  # type: ignore[misc]
            for kind, size in ((b"f", 4), (b"d", 8), (b"D", 5), (b"T", 8))
        ),
        st.sampled_from((b"V", b"t\x00", b"t\x01")),
        st.binary(max_size=12).map(lambda text: b"S" + _long(text)),
        st.binary(max_size=12).map(lambda value: b"x" + _long(value)),
        st.lists(members, max_size=3).map(b"".join).map(lambda array: b"A" + _long(array)),
        table.map(lambda content: b"F" + content),
    )


_fields = st.recursive(st.just(b"V"), _field, max_leaves=6)
_table = st.lists(st.tuples(_short, _fields).map(b"".join), max_size=4).map(b"".join).map(_long)
_octet, _time = st.binary(min_size=1, max_size=1), st.binary(min_size=8, max_size=8)
#: In the order of their bits; a broker takes a number only as the time that a message may wait.
_PROPERTIES = (
    _short, _short, _table, _octet, _octet, _short, _short, st.just(b"\x0260"), _short, _time, _short,
    _short, _short, _short,
)  # fmt: skip


@composite
def generate_properties(draw: DrawFn) -> bytes:
    """Generate the properties of a message as bytes that a broker accepts."""
    flags, values = 0, b""
    for number, strategy in enumerate(_PROPERTIES):
        if draw(st.booleans()):
            flags |= 1 << (15 - number)
            values += draw(strategy)
    return struct.pack(">H", flags) + values
