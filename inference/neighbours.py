"""The products of the catalog that look or are named like the one asked about.

Serving and evaluation both ask here, so what is measured is what is served.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from catalog.categorise import Neighbour
from catalog.names import normalise
from catalog.product import Product, mean_embedding

if TYPE_CHECKING:  # LanceDB takes seconds to import
    from catalog.store import Catalog

MOST_NEIGHBOURS = 50


def find_neighbours(
    catalog: "Catalog",
    embedding: NDArray[np.float32] | None,
    name: str | None,
    limit: int = MOST_NEIGHBOURS,
    *,
    without: str | None = None,
) -> list[Neighbour]:
    """Union of the nearest products by photo and by name, each once, for `categorise`.

    Products that are in no category yet are left out. One found only by name has no image
    similarity, for at least ``limit`` products look more like the photo; names are compared where
    the bundle is, by `categoriser`.

    Args:
        catalog: where to search.
        embedding: float32 [D] of the photo, or None.
        name: as the shop writes it; None or a name without words finds nothing.
        limit: products from each search.
        without: the id of a product that must not be found, such as the one asked about.

    Raises:
        InvalidRequest: the embedding does not fit the catalog, or a limit below 1.
    """
    found: dict[str, Neighbour] = {}
    if embedding is not None:
        most = limit + (without is not None)
        hits = catalog.search_image(embedding, most, with_embeddings=True)
        prototypes = _prototype_similarities(
            embedding, [hit.product for hit in hits if hit.product.id != without]
        )
        for hit in hits:
            similar = prototypes.get(hit.product.category or "")
            _add(found, hit.product, hit.similarity, similar)
    if name and normalise(name).text:
        for hit in catalog.search_name(name, limit + (without is not None)):
            if hit.product.id not in found:
                _add(found, hit.product, None)
    if without is not None:
        found.pop(without, None)
    return list(found.values())


def _prototype_similarities(
    embedding: NDArray[np.float32], products: list[Product]
) -> dict[str, float]:
    """Cosine to the mean of each category's products (Snell et al. 2017, arXiv:1703.05175)."""
    by_category: dict[str, list[NDArray[np.float32]]] = {}
    for product in products:
        if product.category is not None and product.embedding is not None:
            by_category.setdefault(product.category, []).append(product.embedding)
    return {
        path: float(mean_embedding(np.stack(own)) @ embedding) for path, own in by_category.items()
    }


def _add(
    found: dict[str, Neighbour],
    product: Product,
    image_similarity: float | None,
    prototype_similarity: float | None = None,
) -> None:
    if product.category is not None:
        found[product.id] = Neighbour(
            product.id,
            product.name,
            product.category,
            image_similarity,
            prototype_similarity=prototype_similarity,
        )
