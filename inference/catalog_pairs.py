"""Pairs of products from a shop's own catalog, to learn from what is one product.

What is the same: a photo of a product and its other photos, its name and another way to write it.
What is not: its nearest neighbours by photo and by name, which are the pairs that are hard to tell.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from catalog.chunks import chunks
from catalog.names import normalise
from catalog.names.variants import vary
from catalog.pairs import Pair, Side
from catalog.product import Product, mean_embedding
from inference.bundle import Bundle
from inference.devices import Device
from inference.pairs import SeenPair
from inference.session import Session
from inference.stored_photos import see_products

if TYPE_CHECKING:  # LanceDB takes seconds to import
    from catalog.store import Catalog

Progress = Callable[[int, int], None]

_MOST_PRODUCTS: Final = 3_000
_OTHERS: Final = 2  # neighbours by photo, and as many by name
_LOOKED_AT: Final = 6
# Of neighbours that show one picture nobody knows whether they are one product.
_ONE_PICTURE: Final = 0.999
_READ_AT_ONCE: Final = 256
_LEAST_WITH_PHOTOS: Final = 20


def pairs_of_catalog(
    bundle: Bundle,
    catalog: "Catalog",
    *,
    device: Device = "auto",
    seed: int = 0,
    progress: Progress | None = None,
) -> list[SeenPair]:
    """One pair that is the same and up to four that are not, for each of up to 3,000 products.

    Neighbours that have one picture or one name are left out. A pair has a side's photos only where
    one of them can be set against the others, so a shop with a photo for each product learns about
    names alone what is the same.

    Args:
        bundle: embedded the catalog.
        catalog: the shop's products.
        device: where the graph runs.
        seed: of the products drawn, and of how names are varied.
        progress: called now and then with the products done and all there are.

    Raises:
        DeviceUnavailable: the device asked for is not there.
    """
    rng = np.random.default_rng(seed)
    ids = sorted(catalog.ids())
    chosen = [ids[place] for place in rng.permutation(len(ids))[:_MOST_PRODUCTS]]
    session = Session(bundle, device=device, threads=1)
    pairs: list[SeenPair] = []
    done = 0
    for some in chunks(chosen, _READ_AT_ONCE):
        products = catalog.get_all(some).values()
        several = [product for product in products if len(product.photos) > 1]
        alone = {
            product.id: np.stack(embeddings)
            for product, embeddings in see_products(session, several)
            if len(embeddings) > 1
        }
        for product in products:
            pairs += _pairs(catalog, product, alone.get(product.id), rng)
        done += len(some)
        if progress:
            progress(done, len(chosen))
    return _of_names(pairs) if _with_photos(pairs) < _LEAST_WITH_PHOTOS else pairs


def _with_photos(pairs: list[SeenPair]) -> int:
    return sum(one.pair.same and one.image_similarity is not None for one in pairs)


def _of_names(pairs: list[SeenPair]) -> list[SeenPair]:
    """The pairs by their names alone: where hardly one that is the same has photos, having some
    would come to mean that it is not."""
    return [replace(one, image_similarity=None) for one in pairs if one.pair.right.name]


def _pairs(
    catalog: "Catalog",
    product: Product,
    photos: NDArray[np.float32] | None,
    rng: np.random.Generator,
) -> Iterator[SeenPair]:
    asked = product.embedding if photos is None else photos[0]
    own = None if photos is None else float(photos[0] @ mean_embedding(photos[1:]))
    yield from _pair(product, product, own, True, rng)
    others: dict[str, Product] = {}
    for other in _by_photo(catalog, product, asked) + _by_name(catalog, product):
        others.setdefault(other.id, other)
    for other in others.values():
        cosine = None
        if asked is not None and other.embedding is not None:
            cosine = float(asked @ other.embedding)
        yield from _pair(product, other, cosine, False, rng)


def _by_photo(
    catalog: "Catalog", product: Product, asked: NDArray[np.float32] | None
) -> list[Product]:
    if asked is None:
        return []
    hits = catalog.search_image(asked, _LOOKED_AT, with_embeddings=True)
    return [
        hit.product
        for hit in hits
        if hit.similarity < _ONE_PICTURE and _another(hit.product, product)
    ][:_OTHERS]


def _by_name(catalog: "Catalog", product: Product) -> list[Product]:
    if not product.name or not normalise(product.name).text:
        return []
    near = [
        hit.product
        for hit in catalog.search_name(product.name, _LOOKED_AT)
        if _another(hit.product, product)
    ][:_OTHERS]
    whole = catalog.get_all([one.id for one in near])
    return [one for one in whole.values() if not _one_picture(one, product)]


def _another(other: Product, product: Product) -> bool:
    """Whether it is another product, as far as names tell."""
    if other.id == product.id:
        return False
    if not other.name or not product.name:
        return True
    return normalise(other.name).text != normalise(product.name).text


def _one_picture(one: Product, other: Product) -> bool:
    if one.embedding is None or other.embedding is None:
        return False
    return float(one.embedding @ other.embedding) >= _ONE_PICTURE


def _pair(
    left: Product,
    right: Product,
    cosine: float | None,
    same: bool,
    rng: np.random.Generator,
) -> Iterator[SeenPair]:
    """The pair, unless there is nothing to compare."""
    names = left.name, vary(right.name, rng) if right.name else None
    if not all(name and normalise(name).text for name in names):
        names = None, None
    if cosine is not None or names[0] is not None:
        pair = Pair(0, Side(names[0], None), Side(names[1], None), same, None)
        yield SeenPair(pair, cosine)
