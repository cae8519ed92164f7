"""Where a product belongs: classifier, look-alikes and name-alikes pooled into one answer."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np

from catalog.match import MatchModel, pair_score
from catalog.names import Name, normalise
from catalog.names.categories import NameOpinion
from catalog.path_words import path_affinities
from catalog.pool import (
    CategoriseWeights,
    Floats,
    loudness,
    pool,
    tally,
    vote,
    with_novel,
)
from catalog.precision import TARGET_PRECISION

__all__ = [
    "Categorisation",
    "CategoriseWeights",
    "CategoryScore",
    "Evidence",
    "Neighbour",
    "categorise",
    "suggest_tags",
]

MOST_EVIDENCE: Final = 10
MOST_ALTERNATIVES: Final = 5


@dataclass(frozen=True)
class Neighbour:
    """A catalog product near the one asked about, with at least one similarity when it is pooled.

    Attributes:
        id, name, path: the product and the category it is filed under.
        image_similarity: cosine of the embeddings, or None.
        name_similarity: how probably its name means the same product, 0 to 1, or None.
        prototype_similarity: cosine to the mean of the category's products near by photo, or None.
        conflict: whether its name states another amount.
    """

    id: str
    name: str | None
    path: str
    image_similarity: float | None
    name_similarity: float | None = None
    prototype_similarity: float | None = None
    conflict: bool = False


@dataclass(frozen=True)
class Evidence:
    """A neighbour with `score`, how sure we are that it is the very same product (0 to 1)."""

    id: str
    name: str | None
    path: str
    image_similarity: float | None
    name_similarity: float | None
    score: float


@dataclass(frozen=True)
class CategoryScore:
    """A category path and its probability, 0 to 1."""

    path: str
    probability: float


@dataclass(frozen=True)
class Categorisation:
    """Where a product belongs.

    Attributes:
        path: the best category; None when the decision is `unknown`.
        score: its probability, 0 to 1; 0 without a path.
        decision: `auto` at the precision asked for, `review` below, `unknown` when nothing in
            the catalog is near and the classifier says little.
        alternatives: the next best categories, best first.
        evidence: the nearest products, best first.
        ranked: every category with its probability, best first; they sum to 1.
    """

    path: str | None
    score: float
    decision: Literal["auto", "review", "unknown"]
    alternatives: tuple[CategoryScore, ...]
    evidence: tuple[Evidence, ...]
    ranked: tuple[CategoryScore, ...] = ()


DEFAULT_WEIGHTS: Final = CategoriseWeights()


def categorise(
    neighbours: Sequence[Neighbour],
    class_probabilities: Mapping[str, float] | None,
    model: MatchModel,
    weights: CategoriseWeights = DEFAULT_WEIGHTS,
    precision: float = TARGET_PRECISION,
    name: str | Name | None = None,
    familiarity: float | None = None,
    opinion: NameOpinion | None = None,
) -> Categorisation:
    """Pools what classifier, photos and names say into a category.

    With C the union of the classifier's classes and the neighbours' categories, each part is a
    distribution over C:

        m(c) = p(c) of the classifier; for a category it does not know how near its prototype is
            (`pool.with_novel`), so that a few filed photos make a new category before the next
            training
        v(c) = (sum of k_j over neighbours j in c  +  1 / |C|) / (sum of k_j  +  1)
            with k_j = exp((similarity_j - floor) / temperature), once over the image similarities
            and once over those of names: without a near neighbour v is flat and says nothing

    After mixing each with a flat one (`smoothing`), the parts that are there are pooled,

        pool(c) ~ m(c)^classifier * v_image(c)^image * l(c)^suggester

    with l(c) how many times likelier the name makes the category by the shop's own names, or how
    likely where there is no photo; of categories that those do not know, what v_name says. A bundle
    without names has v_name(c)^name * v_words(c)^words for it, where v_words lets every category
    vote with how well the words of its path fit those of the name. The exponents are those of
    `CategoriseWeights.exponents`.

    Where the match model was fitted to pairs, neighbours that score `same_at` or more, and that
    photo and name each take for the same product by themselves, decide: with q the best such score
    and s(c) their votes by score, P(c) = (1 - q) pool(c) + q s(c).

    Args:
        neighbours: union of image and name searches, each product once.
        class_probabilities: leaf path -> probability, or None without a photo.
        familiarity: of the photo, cosine to the nearest prototype of the photos that the
            classifier learnt from, or None.
        precision: how often answers whose decision is `auto` must be right, 0 to 1.
        name: the product's own name, where it has one.
        opinion: what that says by the shop's own names, where they were learnt.

    Raises:
        InvalidRequest: a neighbour has neither similarity.
    """
    evidence = sorted(
        (_evidence(neighbour, model) for neighbour in neighbours),
        key=lambda one: _nearness(one, model),
    )
    shown = tuple(evidence[:MOST_EVIDENCE])
    known = (*(class_probabilities or ()), *(opinion.lift if opinion else ()))
    paths = list(dict.fromkeys([*known, *(e.path for e in evidence)]))
    if not paths:
        return Categorisation(None, 0.0, "unknown", (), ())
    parts = _parts(neighbours, class_probabilities, name, paths, weights, familiarity, opinion)
    probabilities = pool(parts, weights.exponents(parts), weights.smoothing, len(paths))
    conflicting = {neighbour.id for neighbour in neighbours if neighbour.conflict}
    same = [e for e in evidence if e.id not in conflicting and _is_same(e, model)]
    if same:
        votes = tally([e.path for e in same], np.array([e.score for e in same]), paths)
        sure = same[0].score
        probabilities = (1 - sure) * probabilities + sure * votes / votes.sum()
    order = np.argsort(-probabilities, kind="stable")
    ranked = tuple(CategoryScore(paths[i], float(probabilities[i])) for i in order)
    certainty = weights.certainty(parts, precision)
    shares = (class_probabilities or {}, opinion.probabilities if opinion else {})
    if not (same or _says_something(neighbours, shares, weights)):
        return Categorisation(None, 0.0, "unknown", ranked[:MOST_ALTERNATIVES], shown, ranked)
    return Categorisation(
        path=ranked[0].path,
        score=ranked[0].probability,
        decision="auto" if ranked[0].probability >= certainty else "review",
        alternatives=ranked[1 : 1 + MOST_ALTERNATIVES],
        evidence=shown,
        ranked=ranked,
    )


def suggest_tags(
    name: str | Name,
    neighbours: Sequence[Neighbour],
    class_paths: Sequence[str],
    weights: CategoriseWeights = DEFAULT_WEIGHTS,
    opinion: NameOpinion | None = None,
) -> list[CategoryScore]:
    """Ranks category paths for a name alone, best first; the probabilities sum to 1.

    The vote of the name neighbours (as in `categorise`) is pooled with one of the paths whose own
    words are in the name, so that it works before the catalog holds anything.

    Args:
        neighbours: catalog products near by name; those without a name similarity are left out.
        class_paths: the leaf paths known besides the neighbours'.
        opinion: what the name says by the shop's own names, where they were learnt.
    """
    near = [
        replace(neighbour, image_similarity=None)
        for neighbour in neighbours
        if neighbour.name_similarity is not None
    ]
    known = (*class_paths, *(opinion.lift if opinion else ()))
    paths = list(dict.fromkeys([*known, *(n.path for n in near)]))
    if not paths:
        return []
    parts = _parts(near, None, name, paths, weights, opinion=opinion)
    probabilities = pool(parts, weights.exponents(parts), weights.smoothing, len(paths))
    order = np.argsort(-probabilities, kind="stable")
    return [CategoryScore(paths[i], float(probabilities[i])) for i in order]


def _evidence(neighbour: Neighbour, model: MatchModel) -> Evidence:
    score = pair_score(
        model, neighbour.image_similarity, neighbour.name_similarity, neighbour.conflict
    )
    return Evidence(
        id=neighbour.id,
        name=neighbour.name,
        path=neighbour.path,
        image_similarity=neighbour.image_similarity,
        name_similarity=neighbour.name_similarity,
        score=score,
    )


def _nearness(evidence: Evidence, model: MatchModel) -> tuple[float, float, float, str]:
    """Sorts the nearest first.

    Scores of products that are certainly others tell nothing: a name that shares one word would
    come before all photos that look alike.
    """
    score = evidence.score if evidence.score > model.different_at else 0.0
    image, name = evidence.image_similarity or 0.0, evidence.name_similarity or 0.0
    return -score, -image, -name, evidence.id


def _is_same(evidence: Evidence, model: MatchModel) -> bool:
    """True when photo and name are both there and each by itself takes it for the same product.

    Only a fitted model knows: by the default, half of a shop's black shirts are one.
    """
    image, name = evidence.image_similarity, evidence.name_similarity
    if not model.fitted or image is None or name is None or evidence.score < model.same_at:
        return False
    alone = (pair_score(model, image, None), pair_score(model, None, name))
    return min(alone) >= model.same_at


def _parts(
    neighbours: Sequence[Neighbour],
    class_probabilities: Mapping[str, float] | None,
    name: str | Name | None,
    paths: Sequence[str],
    weights: CategoriseWeights,
    familiarity: float | None = None,
    opinion: NameOpinion | None = None,
) -> dict[str, Floats]:
    """What each part that is there says of the paths."""
    parts: dict[str, Floats] = {}
    if class_probabilities:
        photos = Counter(n.path for n in neighbours if n.prototype_similarity is not None)
        prototypes = {
            n.path: (n.prototype_similarity, photos[n.path])
            for n in neighbours
            if n.prototype_similarity is not None
        }
        parts["classifier"] = with_novel(
            class_probabilities, prototypes, familiarity, paths, weights
        )
    images = [(n.path, n.image_similarity) for n in neighbours if n.image_similarity is not None]
    names = [(n.path, n.name_similarity) for n in neighbours if n.name_similarity is not None]
    for part, floor, temperature, near in (
        ("image", weights.image_floor, weights.image_temperature, images),
        ("name", weights.name_floor, weights.name_temperature, names),
    ):
        if near:
            counts = loudness([similarity for _, similarity in near], floor, temperature)
            parts[part] = vote([path for path, _ in near], counts, paths)
    if opinion is not None:
        by_name = parts.pop("name", np.full(len(paths), 1 / len(paths)))
        part, said = (
            ("suggester", opinion.lift)
            if class_probabilities
            else ("suggester_alone", opinion.probabilities)
        )
        unknown = by_name * len(paths) if class_probabilities else by_name
        parts[part] = np.array(
            [said.get(path, other) for path, other in zip(paths, unknown.tolist(), strict=True)]
        )
    elif name is not None:
        name = normalise(name) if isinstance(name, str) else name
        fits = path_affinities(name, paths).tolist()
        if max(fits) > weights.words_floor:
            counts = loudness(fits, weights.words_floor, weights.words_temperature)
            parts["words"] = vote(paths, counts, paths)
    return parts


def _says_something(
    neighbours: Sequence[Neighbour],
    shares: Iterable[Mapping[str, float]],
    weights: CategoriseWeights,
) -> bool:
    """False when no neighbour is above its floor and no distribution over paths over `little`."""
    if any(max(own.values(), default=0.0) >= weights.little for own in shares):
        return True
    return any(
        (n.image_similarity is not None and n.image_similarity > weights.image_floor)
        or (n.name_similarity is not None and n.name_similarity > weights.name_floor)
        for n in neighbours
    )
