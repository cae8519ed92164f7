"""Groups of products that are one and the same.

Two products are linked when they share a photo, or when the match score says so. A model that was
fitted to pairs is believed; the default only where the photos also are nearly one picture and the
names, if both have one, by themselves say the same: half of a shop's black shirts look like one.
"""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from catalog.alike import connected, nearest
from catalog.chunks import chunks
from catalog.duplicates.picture import Thumbnail, difference, look, thumbnail
from catalog.match import MatchModel, pair_score, score_pair
from catalog.names import normalise
from catalog.names.quantities import Quantity, agreement
from catalog.product import Product
from catalog.store import Catalog

Progress = Callable[[int, int], None]

# What the default model does not link: in fashion, from there on most are other products.
_LEAST_COSINE: Final = 0.95
_ONE_PICTURE: Final = 0.004
# Of 200 photos of fashion that were saved again, smaller and at another quality, 98% are below; of
# other pairs of its 6,352 three are, which are one photo, too.
_SAME_FILE: Final = 0.0012
_LEAST_LOOK: Final = 0.995
_MOST_NEIGHBOURS: Final = 20  # by embedding or picture, that a product is compared with
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
    looks: tuple[list[int], list[NDArray[np.float32]]]
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
    looks: tuple[list[int], list[NDArray[np.float32]]] = [], []
    for place, (product, pictures) in enumerate(_pictured(catalog)):
        ids.append(product.id)
        looks[0].extend([place] * len(pictures))
        looks[1].extend(pictures)
        if product.embedding is not None:
            embeddings[place] = product.embedding
        for photo in set(product.photos):
            by_photo.setdefault(hashlib.sha256(photo).digest(), []).append(place)
        name = normalise(product.name or "")
        if name.text:
            by_name.setdefault(name.text, []).append(place)
        if name.quantities:
            amounts[place] = name.quantities
    return _Seen(ids, embeddings, looks, by_name, by_photo, amounts)


def _pictured(catalog: Catalog) -> Iterator[tuple[Product, list[NDArray[np.float32]]]]:
    """Each product with the looks of its photos, which threads make."""

    def pictured(product: Product) -> tuple[Product, list[NDArray[np.float32]]]:
        return product, [look(one) for one in _thumbnails(product)]

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        for some in chunks(catalog.scan(with_embeddings=True, with_photos=True), _READ_AT_ONCE):
            yield from threads.map(pictured, some)


def _chains(groups: Iterable[Sequence[int]]) -> Iterator[tuple[int, int]]:
    """Each with the next: enough to hold a group together."""
    for group in groups:
        yield from pairwise(group)


def _candidates(
    seen: _Seen, model: MatchModel, together: NDArray[np.intp], progress: Progress | None
) -> NDArray[np.intp]:
    """Pairs to look at more closely, of products that are not known to be one yet, intp [N, 2]."""
    named = list(_chains(seen.by_name.values())) if model.fitted else []
    found = [np.array(named, np.intp).reshape(-1, 2)]
    places, looks = seen.looks
    for rows, vectors, least, told in (
        (list(seen.embeddings), list(seen.embeddings.values()), _least_cosine(model), progress),
        (places, looks, _LEAST_LOOK, None),
    ):
        if rows:
            of = np.array(rows)
            for pair in nearest(np.stack(vectors), _MOST_NEIGHBOURS, least, told):
                pairs = np.sort(of[np.stack(pair, axis=1)], axis=1)
                found.append(
                    np.unique(pairs[together[pairs[:, 0]] != together[pairs[:, 1]]], axis=0)
                )
    return np.unique(np.concatenate(found), axis=0)


def _least_cosine(model: MatchModel) -> float:
    """Below it no pair is the same, however well the names agree."""
    if not model.fitted:
        return _LEAST_COSINE
    for cosine in (percent / 100 for percent in range(100)):
        if max(pair_score(model, cosine, 1.0), pair_score(model, cosine, None)) >= model.same_at:
            return cosine
    return 1.0


def _scored(
    catalog: Catalog, model: MatchModel, ids: Sequence[str], pairs: NDArray[np.intp]
) -> Iterator[_Link]:
    for start in range(0, len(pairs), _READ_AT_ONCE):
        some = pairs[start : start + _READ_AT_ONCE].tolist()
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
    cosine, names, apart = None, None, _apart(left, right, thumbnails)
    if left.embedding is not None and right.embedding is not None:
        cosine = float(left.embedding @ right.embedding)
    if apart <= _SAME_FILE:
        return 1.0, True
    if not model.fitted and (apart > _ONE_PICTURE or (cosine or 1.0) < _LEAST_COSINE):
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
            thumbnails[product.id] = _thumbnails(product)
    return min(
        (difference(one, other) for one in thumbnails[left.id] for other in thumbnails[right.id]),
        default=1.0,
    )


def _thumbnails(product: Product) -> list[Thumbnail]:
    made = map(thumbnail, product.photos)
    return [one for one in made if one is not None]


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
    return any(agreement(*pair) < 0 for pair in combinations(set(amounts), 2))
