"""How probably two names are of one product: a model of what they have in common."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import chain
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from catalog.errors import InvalidRequest
from catalog.names.common import NamePair, PairFeatures, Profile, name_pair, profile
from catalog.names.form import Name, normalise
from catalog.names.reasons import reasons
from catalog.names.words import NO_STATISTICS, WordStatistics

# About 8 kB each for names of ten words.
_PROFILES: Final = 4_096


@dataclass(frozen=True)
class NameComparison:
    """How alike two names are.

    Attributes:
        left, right: the names.
        similarity: the probability that they name one product, 0 to 1; None where a side has no
            words, which says nothing.
        features: what it was made from.
    """

    left: Name
    right: Name
    similarity: float | None
    features: PairFeatures

    @property
    def conflict(self) -> bool:
        """Whether they state different amounts."""
        return self.features.quantities < 0

    @property
    def reasons(self) -> tuple[str, ...]:
        """Short sentences for a person, the weightiest first."""
        if self.similarity is None:
            return ("no words to compare",)
        same = ("same name",) if self.left.text == self.right.text else ()
        return (*same, *reasons(self.left, self.right))


@dataclass(frozen=True)
class NameModel:
    """A logistic regression over the features of a pair and its words, and boosted trees beside it.

    logit = bias + sum of weight * feature + sum of shared[word] over the words of both names
            + sum of apart[word] over those of one + trees_share * trees(features)

    Attributes:
        bias: of the logit.
        features: weight of each of `PairFeatures`.
        shared, apart: weights of words, by stem; others weigh nothing.
        trees: a LightGBM model as its text, over `PairFeatures`, or None.
        trees_share: what its raw score is multiplied by.
        statistics: of the names that words are weighed by.
        equal_is_same: whether names of one normal form are taken for one product, whatever the
            logit; where pairs were learnt from, they say so themselves.
    """

    bias: float
    features: Mapping[str, float]
    shared: Mapping[str, float] = field(default_factory=dict)
    apart: Mapping[str, float] = field(default_factory=dict)
    trees: str | None = None
    trees_share: float = 0.0
    statistics: WordStatistics = NO_STATISTICS
    equal_is_same: bool = True

    def __post_init__(self) -> None:
        if set(self.features) != set(PairFeatures._fields):
            raise InvalidRequest(
                "The weights of the name model are not those of its features.",
                where="features",
                fix=f"Give a weight for each of {', '.join(PairFeatures._fields)}.",
            )
        weights = (one.values() for one in (self.features, self.shared, self.apart))
        numbers = [self.bias, self.trees_share, *chain.from_iterable(weights)]
        if not all(isinstance(one, (int, float)) and math.isfinite(one) for one in numbers):
            raise InvalidRequest("A weight of the name model is no finite number.", where="bias")

    def compare(self, left: str | Name, right: str | Name) -> NameComparison:
        """Compare two names."""
        (found,) = self.compare_all(left, [right])
        return found

    def compare_all(self, asked: str | Name, names: Sequence[str | Name]) -> list[NameComparison]:
        """Compare one name with each of several."""
        one = profile(normalise(asked) if isinstance(asked, str) else asked, self.statistics)
        others = [self._profile(name) for name in names]
        pairs = [name_pair(one, other) for other in others]
        return [
            NameComparison(
                one.name,
                other.name,
                self._similarity(one.name, other.name, logit),
                pair.features,
            )
            for other, pair, logit in zip(others, pairs, self.logits(pairs).tolist(), strict=True)
        ]

    def logits(self, pairs: Sequence[NamePair]) -> NDArray[np.float64]:
        """Log odds that each pair names one product, float64 [N]."""
        if not pairs:
            return np.zeros(0)
        features = np.array([pair.features for pair in pairs], np.float64)
        found: NDArray[np.float64] = self.bias + features @ self._weights
        found += [
            sum(self.shared.get(word, 0.0) for word in pair.shared)
            + sum(self.apart.get(word, 0.0) for word in pair.apart)
            for pair in pairs
        ]
        if self.trees is not None:
            raw = self._booster.predict(features, raw_score=True, num_threads=1)
            found += self.trees_share * np.asarray(raw)
        return np.clip(found, -50, 50)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values that `from_json` reads back as an equal model."""
        return {
            "bias": self.bias,
            "features": dict(self.features),
            "shared": dict(self.shared),
            "apart": dict(self.apart),
            "trees": self.trees,
            "trees_share": self.trees_share,
            "statistics": self.statistics.to_json(),
            "equal_is_same": self.equal_is_same,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Reads what `to_json` wrote.

        Raises:
            InvalidRequest: a field is missing, unknown or not what it should be.
        """
        try:
            return cls(**{**data, "statistics": WordStatistics.from_json(data["statistics"])})
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise InvalidRequest(
                f"The name model cannot be read: {error!r}.",
                where="name model",
                fix="Write it with NameModel.to_json.",
            ) from error

    @cached_property
    def _weights(self) -> NDArray[np.float64]:
        return np.array([self.features[name] for name in PairFeatures._fields])

    @cached_property
    def _booster(self) -> Any:
        from lightgbm import Booster  # takes a second

        return Booster(model_str=self.trees)

    @cached_property
    def _profiles(self) -> Callable[[str], Profile]:
        """Profiles of names as they were written; a catalog's come again with every search."""
        statistics = self.statistics  # and not self, which the cache would keep alive
        return lru_cache(_PROFILES)(lambda name: profile(normalise(name), statistics))

    def _profile(self, name: str | Name) -> Profile:
        return self._profiles(name) if isinstance(name, str) else profile(name, self.statistics)

    def _similarity(self, left: Name, right: Name, log_odds: float) -> float | None:
        if not left.text or not right.text:
            return None
        if self.equal_is_same and left.text == right.text:
            return 1.0
        return 1 / (1 + math.exp(-log_odds))
