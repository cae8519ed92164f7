"""The final score of a pair: how sure we are that two products are one, from photos and names."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal

from catalog.errors import InvalidRequest
from catalog.names import DEFAULT_NAME_MODEL, NameComparison, NameModel

Decision = Literal["same", "review", "different"]

_NEAR: Final = 0.95  # above this cosine or name similarity the `near` weights come in
_CLEAR: Final = 0.02  # name similarities are held this far from 0 and 1, so logits stay finite


@dataclass(frozen=True)
class PairWeights:
    """A logistic over what is known of a pair; no weight but the bias is below zero.

    logit = bias + image * cosine + name * logit(name similarity) - conflict * (amounts differ)
            + image_near * near(cosine) + name_near * near(name similarity)

    `near` rises from 0 at 0.95 to 1 at 1.0, and is 0 where the amounts in the names differ. It
    makes one very strong side enough, whatever the other says.
    """

    bias: float
    image: float = 0.0
    image_near: float = 0.0
    name: float = 0.0
    name_near: float = 0.0
    conflict: float = 0.0

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not math.isfinite(value) or (name != "bias" and value < 0):
                raise InvalidRequest(
                    f"A weight of the match model is {value}.",
                    where=name,
                    fix="Weights are finite, and none but the bias is below zero.",
                )

    def logit(self, terms: Mapping[str, float]) -> float:
        """Log odds, from the `evidence_terms` of a pair."""
        weights = vars(self)
        return self.bias + sum(float(weights[name]) * value for name, value in terms.items())


def evidence_terms(
    image_similarity: float | None, name_similarity: float | None, conflict: bool
) -> dict[str, float]:
    """What each weight of `PairWeights` but the bias is multiplied by."""
    terms = {"conflict": -float(conflict)}
    if image_similarity is not None:
        terms["image"] = image_similarity
        terms["image_near"] = _near(image_similarity) * (not conflict)
    if name_similarity is not None:
        held = min(max(name_similarity, _CLEAR), 1 - _CLEAR)
        terms["name"] = math.log(held / (1 - held))
        terms["name_near"] = _near(name_similarity) * (not conflict)
    return terms


@dataclass(frozen=True)
class MatchModel:
    """Weights and thresholds of the final score; part of a bundle.

    Attributes:
        both, image_only, name_only: weights for pairs with photos and names, photos only, names
            only.
        same_at: score from which a pair is `same`.
        different_at: score up to which a pair is `different`; below `same_at`.
        match_at: score from which a pair counts as one where no person looks, as in figures.
        curve: threshold, precision and recall on the pairs it was fitted to, out of fold.
        names: what compares names; kept apart from the rest, for its words are many.
    """

    both: PairWeights
    image_only: PairWeights
    name_only: PairWeights
    same_at: float
    different_at: float
    match_at: float = 0.5
    curve: tuple[tuple[float, float, float], ...] = ()
    names: NameModel = field(default=DEFAULT_NAME_MODEL, repr=False)

    def __post_init__(self) -> None:
        if not 0 <= self.different_at < self.same_at <= 1:
            raise InvalidRequest(
                f"The thresholds are {self.different_at} and {self.same_at}.",
                where="different_at, same_at",
                fix="0 <= different_at < same_at <= 1 must hold.",
            )

    @property
    def fitted(self) -> bool:
        """Whether it was fitted to pairs."""
        return bool(self.curve)

    def to_json(self) -> dict[str, Any]:
        """All but the names' model, as plain JSON values that `from_json` reads."""
        own = {key: value for key, value in vars(self).items() if key != "names"}
        weights = {key: asdict(own[key]) for key in ("both", "image_only", "name_only")}
        return own | weights | {"curve": [list(point) for point in self.curve]}

    @classmethod
    def from_json(
        cls, data: Mapping[str, Any], names: NameModel = DEFAULT_NAME_MODEL
    ) -> "MatchModel":
        """Reads what `to_json` wrote.

        Raises:
            InvalidRequest: a field is missing, unknown, not a number or out of its range.
        """
        try:
            return cls(
                both=PairWeights(**data["both"]),
                image_only=PairWeights(**data["image_only"]),
                name_only=PairWeights(**data["name_only"]),
                same_at=float(data["same_at"]),
                different_at=float(data["different_at"]),
                match_at=float(data.get("match_at", 0.5)),
                curve=tuple((float(t), float(p), float(r)) for t, p, r in data.get("curve", ())),
                names=names,
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidRequest(
                f"The match model cannot be read: {error!r}.",
                where="match model",
                fix="Write it with MatchModel.to_json.",
            ) from error


DEFAULT_MATCH_MODEL: Final = MatchModel(
    # Cosines on the drawn sample shop, frozen backbone (5%, median, 95%): one product 0.23, 0.53,
    # 0.81; others of its category 0.07, 0.38, 0.69; all others -0.16, -0.03, 0.17. So a photo
    # alone is even at 0.55 and needs 0.8 to say "same".
    # A name similarity is a probability already, and alone it is the score.
    both=PairWeights(bias=-8.0, image=10.0, image_near=6.0, name=0.9, name_near=5.0, conflict=0.5),
    image_only=PairWeights(bias=-5.0, image=9.0, image_near=1.0),
    name_only=PairWeights(bias=0.0, name=1.0),
    same_at=0.9,
    different_at=0.2,
)


@dataclass(frozen=True)
class Match:
    """How sure we are that two products are one, and why.

    Attributes:
        score: 0 to 1.
        decision: `same`, `different`, or `review` between the model's thresholds.
        image_similarity: cosine of the two embeddings, None without two photos.
        name_similarity: 0 to 1, None without two names.
        name_reasons: what the names have in common and what not, for a person.
    """

    score: float
    decision: Decision
    image_similarity: float | None
    name_similarity: float | None
    name_reasons: tuple[str, ...]


def score_pair(
    model: MatchModel, image_similarity: float | None, names: NameComparison | None
) -> Match:
    """Scores a pair from the cosine of its photos, the comparison of its names, or both.

    Names without words say nothing beside photos; alone, they are alike in nothing.

    Raises:
        InvalidRequest: neither is given, or the cosine is not a finite number.
    """
    name_similarity = None if names is None else names.similarity
    if names is not None and image_similarity is None:
        name_similarity = name_similarity or 0.0
    conflict = names is not None and names.conflict
    score = pair_score(model, image_similarity, name_similarity, conflict)
    return Match(
        score=score,
        decision=decide(model, score),
        image_similarity=image_similarity,
        name_similarity=name_similarity,
        name_reasons=() if names is None else names.reasons,
    )


def pair_score(
    model: MatchModel,
    image_similarity: float | None,
    name_similarity: float | None,
    conflict: bool = False,
) -> float:
    """The score alone, 0 to 1; `conflict` says that the names state different amounts.

    Raises:
        InvalidRequest: neither similarity is given, or one is not a finite number.
    """
    given = [value for value in (image_similarity, name_similarity) if value is not None]
    if not given or not all(map(math.isfinite, given)):
        raise InvalidRequest(
            "A pair needs two photos or two names to be compared.",
            where="left, right",
            fix="Give each side a photo, a name or both.",
        )
    if name_similarity is None:
        weights = model.image_only
    elif image_similarity is None:
        weights = model.name_only
    else:
        weights = model.both
    logit = weights.logit(evidence_terms(image_similarity, name_similarity, conflict))
    return 1 / (1 + math.exp(-max(-50.0, min(50.0, logit))))


def decide(model: MatchModel, score: float) -> Decision:
    """`same` from `same_at`, `different` up to `different_at`, `review` between."""
    if score >= model.same_at:
        return "same"
    return "different" if score <= model.different_at else "review"


def _near(similarity: float) -> float:
    return min(max(0.0, (similarity - _NEAR) / (1 - _NEAR)), 1.0)
