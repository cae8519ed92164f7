"""Which table of products answers: one row in the tiny table `catalog_info`.

A table of products is named for its embedding, so a reindex can fill a new one beside the old
one and then move the pointer.
"""

import re
from dataclasses import asdict, dataclass
from typing import Final

import lancedb
import pyarrow as pa
from lancedb.table import Table

from catalog.commits import commit
from catalog.errors import EmbeddingMismatch, InvalidRequest
from catalog.rows import key_field

_TABLE: Final = "catalog_info"
_ROW_ID: Final = "active"
_PRODUCTS: Final = "products-"
_SCHEMA: Final = pa.schema(
    [
        key_field("id"),
        pa.field("embedding_id", pa.string(), nullable=False),
        pa.field("dimension", pa.int32(), nullable=False),
    ]
)


@dataclass(frozen=True)
class Pointer:
    """The table that answers, and what its embeddings are.

    Attributes:
        embedding_id: the bundle's hash of all that decides an embedding.
        dimension: length of an embedding.

    Raises:
        InvalidRequest: the embedding id cannot name a table, or the dimension is below 1.
    """

    embedding_id: str
    dimension: int

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,128}", self.embedding_id):
            raise InvalidRequest(
                f"{self.embedding_id[:40]!r} is no embedding id.",
                where="embedding_id",
                fix="Use the one in the bundle's bundle.json.",
            )
        if self.dimension < 1:
            raise InvalidRequest(
                f"An embedding cannot have {self.dimension} dimensions.", where="dimension"
            )

    @property
    def table(self) -> str:
        """Name of the table of products."""
        return f"{_PRODUCTS}{self.embedding_id[:12]}"

    def check(self, uri: str, embedding_id: str, dimension: int | None = None) -> None:
        """Refuse a bundle whose embeddings cannot be compared with the catalog's.

        Raises:
            EmbeddingMismatch: another embedding id, or the same with another dimension.
        """
        if embedding_id != self.embedding_id:
            raise other_embedding(uri, self.embedding_id, embedding_id)
        if dimension not in (None, self.dimension):
            raise EmbeddingMismatch(
                f"The catalog holds embeddings of {self.dimension} dimensions and the bundle, "
                f"with the same embedding id, makes {dimension}.",
                where=uri,
                fix="Use the bundle it was made with.",
            )


def other_embedding(uri: str, own: str, bundles: str) -> EmbeddingMismatch:
    """The error of a bundle that makes other embeddings than the catalog's own."""
    return EmbeddingMismatch(
        f"The catalog holds embeddings {own} and the bundle makes {bundles}: they cannot be "
        "compared.",
        where=uri,
        fix=f"Run `catalens reindex BUNDLE {uri}`, or use the bundle it was made with.",
    )


def read(db: lancedb.DBConnection) -> Pointer | None:
    """The pointer of a catalog, or None where there is none yet."""
    try:
        rows = db.open_table(_TABLE).search().where(f"id = '{_ROW_ID}'").to_list()
    except ValueError as error:
        if "was not found" in str(error):
            return None
        raise
    return Pointer(rows[0]["embedding_id"], rows[0]["dimension"]) if rows else None


def claim(db: lancedb.DBConnection, pointer: Pointer) -> Pointer:
    """Point at a table of products, which must be complete by now, unless another was first.

    Returns:
        The pointer that holds.
    """
    table = open_or_create(db, _TABLE, _SCHEMA)
    insert = table.merge_insert("id").when_not_matched_insert_all()
    commit(lambda: insert.execute(_row(pointer)))
    return read(db) or pointer


def move(db: lancedb.DBConnection, pointer: Pointer) -> None:
    """Point at another table of products, which must be complete by now."""
    upsert = db.open_table(_TABLE).merge_insert("id").when_matched_update_all()
    commit(lambda: upsert.execute(_row(pointer)))


def _row(pointer: Pointer) -> pa.Table:
    return pa.Table.from_pylist([{"id": _ROW_ID, **asdict(pointer)}], schema=_SCHEMA)


def tables(db: lancedb.DBConnection) -> list[str]:
    """Names of the tables of products, of one embedding each."""
    return [name for name in db.list_tables().tables if name.startswith(_PRODUCTS)]


def open_or_create(db: lancedb.DBConnection, name: str, schema: pa.Schema) -> Table:
    """The table of that name, made without rows if it is not there."""
    return commit(lambda: db.create_table(name, schema=schema, exist_ok=True))
