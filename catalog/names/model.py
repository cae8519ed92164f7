"""How probably two names are of one product: a model of what they have in common."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from catalog.errors import InvalidRequest
from catalog.names.form import Name, normalise
from catalog.names.pairs import NamePair, PairFeatures, Profile, name_pair, profile
from catalog.names.reasons import reasons
from catalog.names.words import NO_STATISTICS, WordStatistics

_PROFILES: Final = 65_536


@dataclass(frozen=True)
class NameComparison:
    """How alike two names are.

    Attributes:
        similarity: the probability that they name one product, 0 to 1.
        features: what it was made from.
        reasons: short sentences for a person, the weightiest first.
    """

    similarity: float
    features: PairFeatures
    reasons: tuple[str, ...]


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
    """

    bias: float
    features: Mapping[str, float]
    shared: Mapping[str, float] = field(default_factory=dict)
    apart: Mapping[str, float] = field(default_factory=dict)
    trees: str | None = None
    trees_share: float = 0.0
    statistics: WordStatistics = NO_STATISTICS

    def __post_init__(self) -> None:
        if set(self.features) != set(PairFeatures._fields):
            raise InvalidRequest(
                "The weights of the name model are not those of its features.",
                where="features",
                fix=f"Give a weight for each of {', '.join(PairFeatures._fields)}.",
            )

    def compare(self, left: str | Name, right: str | Name) -> NameComparison:
        """Compare two names; 1 when their normal forms are equal, 0 when a side has no words."""
        (found,) = self.compare_all(left, [right])
        return found

    def compare_all(self, asked: str | Name, names: Sequence[str | Name]) -> list[NameComparison]:
        """Compare one name with each of several."""
        one = self._profile(asked)
        others = [self._profile(name) for name in names]
        pairs = [name_pair(one, other) for other in others]
        similarities = 1 / (1 + np.exp(-self.logits(pairs)))
        return [
            _comparison(one.name, other.name, pair.features, float(similarity))
            for other, pair, similarity in zip(others, pairs, similarities, strict=True)
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
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Reads what `to_json` wrote.

        Raises:
            InvalidRequest: a field is missing, unknown or not what it should be.
        """
        try:
            return cls(**{**data, "statistics": WordStatistics.from_json(data["statistics"])})
        except (KeyError, TypeError, ValueError) as error:
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
    def _profiles(self) -> Any:
        """Profiles of names as they were written; a catalog's come again with every search."""
        return lru_cache(_PROFILES)(lambda name: profile(normalise(name), self.statistics))

    def _profile(self, name: str | Name) -> Profile:
        if isinstance(name, Name):
            return profile(name, self.statistics)
        found: Profile = self._profiles(name)
        return found


def _comparison(
    left: Name, right: Name, features: PairFeatures, similarity: float
) -> NameComparison:
    if not left.text or not right.text:
        return NameComparison(0.0, features, ("no words to compare",))
    if left.text == right.text:
        return NameComparison(1.0, features, ("same name", *reasons(left, right)))
    return NameComparison(similarity, features, reasons(left, right))
