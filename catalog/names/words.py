"""How much a word of a name tells, by its looks and by how many of the shop's names hold it."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from catalog.names.form import DIGIT, Name

# Names that the guess from looks counts for.
_LOOKS_COUNT: Final = 100
# From a word's looks to the logarithm of how rare such words are.
_LOOKS_SCALE: Final = 4.0
# A word that is in one name of 3,000 tells as much as a word can.
_MOST: Final = 8.0
_MINOR: Final = frozenset(
    re.findall(
        r"\w+",
        "a an and the of for with in on by to from de la le les el los du des et y e i und mit fur"
        " der die das di da per con pour para en x",
    )
)


@dataclass(frozen=True)
class WordStatistics:
    """In how many names of a shop each word and each three letters occur.

    Attributes:
        names: how many were counted; with none, words are weighed by their looks.
        words: names that hold a stem or an amount; those of a single name are left out.
        grams: names that hold three letters in a row; likewise.
    """

    names: int = 0
    words: Mapping[str, int] = field(default_factory=dict)
    grams: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, names: Iterable[Name]) -> Self:
        """Count."""
        count, words, grams = 0, Counter[str](), Counter[str]()
        for name in names:
            count += 1
            words.update(set(name.terms))
            grams.update(set(trigrams(name.text)))
        return cls(
            count,
            {word: held for word, held in words.items() if held > 1},
            {gram: held for gram, held in grams.items() if held > 1},
        )

    def weight(self, stem: str) -> float:
        """Logarithm of how rare names with this word are, at most 8; see `looks` for the prior."""
        prior = math.exp(-_LOOKS_SCALE * looks(stem))
        held = self.words.get(stem, 0)
        odds = (held + _LOOKS_COUNT * prior) / (self.names + _LOOKS_COUNT)
        return min(-math.log(odds), _MOST)

    def gram_weight(self, gram: str) -> float:
        """The same of three letters; 1 where no names were counted."""
        if not self.names:
            return 1.0
        return min(math.log((self.names + 1) / (self.grams.get(gram, 0) + 1)), _MOST)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values that `from_json` reads back as equal statistics."""
        return {"names": self.names, "words": dict(self.words), "grams": dict(self.grams)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Reads what `to_json` wrote.

        Raises:
            KeyError, TypeError, ValueError: it is something else.
        """
        words, grams = (
            {str(key): int(held) for key, held in data[field].items()}
            for field in ("words", "grams")
        )
        if (names := int(data["names"])) < 0:
            raise ValueError(f"names is {names}")
        return cls(names, words, grams)


NO_STATISTICS: Final = WordStatistics()


def looks(word: str) -> float:
    """How much a word tells, by its looks: 0.25 for `with`, 1.5 for `70d`."""
    if word in _MINOR:
        return 0.25
    if DIGIT.search(word):
        return 1.5
    return 0.5 if len(word) < 3 else min(len(word), 8) / 6


def trigrams(text: str) -> list[str]:
    """Three letters in a row, a space before and after the text among them."""
    padded = f" {text} "
    return [padded[place : place + 3] for place in range(len(padded) - 2)]
