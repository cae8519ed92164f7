"""Groups of products that are one and the same.

Two products are linked when they share a photo, or when the match score says so. A model that was
fitted to pairs is believed; the default only where the photos also are nearly one picture and the
names, if both have one, by themselves say the same: half of a shop's black shirts look like one.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from catalog.alike import connected, nearest
from catalog.chunks import chunks
from catalog.duplicates.picture import Thumbnail, difference, thumbnail
from catalog.match import MatchModel, pair_score, score_pair
from catalog.names import normalise
from catalog.names.quantities import Quantity, agreement
from catalog.product import Product
from catalog.store import Catalog

Progress = Callable[[int, int], None]

# What the default model does not link: in fashion, from there on most are other products.
_LEAST_COSINE: Final = 0.95
_ONE_PICTURE: Final = 0.01
_SAME_FILE: Final = 0.001  # saved again, at another size or quality
_MOST_NEIGHBOURS: Final = 20  # by photo, that a product is compared with
_READ_AT_ONCE: Final = 512


@dataclass(frozen=True)
class Group:
    """Products that are one.

    Attributes:
        ids: of at least two products, sorted.
        score: the lowest of the links that hold them together, 0 to 1; 1 where they share photos.
        shares_photo: whether all of them are linked by shared photos.
        amounts_differ: whether their names state different amounts: then they may be sizes of one
            product that the shop shows with one photo.
    """

    ids: tuple[str, ...]
    score: float
    shares_photo: bool
    amounts_differ: bool


@dataclass(frozen=True)
class _Link:
    left: int
    right: int
    score: float
    shares_photo: bool


@dataclass(frozen=True)
class _Seen:
    """What is held of every product."""

    ids: list[str]
    embeddings: dict[int, NDArray[np.float32]]
    by_name: Mapping[str, list[int]]
    by_photo: Mapping[bytes, list[int]]
    amounts: Mapping[int, tuple[Quantity, ...]]


def find_duplicates(
    catalog: Catalog, model: MatchModel, progress: Progress | None = None
) -> list[Group]:
    """The groups, those that share photos first, then by score.

    Every product is compared with every other, by blocks: minutes for 200,000.

    Args:
        catalog: to look through; products without a photo are only linked by a fitted model.
        model: scores pairs.
        progress: called now and then with the products compared and all there are.
    """
    seen = _see(catalog)
    links = [_Link(*pair, 1.0, shares_photo=True) for pair in _chains(seen.by_photo.values())]
    together = _components(len(seen.ids), links)
    candidates = _candidates(seen, model, together, progress)
    links += _scored(catalog, model, seen.ids, candidates)
    return _groups(seen, links)


def _see(catalog: Catalog) -> _Seen:
    ids: list[str] = []
    embeddings: dict[int, NDArray[np.float32]] = {}
    by_name: dict[str, list[int]] = {}
    by_photo: dict[bytes, list[int]] = {}
    amounts: dict[int, tuple[Quantity, ...]] = {}
    for place, product in enumerate(catalog.scan(with_embeddings=True, with_photos=True)):
        ids.append(product.id)
        if product.embedding is not None:
            embeddings[place] = product.embedding
        for photo in set(product.photos):
            by_photo.setdefault(hashlib.sha256(photo).digest(), []).append(place)
        name = normalise(product.name or "")
        if name.text:
            by_name.setdefault(name.text, []).append(place)
        if name.quantities:
            amounts[place] = name.quantities
    return _Seen(ids, embeddings, by_name, by_photo, amounts)


def _chains(groups: Iterable[Sequence[int]]) -> Iterator[tuple[int, int]]:
    """Each with the next: enough to hold a group together."""
    for group in groups:
        yield from pairwise(group)


def _candidates(
    seen: _Seen, model: MatchModel, together: NDArray[np.intp], progress: Progress | None
) -> list[tuple[int, int]]:
    """Pairs to look at more closely, of products that are not known to be one yet."""
    found = list(_chains(seen.by_name.values())) if model.fitted else []
    if seen.embeddings:
        places = np.array(list(seen.embeddings))
        matrix = np.stack(list(seen.embeddings.values()))
        for left, right in nearest(matrix, _MOST_NEIGHBOURS, _least_cosine(model), progress):
            found += zip(places[left].tolist(), places[right].tolist(), strict=True)
    return sorted({(min(a, b), max(a, b)) for a, b in found if together[a] != together[b]})


def _least_cosine(model: MatchModel) -> float:
    """Below it no pair is the same, however well the names agree."""
    if not model.fitted:
        return _LEAST_COSINE
    for cosine in (percent / 100 for percent in range(100)):
        if max(pair_score(model, cosine, 1.0), pair_score(model, cosine, None)) >= model.same_at:
            return cosine
    return 1.0


def _scored(
    catalog: Catalog, model: MatchModel, ids: Sequence[str], pairs: Sequence[tuple[int, int]]
) -> Iterator[_Link]:
    for some in chunks(pairs, _READ_AT_ONCE):
        there = catalog.get_all(sorted({ids[place] for pair in some for place in pair}))
        thumbnails: dict[str, list[Thumbnail]] = {}
        for left, right in some:
            if ids[left] in there and ids[right] in there:  # else deleted by now
                link = _link(model, there[ids[left]], there[ids[right]], thumbnails)
                if link is not None:
                    yield _Link(left, right, *link)


def _link(
    model: MatchModel, left: Product, right: Product, thumbnails: dict[str, list[Thumbnail]]
) -> tuple[float, bool] | None:
    """Score and whether it is one photo, of products that are one."""
    cosine, names, apart = None, None, 1.0
    if left.embedding is not None and right.embedding is not None:
        cosine = float(left.embedding @ right.embedding)
        if cosine >= _LEAST_COSINE:
            apart = _apart(left, right, thumbnails)
    if apart <= _SAME_FILE:
        return 1.0, True
    if not model.fitted and apart > _ONE_PICTURE:
        return None
    if left.name and right.name:
        names = model.names.compare(left.name, right.name)
    scores = [score_pair(model, cosine, names).score]
    if names is not None and names.similarity is not None and not model.fitted:
        scores.append(pair_score(model, None, names.similarity, names.conflict))
    return (scores[0], False) if min(scores) >= model.same_at else None


def _apart(left: Product, right: Product, thumbnails: dict[str, list[Thumbnail]]) -> float:
    """The least difference of a photo of either product."""
    for product in (left, right):
        if product.id not in thumbnails:
            made = map(thumbnail, product.photos)
            thumbnails[product.id] = [one for one in made if one is not None]
    return min(
        (difference(one, other) for one in thumbnails[left.id] for other in thumbnails[right.id]),
        default=1.0,
    )


def _components(count: int, links: Sequence[_Link]) -> NDArray[np.intp]:
    left = np.array([link.left for link in links], np.intp)
    right = np.array([link.right for link in links], np.intp)
    return connected(count, left, right)


def _groups(seen: _Seen, links: Sequence[_Link]) -> list[Group]:
    groups = _components(len(seen.ids), links)
    held: dict[int, list[_Link]] = {}
    for link in links:
        held.setdefault(int(groups[link.left]), []).append(link)
    members: dict[int, list[int]] = {}
    for place, group in enumerate(groups.tolist()):
        if group in held:
            members.setdefault(group, []).append(place)
    found = [
        Group(
            tuple(sorted(seen.ids[place] for place in members[group])),
            min(link.score for link in own),
            all(link.shares_photo for link in own),
            _amounts_differ([seen.amounts.get(place, ()) for place in members[group]]),
        )
        for group, own in held.items()
    ]
    return sorted(found, key=lambda one: (not one.shares_photo, -one.score, one.ids))


def _amounts_differ(amounts: Sequence[tuple[Quantity, ...]]) -> bool:
    return any(agreement(amounts[0], other) < 0 for other in amounts[1:])
