"""Opinions on categories as distributions, their weights, and one log-linear pool of several.

The pool is that of Genest and Zidek 1986, "Combining Probability Distributions: A Critique and an
Annotated Bibliography" (https://doi.org/10.1214/ss/1177013825).
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from catalog.errors import InvalidRequest

Floats = NDArray[np.float64]

# Fields of `CategoriseWeights` that are no number.
_BY_PARTS: Final = ("learnt", "certain")


@dataclass(frozen=True)
class CategoriseWeights:
    """How the parts are weighed; see `catalog.categorise` for the formula.

    The defaults were chosen for log loss and top-1 on products set aside from the training part of
    a fashion shop: photo, poor name, full name, photo with each, and categories that the
    classifier had never seen.

    Attributes:
        classifier, image, name: exponents of the three parts, 0 or more.
        image_floor, name_floor: similarity at which a neighbour says as much as none at all.
        image_temperature, name_temperature: a neighbour nearer by this much counts e times more.
        novel: what the classifier is taken to say of a category it does not know and of which
            no photo is near, over 0.
        novel_lead: added to the prototype similarity of such a category of one photo: its mean is
            far from that of the others, and the embedding never learnt to tell them apart. Of more
            photos it is less, by their logarithm, and of ``novel_enough`` it is nothing.
        novel_enough: photos near by from which such a category's mean is as good as any.
        novel_temperature: a category that is nearer by this much counts e times more.
        smoothing: share of each part that is spread over all categories, over 0.
        words, words_floor, words_temperature: the same three for the words of the product's name
            against those of the category paths.
        suggester, suggester_alone: exponents of what the shop's own names say of a name, beside a
            photo and without one.
        little: a classifier whose best probability is below this says little.
        learnt: exponents of a shop's own, by which parts are there (`together`), then by part; for
            other combinations those above hold.
        certain: by which parts are there, pairs of a precision and the probability from which
            answers had it on photos left out, ascending.
    """

    classifier: float = 0.6
    image: float = 0.35
    name: float = 0.4
    image_floor: float = 0.4
    image_temperature: float = 0.045
    name_floor: float = 0.2
    name_temperature: float = 0.2
    novel: float = 0.4
    novel_lead: float = 0.2
    novel_enough: float = 10.0
    novel_temperature: float = 0.09
    smoothing: float = 0.002
    little: float = 0.3
    words: float = 0.5
    words_floor: float = 0.4
    words_temperature: float = 0.1
    suggester: float = 0.5
    suggester_alone: float = 1.0
    learnt: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    certain: Mapping[str, Sequence[tuple[float, float]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        positive = (
            "image_temperature",
            "name_temperature",
            "words_temperature",
            "novel",
            "novel_temperature",
            "smoothing",
        )
        own = {name: value for name, value in vars(self).items() if name not in _BY_PARTS}
        for parts, exponents in self.learnt.items():
            if together(exponents) != parts:
                raise InvalidRequest(
                    f"The exponents learnt are of {together(exponents)}.", where=f"learnt.{parts}"
                )
            own |= {f"learnt.{parts}.{part}": value for part, value in exponents.items()}
        for parts, pairs in self.certain.items():
            own |= {f"certain.{parts}": value for pair in pairs for value in pair}
        if not self.novel_enough > 1:
            raise InvalidRequest(
                f"A weight of categorising is {self.novel_enough}.",
                where="novel_enough",
                fix="Give a number over 1.",
            )
        for name, value in own.items():
            if not 0 <= value < np.inf or (name in positive and value == 0):
                raise InvalidRequest(
                    f"A weight of categorising is {value}.",
                    where=name,
                    fix=f"Give a finite number, {'over' if name in positive else 'from'} 0.",
                )

    def exponents(self, parts: Collection[str]) -> dict[str, float]:
        """The exponent of each part that is there.

        Those learnt for just these parts, or for most of them, with the defaults for the rest.
        Where none of them was learnt, the classifier, the photos and the names are scaled by
        sqrt(sum of all three exponents / sum of those there): an absent part hands some of its
        weight on.
        """
        known = self._learnt_of(parts)
        if known is not None:
            learnt = self.learnt[known]
            return {part: learnt.get(part, getattr(self, part)) for part in parts}
        three = ("classifier", "image", "name")
        there = sum(getattr(self, part) for part in three if part in parts)
        scale = math.sqrt((self.classifier + self.image + self.name) / there) if there else 1.0
        return {part: getattr(self, part) * (scale if part in three else 1.0) for part in parts}

    def certainty(self, parts: Collection[str], precision: float) -> float:
        """The probability from which answers are right so often, by the parts that are there.

        Where that was not learnt it is the precision itself, as if no answer were likelier right
        than the least likely of those taken, and no less than what lower precisions ask for.
        """
        known = self._learnt_of(parts)
        thresholds = self.certain.get(known or "", ())
        for had, threshold in thresholds:
            if had >= precision:
                return threshold
        return max(precision, *(threshold for _, threshold in thresholds), 0.0)

    def _learnt_of(self, parts: Collection[str]) -> str | None:
        """What was learnt for just these parts, or for most of them."""
        subsets = [name for name, own in self.learnt.items() if own.keys() <= set(parts)]
        return max(subsets, key=lambda name: len(self.learnt[name]), default=None)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values that `from_json` reads back as equal weights."""
        learnt = {key: dict(own) for key, own in self.learnt.items()}
        certain = {key: [list(pair) for pair in pairs] for key, pairs in self.certain.items()}
        return {**vars(self), "learnt": learnt, "certain": certain}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "CategoriseWeights":
        """Reads what `to_json` wrote; a missing field takes its default.

        Raises:
            InvalidRequest: a field is unknown, not a number or out of its range.
        """
        try:
            own = {name: float(value) for name, value in data.items() if name not in _BY_PARTS}
            learnt = {
                str(parts): {str(part): float(value) for part, value in exponents.items()}
                for parts, exponents in data.get("learnt", {}).items()
            }
            certain = {
                str(parts): tuple((float(had), float(threshold)) for had, threshold in pairs)
                for parts, pairs in data.get("certain", {}).items()
            }
            return cls(**own, learnt=learnt, certain=certain)
        except (AttributeError, TypeError, ValueError) as error:
            raise InvalidRequest(
                f"The weights of categorising cannot be read: {error}.",
                where="categorise weights",
                fix="Write them with CategoriseWeights.to_json.",
            ) from error


def together(parts: Collection[str]) -> str:
    """What a combination of parts is called in `CategoriseWeights.learnt`."""
    return "+".join(sorted(parts))


def with_novel(
    class_probabilities: Mapping[str, float],
    prototypes: Mapping[str, tuple[float, int]],
    familiarity: float | None,
    paths: Sequence[str],
    weights: CategoriseWeights,
) -> Floats:
    """What the classifier says of every path, with those it does not know beside its classes.

    A softmax over prototype similarities (Snell et al. 2017, arXiv:1703.05175) shares the photo out
    between the classes together, at the nearest prototype of any, and each novel category; the
    classifier then divides the first share. So a class gives nothing to its own kind's neighbours.

    Args:
        class_probabilities: class -> probability.
        prototypes: category -> cosine to the mean of its photos near the photo, and how many these
            are.
        familiarity: cosine to the nearest prototype the classifier learnt from, or None.
        paths: classes and novel categories.

    Returns:
        float64 [len(paths)]; need not sum to 1.
    """
    novel = {
        path: near + _lead(photos, weights)
        for path, (near, photos) in prototypes.items()
        if path not in class_probabilities
    }
    seen = [near for path, (near, _) in prototypes.items() if path in class_probabilities]
    if familiarity is not None:
        seen.append(familiarity)
    shares = dict.fromkeys(paths, weights.novel)
    whole = 1.0
    if seen and novel:
        odds = loudness(list(novel.values()), max(seen), weights.novel_temperature)
        whole += float(odds.sum())
        shares |= dict(zip(novel, (odds / whole).tolist(), strict=True))
    shares |= {path: share / whole for path, share in class_probabilities.items()}
    return np.array([shares[path] for path in paths])


def _lead(photos: int, weights: CategoriseWeights) -> float:
    share = 1 - math.log(photos) / math.log(weights.novel_enough)
    return weights.novel_lead * max(0.0, share)


def tally(voters: Sequence[str], counts: Floats, paths: Sequence[str]) -> Floats:
    """Adds up the counts of each path: float64 [len(paths)]; every voter is one of the paths."""
    places = {path: place for place, path in enumerate(paths)}
    sums = np.zeros(len(paths))
    np.add.at(sums, [places[voter] for voter in voters], counts)
    return sums


def loudness(similarities: Sequence[float], floor: float, temperature: float) -> Floats:
    """How much each neighbour counts: 1 at the floor, e times more for each `temperature` above."""
    counts: Floats = np.exp(np.clip((np.array(similarities) - floor) / temperature, -500, 500))
    return counts


def vote(voters: Sequence[str], counts: Floats, paths: Sequence[str]) -> Floats:
    """The voters' distribution over paths, with one vote more that is spread over all paths.

    So it is flat while every voter is far below a count of 1.
    """
    votes: Floats = (tally(voters, counts, paths) + 1 / len(paths)) / (counts.sum() + 1)
    return votes


def pool(
    parts: Mapping[str, Floats], exponents: Mapping[str, float], smoothing: float, size: int
) -> Floats:
    """One distribution over `size` paths, from distributions and their exponents.

    Args:
        parts: each float64 [size]; need not sum to 1.
        exponents: of each part.
        smoothing: share of each part that is spread evenly, over 0, so that none can veto.

    Returns:
        float64 [size], sums to 1; flat without parts.
    """
    logs = np.zeros(size)
    for name, part in parts.items():
        logs += exponents[name] * log_smoothed(part, smoothing)
    pooled = np.exp(logs - logs.max())
    return np.asarray(pooled / pooled.sum(), dtype=np.float64)


def log_smoothed(part: Floats, smoothing: float) -> Floats:
    """Logarithm of a distribution over the last axis, mixed with a flat one."""
    shares = part / part.sum(axis=-1, keepdims=True)
    return np.asarray(np.log((1 - smoothing) * shares + smoothing / part.shape[-1]))
