"""A product as a row of the LanceDB table, and back."""

from typing import Any

import numpy as np
import pyarrow as pa

from catalog.filters import pack, unpack
from catalog.product import Product

SUMMARY = ("id", "name", "category", "attributes")
"""The columns a search reads: photos and embeddings stay on disk."""


def key_field(name: str) -> pa.Field:
    """A text column that is the table's unenforced primary key from its first version on."""
    # What `Table.set_unenforced_primary_key` would write in a second commit.
    position = {"lance-schema:unenforced-primary-key:position": "1"}
    return pa.field(name, pa.string(), nullable=False, metadata=position)


def schema(dimension: int) -> pa.Schema:
    """Columns of a table of products whose embeddings have that length."""
    return pa.schema(
        [
            key_field("id"),
            pa.field("name", pa.string()),
            pa.field("category", pa.string()),
            pa.field("attributes", pa.list_(pa.string())),
            pa.field("embedding", pa.list_(pa.float32(), dimension)),
            pa.field("embedding_id", pa.string()),
            pa.field("photos", pa.list_(pa.binary())),
        ]
    )


def to_row(product: Product, embedding_id: str) -> dict[str, Any]:
    """The product's columns; the embedding's id only beside an embedding."""
    return {
        "id": product.id,
        "name": product.name,
        "category": product.category,
        "attributes": pack(product.attributes),
        "embedding": product.embedding,
        "embedding_id": None if product.embedding is None else embedding_id,
        "photos": product.photos,
    }


def to_product(row: dict[str, Any]) -> Product:
    """The product of a row; without embedding or photos where those were not read."""
    embedding = row.get("embedding")
    return Product(
        id=row["id"],
        name=row["name"],
        category=row["category"],
        attributes=unpack(row["attributes"]),
        embedding=None if embedding is None else np.asarray(embedding, dtype=np.float32),
        photos=tuple(row.get("photos", ())),
    )
