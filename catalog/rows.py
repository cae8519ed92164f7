"""A product as a row of the LanceDB table, and back.

There is a column of embeddings for each bundle that the catalog was embedded for, so that a bundle
can follow another while products are written and searched.
"""

import re
import uuid
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa

from catalog.filters import pack, unpack
from catalog.product import Product

SUMMARY: Final = ("id", "revision", "name", "category", "attributes")
"""The columns a search reads: photos and embeddings stay on disk."""

_EMBEDDING: Final = "embedding_"


def key_field(name: str) -> pa.Field:
    """A text column that is the table's unenforced primary key from its first version on."""
    # What `Table.set_unenforced_primary_key` would write in a second commit.
    position = {"lance-schema:unenforced-primary-key:position": "1"}
    return pa.field(name, pa.string(), nullable=False, metadata=position)


def embedding_column(embedding_id: str) -> str:
    """Name of the column of that embedding."""
    return _EMBEDDING + re.sub(r"\W", "_", embedding_id[:12])


def embedding_columns(names: Sequence[str]) -> list[str]:
    """Those of the names that are columns of embeddings."""
    return [name for name in names if name.startswith(_EMBEDDING)]


def embedding_field(column: str, dimension: int) -> pa.Field:
    """A column of embeddings of that length."""
    return pa.field(column, pa.list_(pa.float32(), dimension))


def schema(column: str, dimension: int) -> pa.Schema:
    """Columns of a table of products that is new."""
    return pa.schema(
        [
            key_field("id"),
            pa.field("revision", pa.string()),
            pa.field("name", pa.string()),
            pa.field("category", pa.string()),
            pa.field("attributes", pa.list_(pa.string())),
            pa.field("photos", pa.list_(pa.binary())),
            pa.field("photo_count", pa.int32()),
            embedding_field(column, dimension),
        ]
    )


def to_row(
    product: Product, column: str, names: Sequence[str], revision: str | None = None
) -> dict[str, Any]:
    """The product's columns.

    Args:
        product: to be kept.
        column: of its embedding; those of other bundles are of photos that may have changed.
        names: of all columns there are.
        revision: one of its own if not given.
    """
    return {
        **dict.fromkeys(embedding_columns(names)),
        "id": product.id,
        "revision": revision or uuid.uuid4().hex[:16],
        "name": product.name,
        "category": product.category,
        "attributes": pack(product.attributes),
        "photos": product.photos,
        "photo_count": len(product.photos),
        column: product.embedding,
    }


def to_product(row: dict[str, Any], column: str) -> Product:
    """The product of a row; without embedding or photos where those were not read."""
    embedding = row.get(column)
    return Product(
        id=row["id"],
        name=row["name"],
        category=row["category"],
        attributes=unpack(row["attributes"]),
        embedding=None if embedding is None else np.asarray(embedding, dtype=np.float32),
        photos=tuple(row.get("photos", ())),
        revision=row["revision"],
    )
