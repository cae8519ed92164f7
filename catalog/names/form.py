"""Product names in one normal form."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from catalog.names import quantities
from catalog.names.folding import fold, tidy
from catalog.names.quantities import Quantity

DIGIT: Final = re.compile(r"\d")
_ROUNDS: Final = 8  # tidying may bring an amount together; no name was seen to need more than 4
_SEPARATORS: Final = re.compile(r"[ .-]+")
_NOT_A_CODE: Final = re.compile(
    r"\d{3,4}[pi]|\d+(?:st|nd|rd|th|s|d|k|x|in\d)|[\d.]{1,4}(?:[x-][\d.]{1,4})+[a-z]{0,2}|[\d.]+"
)
_LONG_NUMBER: Final = re.compile(r"\d{5,}")


@dataclass(frozen=True)
class Name:
    """A product name in normal form.

    Attributes:
        text: folded words and amounts, single spaces between; normalising it again changes nothing.
        words: the words of `text` in order, without the amounts.
        quantities: the amounts, in base units.
        codes: words that look like a model or article number, such as `dcs-855l`.
    """

    text: str
    words: tuple[str, ...]
    quantities: tuple[Quantity, ...]
    codes: tuple[str, ...]

    @cached_property
    def stems(self) -> tuple[str, ...]:
        """The different words without the amounts, plurals without their `s`."""
        return tuple(dict.fromkeys(map(stem, self.words)))

    @cached_property
    def terms(self) -> tuple[str, ...]:
        """Every word and amount of the text in order, plurals without their `s`."""
        return tuple(map(stem, self.text.split()))

    @cached_property
    def squashed(self) -> str:
        """The text without spaces, points and hyphens."""
        return squash(self.text)


def normalise(name: str) -> Name:
    """Brings a name to its normal form; takes any string and never raises.

    Case, accents on Latin and Greek letters, punctuation, decimal commas and spellings of units
    go; other scripts stay. Only the first `folding.MAX_LENGTH` characters are read.
    """
    text = fold(name)
    for _ in range(_ROUNDS):
        before, text = text, tidy(quantities.rewrite(text))
        if text == before:
            break
    words, amounts = quantities.parse(text.split())
    return Name(text, words, amounts, tuple(dict.fromkeys(filter(_is_code, words))))


def stem(word: str) -> str:
    """A plural without its `s`."""
    return word[:-1] if word[-1] == "s" and len(word) > 3 and word[-2] != "s" else word


def squash(text: str) -> str:
    """Without spaces, points and hyphens, which one shop writes and the next leaves out."""
    return _SEPARATORS.sub("", text)


def found_codes(codes: Sequence[str], name: Name) -> list[str]:
    """The codes that a name holds, whatever separators either writes: `DCS 855L`, `dcs-855l`."""
    return [code for code in codes if squash(code) in name.squashed]


def _is_code(word: str) -> bool:
    squashed = squash(word)
    if _LONG_NUMBER.fullmatch(squashed) and "." not in word:
        return True
    if len(squashed) < 4 or squashed.isalpha() or not DIGIT.search(squashed):
        return False
    return _NOT_A_CODE.fullmatch(word) is None
