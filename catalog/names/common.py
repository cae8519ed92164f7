"""What two names have in common, in numbers and in words.

String ratios come from RapidFuzz (https://rapidfuzz.github.io/RapidFuzz/); the soft likeness of
words that only one side has is that of Monge and Elkan 1996, "The Field Matching Problem".
"""

import math
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz, process
from rapidfuzz.distance import JaroWinkler, Levenshtein

from catalog.names import quantities
from catalog.names.form import DIGIT, Name, found_codes, squash
from catalog.names.words import WordStatistics, trigrams

# Neighbouring words that another name may write as one.
_LONGEST_RUN: Final = 3
# Letters of a word with a digit that a longer one of the other name may hold.
_CODE: Final = 4


@dataclass(frozen=True)
class Profile:
    """A name and what its words tell; made once, it is compared with many.

    Attributes:
        name: in normal form.
        words: weight of each stem, amounts among them.
        grams: TF-IDF vector of its three-letter pieces, of unit length.
    """

    name: Name
    words: Mapping[str, float]
    grams: Mapping[str, float]

    @cached_property
    def length(self) -> float:
        """Euclidean norm of the words' weights."""
        return math.sqrt(sum(weight * weight for weight in self.words.values()))

    @cached_property
    def total(self) -> float:
        """Sum of the words' weights."""
        return sum(self.words.values())

    @cached_property
    def numbers(self) -> frozenset[str]:
        """The words with a digit."""
        return frozenset(word for word in self.words if DIGIT.search(word))

    @cached_property
    def squashed(self) -> frozenset[str]:
        """The words without points and hyphens."""
        return frozenset(map(squash, self.words))

    @cached_property
    def runs(self) -> Mapping[str, tuple[str, ...]]:
        """Two or three neighbouring words written as one, and which these are."""
        terms = self.name.terms
        return {
            squash("".join(terms[place : place + length])): terms[place : place + length]
            for length in range(2, _LONGEST_RUN + 1)
            for place in range(len(terms) - length + 1)
        }

    @cached_property
    def neighbours(self) -> frozenset[tuple[str, str]]:
        """Words that stand side by side."""
        return frozenset(pairwise(self.name.terms))


def profile(name: Name, statistics: WordStatistics) -> Profile:
    """Weigh a name's words by how many of the shop's names hold them."""
    words = {term: statistics.weight(term) for term in name.terms}
    grams = {
        gram: (1 + math.log(count)) * statistics.gram_weight(gram)
        for gram, count in Counter(trigrams(name.text)).items()
    }
    norm = math.sqrt(sum(weight * weight for weight in grams.values())) or 1.0
    return Profile(name, words, {gram: weight / norm for gram, weight in grams.items()})


class PairFeatures(NamedTuple):
    """What two names have in common; each is symmetric in the two.

    A word counts as held by the other side also where that writes it joined or apart. `least` and
    `most` are the smaller and the larger of the two sides.

    Attributes:
        covered_least, covered_most: weight of a side's words that the other holds, of all its
            words, 0 to 1.
        apart_least, apart_most: weight of the heaviest word that the other side does not hold.
        all_apart_least, all_apart_most: weight of all such words.
        shared_first, shared_second: weights of the two heaviest words of both sides.
        word_cosine, gram_cosine: of the TF-IDF vectors of words and of three letters, 0 to 1.
        shared_numbers: weight of the words with a digit that both hold.
        numbers_apart_least, numbers_apart_most: weight of those that the other does not hold.
        numbers_alike: the best Levenshtein similarity of two of them, 0 to 1; 0 without any.
        codes_shared: different model codes that both hold.
        longest_code: letters of the longest of these.
        codes_apart: model codes that the other does not hold, of the side with fewer of them.
        quantities: 1 amounts agree, -1 some conflict, 0 no kind of amount on both sides.
        ratio, partial, token_set: RapidFuzz's ratios, 0 to 1.
        jaro_winkler: Jaro-Winkler similarity, 0 to 1: equal beginnings count more.
        alike_least, alike_most: how alike a side's words that the other does not hold are to some
            word of the other's, mean by weight, 0 to 1; 1 without such words.
        shared_pairs: neighbouring words that both hold, of the side with fewer, 0 to 1.
    """

    covered_least: float
    covered_most: float
    apart_least: float
    apart_most: float
    all_apart_least: float
    all_apart_most: float
    shared_first: float
    shared_second: float
    word_cosine: float
    gram_cosine: float
    shared_numbers: float
    numbers_apart_least: float
    numbers_apart_most: float
    numbers_alike: float
    codes_shared: float
    longest_code: float
    codes_apart: float
    quantities: float
    ratio: float
    partial: float
    token_set: float
    jaro_winkler: float
    alike_least: float
    alike_most: float
    shared_pairs: float


@dataclass(frozen=True)
class NamePair:
    """Two names side by side; the same whichever is left.

    Attributes:
        features: in numbers.
        shared: stems on both sides.
        apart: stems of either side that the other does not hold.
    """

    features: PairFeatures
    shared: tuple[str, ...]
    apart: tuple[str, ...]


def name_pair(left: Profile, right: Profile) -> NamePair:
    """Set two names side by side."""
    a, b = sorted((left, right), key=lambda one: one.name.text)
    shared = tuple(word for word in a.words if word in b.words)
    alike = _alike(a, b)
    sides = _Side(a, b, alike), _Side(b, a, alike.T)
    heaviest = [*sorted((a.words[word] for word in shared), reverse=True)[:2], 0.0, 0.0]
    covered = sorted(side.covered for side in sides)
    apart = sorted(max(side.apart.values(), default=0.0) for side in sides)
    all_apart = sorted(sum(side.apart.values()) for side in sides)
    numbers_apart = sorted(sum(side.numbers.values()) for side in sides)
    codes = {squash(code) for side in sides for code in side.found}
    alikes = sorted(side.alike for side in sides)
    features = PairFeatures(
        covered_least=covered[0],
        covered_most=covered[1],
        apart_least=apart[0],
        apart_most=apart[1],
        all_apart_least=all_apart[0],
        all_apart_most=all_apart[1],
        shared_first=heaviest[0],
        shared_second=heaviest[1],
        word_cosine=sum(a.words[word] ** 2 for word in shared) / (a.length * b.length or 1.0),
        gram_cosine=sum(weight * b.grams.get(gram, 0.0) for gram, weight in a.grams.items()),
        shared_numbers=sum(a.words[word] for word in a.words if word in b.numbers),
        numbers_apart_least=numbers_apart[0],
        numbers_apart_most=numbers_apart[1],
        numbers_alike=_numbers_alike(sides[0].numbers, sides[1].numbers),
        codes_shared=len(codes),
        longest_code=max(map(len, codes), default=0),
        codes_apart=min(len(side.here.name.codes) - len(side.found) for side in sides),
        quantities=quantities.agreement(a.name.quantities, b.name.quantities),
        ratio=fuzz.ratio(a.name.text, b.name.text) / 100,
        partial=fuzz.partial_ratio(a.name.text, b.name.text) / 100,
        token_set=fuzz.token_set_ratio(a.name.text, b.name.text) / 100,
        jaro_winkler=JaroWinkler.similarity(a.name.text, b.name.text),
        alike_least=alikes[0],
        alike_most=alikes[1],
        shared_pairs=len(a.neighbours & b.neighbours)
        / (min(len(a.neighbours), len(b.neighbours)) or 1),
    )
    return NamePair(features, shared, (*sides[0].apart, *sides[1].apart))


class _Side:
    """One side's words as the other sees them; ``alike`` is float32 [words here, words there]."""

    def __init__(self, here: Profile, there: Profile, alike: NDArray[np.float32]) -> None:
        self.here = here
        self.there = there
        self.apart = {
            word: weight for word, weight in here.words.items() if word not in there.words
        }
        if self.apart:
            for word in self._written_otherwise():
                self.apart.pop(word, None)
        self.numbers = {word: self.apart[word] for word in here.numbers & self.apart.keys()}
        self.found = found_codes(here.name.codes, there.name)
        self._alike = alike

    @property
    def covered(self) -> float:
        return 1 - sum(self.apart.values()) / (self.here.total or 1.0)

    @property
    def alike(self) -> float:
        if not self.apart:
            return 1.0
        if not self.there.words:
            return 0.0
        weights = np.array([self.apart.get(word, 0.0) for word in self.here.words])
        return float(self._alike.max(axis=1) @ weights / weights.sum())

    def _written_otherwise(self) -> list[str]:
        """Words that the other side writes apart, joined, or with other points and hyphens."""
        there = self.there
        found = [
            word
            for word in self.apart
            if (squashed := squash(word)) in there.squashed
            or squashed in there.runs
            or (word in self.here.numbers and len(squashed) >= _CODE and _within(squashed, there))
        ]
        for joined, words in self.here.runs.items():
            if joined in there.squashed:
                found += words
        return found


def _within(squashed: str, there: Profile) -> bool:
    """Whether a number is part of one of the other's: `lds4821` in `lds4821ww`."""
    return any(squashed in other for other in there.squashed)


def _alike(left: Profile, right: Profile) -> NDArray[np.float32]:
    """How alike the spellings of their words are, float32 [words left, words right]."""
    if not left.words or not right.words:
        return np.zeros((len(left.words), len(right.words)), np.float32)
    found: NDArray[np.float32] = process.cdist(
        list(left.words), list(right.words), scorer=JaroWinkler.similarity, dtype=np.float32
    )
    return found


def _numbers_alike(left: Collection[str], right: Collection[str]) -> float:
    if not left or not right:
        return 0.0
    scorer = Levenshtein.normalized_similarity
    return float(process.cdist(list(left), list(right), scorer=scorer).max())
