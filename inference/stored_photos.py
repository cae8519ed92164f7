"""Products of a catalog through the network, from the photo copies it keeps of them."""

from collections.abc import Iterable, Iterator
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from catalog.manifest import BadRow, Row
from catalog.product import Product
from inference.photos import SeenRow, see_rows
from inference.session import Session


def see_products(
    session: Session, products: Iterable[Product], *, runs: int | None = None
) -> Iterator[tuple[Product, list[NDArray[np.float32]]]]:
    """Each product that has photos, and the embeddings, float32 [D], of those that can be read.

    Args:
        session: the network.
        products: with their photos; few of them are held at a time.
        runs: as `see_rows` takes it.
    """
    held: dict[str, bytes] = {}
    begun: dict[str, Product] = {}

    def rows() -> Iterator[Row]:
        for product in products:
            begun[product.id] = product
            for number, photo in enumerate(product.photos):
                place = f"{product.id}, photo {number}"
                held[place] = photo
                yield Row(number, place, None, None, product.id, None)

    answers = see_rows(session, rows(), read=held.pop, runs=runs)
    for product_id, group in groupby(answers, key=_product_of):
        embeddings = [
            one.embedding for one in group if isinstance(one, SeenRow) and one.embedding is not None
        ]
        yield begun.pop(product_id), embeddings


def _product_of(answer: SeenRow | BadRow) -> str:
    if isinstance(answer, BadRow):
        return answer.image.rpartition(", photo ")[0]
    return answer.row.id
