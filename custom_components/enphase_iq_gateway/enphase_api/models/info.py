"""The identity of a gateway: /info, which needs no token."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self
from xml.etree import ElementTree

from ..exceptions import InvalidAnswerError, UnsupportedFirmwareError
from ..json_values import MAX_DEPTH, is_identifier, is_serial_number

#: The first firmware that accepts tokens.
_OLDEST_FIRMWARE = 7

#: The begin of a document type, whose entities could expand without limit.
_DOCUMENT_TYPE = "<!DOCTYPE"

#: "D8.2.127" or "8.2.127", at most 32 characters.
_FIRMWARE = re.compile(r"[A-Za-z]?([0-9][0-9.]{0,30})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Info:
    """The identity of a gateway, as reported without a login."""

    #: 12 digits.
    serial_number: str
    #: Such as "8.2.127", without the leading letter.
    firmware: str
    part_number: str | None = None
    #: Whether the gateway has meters built in ("Envoy-S Metered"); they may still be disabled.
    is_metered: bool | None = None
    #: The gateway's clock (UTC).
    time: datetime | None = None

    @classmethod
    def from_xml(cls, answer: bytes, path: str = "/info") -> Self:
        """Parse the answer of /info.

        Raises InvalidAnswerError if it is not such a document.
        """
        text_of = _read(answer, path)
        serial_number, part_number, metered, time = map(
            text_of, ("device/sn", "device/pn", "device/imeter", "time")
        )
        firmware = _FIRMWARE.fullmatch(text_of("device/software"))
        if firmware is None or not is_serial_number(serial_number):
            raise _not_gateway_error(path)
        return cls(
            serial_number=serial_number,
            # The letter names a release train, which means nothing to a user.
            firmware=firmware[1],
            part_number=part_number if is_identifier(part_number) else None,
            is_metered={"true": True, "false": False}.get(metered),
            time=datetime.fromtimestamp(int(time), UTC) if re.fullmatch(r"[0-9]{1,10}", time) else None,
        )

    @staticmethod
    def firmware_from_xml(answer: bytes, path: str = "/info") -> str:
        """Parse the firmware only, as of a recording without serial number.

        Raises InvalidAnswerError if it is not such a document.
        """
        if (firmware := _FIRMWARE.fullmatch(_read(answer, path)("device/software"))) is None:
            raise _not_gateway_error(path)
        return firmware[1]

    @property
    def version(self) -> tuple[int, ...]:
        """The version of the firmware as comparable numbers: (8, 2, 127)."""
        return tuple(int(part) for part in re.findall(r"\d{1,9}", self.firmware))

    def require_tokens(self) -> None:
        """Raise UnsupportedFirmwareError if the firmware is older than 7."""
        if self.version < (_OLDEST_FIRMWARE,):
            raise UnsupportedFirmwareError(self.firmware)


def _not_gateway_error(path: str) -> InvalidAnswerError:
    # Without the cause, which could contain untrusted text.
    return InvalidAnswerError(f"{path} did not answer with a gateway's description", path=path)


def _read(answer: bytes, path: str) -> Callable[[str], str]:
    """Return a function that returns the text of an element of the document, "" if there is none."""
    try:
        # As text: the encoding that the document names is ignored.
        document = answer.decode()
        if _DOCUMENT_TYPE in document:
            raise _not_gateway_error(path)
        parser = ElementTree.XMLParser(target=_Tree())  # noqa: S314 - no document type, no entities
        parser.feed(document)
        root: ElementTree.Element = parser.close()
    except (UnicodeDecodeError, ElementTree.ParseError):
        raise _not_gateway_error(path) from None
    if root.tag != "envoy_info":
        raise _not_gateway_error(path)
    return lambda name: (root.findtext(name) or "").strip()


class _Tree(ElementTree.TreeBuilder):
    """Build a document; raise ParseError if it is nested too deeply."""

    def __init__(self) -> None:
        super().__init__()
        self._depth = 0

    def start(self, tag: str, attrs: dict[str, str], /) -> ElementTree.Element:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ElementTree.ParseError("nested too deeply")
        return super().start(tag, attrs)

    def end(self, tag: str, /) -> ElementTree.Element:
        self._depth -= 1
        return super().end(tag)
