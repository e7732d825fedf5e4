"""The technical words of the catalogue: a text of others may name a person, place or device."""

from __future__ import annotations

import re
from functools import cache, lru_cache

from .catalogue import load_catalogue

#: Words of states, tariffs and placeholders that no entry has; the last are currencies.
_MORE = (
    "agf all app apply boot charge com cond ctrl dark day discharge done dwn encharge enchg energy "
    "ensemble example executing failed failure fault filler flags from global grid hidden host idle "
    "invalid load long lost low manual name net none null obs okay owner pcu pending period prioritize "
    "prop pwr ready rel rootfs schedule season serial shed soc standby strs success summer text "
    "undetermined unknown valid warn weekday weekdays weekend winter word year zero "
    "aud brl cad chf czk dkk eur gbp huf inr jpy mxn nok nzd pln ron sek usd zar"
)
#: Such as w, mw, r01: too short for a name.
_SHORT = 2
_LETTERS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_TOKEN = re.compile(r"[A-Za-z0-9]+")
_CHANGE = re.compile(r"(?<=[0-9])(?=[A-Za-z])|(?<=[A-Za-z])(?=[0-9])")
#: Changes between letters and digits in a token: 520, r01 and c2d606 have few, keys and passwords many.
_MAX_CHANGES = 3
#: Longer numbers identify somebody, such as those of telephones.
_LONG_NUMBER = re.compile(r"\d{7,}")
_NUMBER_AFTER_WORD = re.compile(r"[A-Za-z]{3}.*\d{3}|\d{3}.*[A-Za-z]{3}")
_HEXADECIMAL = re.compile(r"0x[0-9A-Fa-f]+")
#: A number as precise as a coordinate.
_COORDINATE = re.compile(r"\d\.\d{4}")
_PRIVATE_NUMBER = re.compile(r"[+-]?(?:\d{7,}|\d{1,3}\.\d{4,})")
#: Dutch, British and Canadian ones; others are numbers, known by the name of their field.
_POSTCODE = re.compile(r"\d{4} ?(?!VA)[A-Z]{2}|[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}|[A-Z]\d[A-Z] ?\d[A-Z]\d")


@lru_cache(maxsize=4096)
def is_technical(text: str, *, strict: bool) -> bool:
    """Whether a text consists of words of the catalogue, and of numbers that identify nobody.

    `strict`: nothing is known about its field, so that a word with a number may be a name, too.
    """
    if _HEXADECIMAL.fullmatch(text):
        return True
    if strict and (_LONG_NUMBER.search(text) or _NUMBER_AFTER_WORD.search(text) or _COORDINATE.search(text)):
        return False
    if any(len(_CHANGE.findall(token)) > _MAX_CHANGES for token in _TOKEN.findall(text)):
        return False
    return all(len(word) <= _SHORT or _is_known(word.lower()) for word in _LETTERS.findall(text))


def has_private_form(text: str) -> bool:
    """Whether a text without a unit has the form of a telephone number, a coordinate or a postcode."""
    return any(form.fullmatch(text) for form in (_PRIVATE_NUMBER, _POSTCODE))


def _is_known(word: str) -> bool:
    return not {word, word.removesuffix("s")}.isdisjoint(_load_words())


@cache
def _load_words() -> frozenset[str]:
    texts = [_MORE]
    for endpoint in load_catalogue():
        texts += [endpoint.path, endpoint.description]
        for path, fields in endpoint.fields.items():
            texts.append(path)
            for name, field in fields.items():
                texts += [name, field.meaning, *field.values]
    return frozenset(word.lower() for text in texts for word in _LETTERS.findall(text))
