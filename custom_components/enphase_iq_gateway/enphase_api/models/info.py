"""Who a gateway is: /info, which needs no token."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self
from xml.etree import ElementTree

from ..exceptions import InvalidAnswerError, UnsupportedFirmwareError

#: Firmware from which on gateways take tokens.
_OLDEST_FIRMWARE = 7

#: What begins a document type, which could hold entities that grow without end.
_DOCUMENT_TYPE = "<!DOCTYPE"

_LONGEST_SERIAL = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Info:
    """A gateway's identity, as it says itself without a login."""

    #: 12 digits; in a recording it may be blanked.
    serial_number: str
    #: Such as "8.2.127", without the leading letter.
    firmware: str
    part_number: str | None = None
    #: Whether the gateway has meters built in ("Envoy-S Metered"); they may still be disabled.
    is_metered: bool | None = None
    #: The gateway's own clock (UTC).
    time: datetime | None = None

    @classmethod
    def from_xml(cls, answer: bytes, path: str = "/info") -> Self:
        """Read the answer of /info.

        Raises InvalidAnswerError where it is no such document.
        """
        no_gateway = InvalidAnswerError(f"{path} did not answer with a gateway's description", path=path)
        try:
            # As text: the encoding that the document names has no say.
            document = answer.decode()
            if _DOCUMENT_TYPE in document:
                raise no_gateway
            root = ElementTree.fromstring(document)  # noqa: S314 - no document type, no entities
        except (UnicodeDecodeError, ElementTree.ParseError) as error:
            raise no_gateway from error
        serial_number = (root.findtext("device/sn") or "").strip()
        software = (root.findtext("device/software") or "").strip()
        if root.tag != "envoy_info" or not software or not 0 < len(serial_number) <= _LONGEST_SERIAL:
            raise no_gateway
        metered = root.findtext("device/imeter")
        time = (root.findtext("time") or "").strip()
        return cls(
            serial_number=serial_number,
            # "D8.2.127": the letter names a release train and says nothing to an owner.
            firmware=re.sub(r"^[A-Za-z]+(?=\d)", "", software),
            part_number=root.findtext("device/pn"),
            is_metered=None if metered is None else metered.strip() == "true",
            time=datetime.fromtimestamp(int(time), UTC) if re.fullmatch(r"\d{1,10}", time) else None,
        )

    @property
    def version(self) -> tuple[int, ...]:
        """The numbers of the firmware's version, to compare with others: (8, 2, 127)."""
        return tuple(int(part) for part in re.findall(r"\d{1,9}", self.firmware))

    def require_tokens(self) -> None:
        """Raise UnsupportedFirmwareError where the firmware is older than 7."""
        major = re.match(r"\d{1,9}", self.firmware)
        if major is None or int(major[0]) < _OLDEST_FIRMWARE:
            raise UnsupportedFirmwareError(self.firmware)
