"""Searches of the table of products: nearest by embedding, and by the words of names."""

import unicodedata
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from lancedb.table import Table
from numpy.typing import NDArray

from catalog.errors import InvalidRequest
from catalog.product import Product, check_unicode
from catalog.rows import SUMMARY, to_product

MAX_TEXT_LENGTH: Final = 1_000
"""Characters of a search text that count; a product's name is far shorter."""

_REFINE_FACTOR: Final = 4  # neighbours from the index, per hit, compared again in full precision


@dataclass(frozen=True)
class Hit:
    """A product that a search found.

    Attributes:
        product: without its photos, and without its embedding unless that was asked for;
            `Catalog.get` reads them.
        similarity: from `search_image` the cosine, in [-1, 1]; from `search_name` the BM25
            score, above 0 and unbounded.
    """

    product: Product
    similarity: float


def by_image(
    table: Table,
    column: str,
    embedding: NDArray[np.float32],
    limit: int,
    condition: str | None,
    with_embeddings: bool,
) -> list[Hit]:
    """Nearest products by cosine, best first; see `Catalog.search_image`."""
    query: Any = table.search(embedding, vector_column_name=column)
    query = query.distance_type("cosine").refine_factor(_REFINE_FACTOR)
    columns = ["_distance", *([column] if with_embeddings else [])]
    return [
        Hit(to_product(row, column), float(np.clip(1.0 - row["_distance"], -1.0, 1.0)))
        for row in _found(query, columns, limit, condition)
    ]


def by_name(table: Table, column: str, text: str, limit: int, condition: str | None) -> list[Hit]:
    """Products whose names share words with the text, best first; see `Catalog.search_name`."""
    text = check_unicode(text[:MAX_TEXT_LENGTH], "search text")
    words = unicodedata.normalize("NFC", text)
    query: Any = table.search(words, query_type="fts", fts_columns="name")
    rows = _found(query, ["_score"], limit, condition)
    return [Hit(to_product(row, column), row["_score"]) for row in rows]


def _found(
    query: Any, columns: list[str], limit: int, condition: str | None
) -> list[dict[str, Any]]:
    if limit < 1:
        raise InvalidRequest(f"A search for {limit} products.", where="limit", fix="Ask for 1.")
    if condition is not None:
        query = query.where(condition)
    rows: list[dict[str, Any]] = query.select([*SUMMARY, *columns]).limit(limit).to_list()
    return rows
