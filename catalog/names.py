"""Product names: one normal form, and how alike two names are, with the reasons.

String ratios come from RapidFuzz (https://rapidfuzz.github.io/RapidFuzz/).
"""

import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from rapidfuzz import fuzz
from rapidfuzz.distance import JaroWinkler

from catalog import quantities
from catalog.folding import fold, tidy
from catalog.quantities import Quantity

_DIGIT: Final = re.compile(r"\d")
_ROUNDS: Final = 8  # tidying may bring an amount together; no name was seen to need more than 4
_SEPARATORS: Final = re.compile(r"[ .-]+")
_NOT_A_CODE: Final = re.compile(
    r"\d{3,4}[pi]|\d+(?:st|nd|rd|th|s|d|k|x|in\d)|[\d.]{1,4}(?:[x-][\d.]{1,4})+[a-z]{0,2}|[\d.]+"
)
_LONG_NUMBER: Final = re.compile(r"\d{5,}")
_MINOR: Final = frozenset(
    re.findall(
        r"\w+",
        "a an and the of for with in on by to from de la le les el los du des et y e i und mit fur"
        " der die das di da per con pour para en x",
    )
)


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
    def stems(self) -> dict[str, float]:
        """Each different word, plurals without their `s`, and how much it tells."""
        return {stem: _weight(stem) for stem in map(_stem, self.words)}

    @cached_property
    def numbers(self) -> frozenset[str]:
        """The words with a digit."""
        return frozenset(stem for stem in self.stems if _DIGIT.search(stem))

    @cached_property
    def squashed(self) -> str:
        """The text without spaces, points and hyphens."""
        return _SEPARATORS.sub("", self.text)


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


@dataclass(frozen=True)
class NameFeatures:
    """What two names have in common; each is symmetric in the two.

    Attributes:
        token_set: RapidFuzz token set ratio, 0 to 1.
        partial: RapidFuzz partial ratio, 0 to 1: the best place of the shorter in the longer.
        jaro_winkler: Jaro-Winkler similarity, 0 to 1: equal beginnings count more.
        contained: share of the words of one name that the other holds, the larger of the two
            shares, 0 to 1; long words and words with digits weigh more.
        shared: words in both over words in either, 0 to 1.
        numbers: share of words with digits that are in both, of the side with fewer, 0 to 1;
            -1 when none is, 0 when a side has no such word.
        quantities: 1 amounts agree, -1 some conflict, 0 no kind of amount on both sides.
        codes: 1 a model code is on both sides, -1 both have codes and none is, else 0.
    """

    token_set: float
    partial: float
    jaro_winkler: float
    contained: float
    shared: float
    numbers: float
    quantities: int
    codes: int


@dataclass(frozen=True)
class NameComparison:
    """How alike two names are.

    Attributes:
        similarity: roughly the probability that they name one product, 0 to 1.
        features: what it was made from.
        reasons: short sentences for a person, the weightiest first.
    """

    similarity: float
    features: NameFeatures
    reasons: tuple[str, ...]


def compare_names(left: str | Name, right: str | Name) -> NameComparison:
    """Compares two names; 1 when their normal forms are equal, 0 when a side has no words.

    Normalise a name once to compare it with many.
    """
    left = normalise(left) if isinstance(left, str) else left
    right = normalise(right) if isinstance(right, str) else right
    features = _features(*sorted((left, right), key=lambda name: name.text))
    if not left.text or not right.text:
        return NameComparison(0.0, features, ("no words to compare",))
    if left.text == right.text:
        return NameComparison(1.0, features, ("same name", *_reasons(left, right, features)))
    return NameComparison(_similarity(features), features, _reasons(left, right, features))


def _similarity(f: NameFeatures) -> float:
    """A logistic over the features.

    Weights: fitted on the pooled training pairs of six public sets (four WDC categories,
    Amazon-Google, Abt-Buy; each set weighing the same), L2 penalty, none below zero, rounded.
    """
    logit = (
        -3.9
        + 1.7 * max(0.0, f.token_set - 0.9)
        + 0.73 * f.partial
        + 1.4 * f.jaro_winkler
        + 1.38 * f.contained
        + 1.61 * max(0.0, f.contained - 0.8)
        + 0.39 * f.shared
        + 0.53 * f.numbers
        + 1.5 * f.quantities
        + 2.27 * f.codes
    )
    return 1 / (1 + math.exp(-logit))


def _features(a: Name, b: Name) -> NameFeatures:
    both = a.stems.keys() & b.stems.keys()
    lighter = min(sum(a.stems.values()), sum(b.stems.values()))
    return NameFeatures(
        token_set=fuzz.token_set_ratio(a.text, b.text) / 100,
        partial=fuzz.partial_ratio(a.text, b.text) / 100,
        jaro_winkler=JaroWinkler.similarity(a.text, b.text),
        contained=sum(a.stems[stem] for stem in both) / lighter if lighter else 0.0,
        shared=len(both) / (len(a.stems) + len(b.stems) - len(both) or 1),
        numbers=_numbers(a.numbers, b.numbers),
        quantities=quantities.agreement(a.quantities, b.quantities),
        codes=_codes(a, b),
    )


def _stem(word: str) -> str:
    """A plural without its `s`."""
    return word[:-1] if word[-1] == "s" and len(word) > 3 and word[-2] != "s" else word


def _weight(word: str) -> float:
    """How much a word tells, by its looks: little for `with`, most for `70d`."""
    if word in _MINOR:
        return 0.25
    if _DIGIT.search(word):
        return 1.5
    return 0.5 if len(word) < 3 else min(len(word), 8) / 6


def _numbers(a: frozenset[str], b: frozenset[str]) -> float:
    if not a or not b:
        return 0.0
    return len(a & b) / min(len(a), len(b)) or -1.0


def _codes(a: Name, b: Name) -> int:
    if not a.codes and not b.codes:
        return 0
    if _found(a.codes, b) or _found(b.codes, a):
        return 1
    return -1 if a.codes and b.codes else 0


def _found(codes: Sequence[str], name: Name) -> list[str]:
    """The codes that a name holds, whatever separators either writes: `DCS 855L`, `dcs-855l`."""
    return [code for code in codes if _SEPARATORS.sub("", code) in name.squashed]


def _reasons(left: Name, right: Name, features: NameFeatures) -> tuple[str, ...]:
    reasons = _quantity_reasons(left.quantities, right.quantities)
    if features.codes > 0:
        found = _found(left.codes, right) or _found(right.codes, left)
        reasons.append(f"same model code: {_listed(found)}")
    elif features.codes < 0:
        reasons.append(
            f"different model code: {_listed(left.codes)} against {_listed(right.codes)}"
        )
    of_left = {_stem(word): word for word in left.words if word not in left.codes}
    of_right = {_stem(word): word for word in right.words if word not in right.codes}
    for what, words in (
        ("words in common", [of_left[stem] for stem in of_left if stem in of_right]),
        ("only on the left", [of_left[stem] for stem in of_left if stem not in of_right]),
        ("only on the right", [of_right[stem] for stem in of_right if stem not in of_left]),
    ):
        if words:
            reasons.append(f"{what}: {_listed(words)}")
    return tuple(reasons)


def _quantity_reasons(left: Sequence[Quantity], right: Sequence[Quantity]) -> list[str]:
    reasons = []
    for kind in dict.fromkeys(quantity.kind for quantity in left):
        of_left = [quantity for quantity in left if quantity.kind == kind]
        of_right = [quantity for quantity in right if quantity.kind == kind]
        same = [str(a) for a in of_left if any(a.agrees(b) for b in of_right)]
        if same:
            reasons.append(f"same quantity: {_listed(same)}")
        elif of_right:
            sides = (_listed([str(q) for q in side]) for side in (of_left, of_right))
            reasons.append(f"different quantity: {' against '.join(sides)}")
    return reasons


def _listed(words: Collection[str], most: int = 8) -> str:
    shown = ", ".join(list(words)[:most])
    return shown if len(words) <= most else f"{shown} and {len(words) - most} more"


def _is_code(word: str) -> bool:
    squashed = _SEPARATORS.sub("", word)
    if _LONG_NUMBER.fullmatch(squashed) and "." not in word:
        return True
    if len(squashed) < 4 or squashed.isalpha() or not _DIGIT.search(squashed):
        return False
    return _NOT_A_CODE.fullmatch(word) is None
