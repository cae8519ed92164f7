"""Which embeddings a catalog answers with: one row in the tiny table `catalog_info`.

A reindex fills another column of embeddings beside it and then moves the pointer.
"""

import re
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, Final

import lancedb
import pyarrow as pa

from catalog.commits import commit
from catalog.database import open_or_create, open_table
from catalog.errors import EmbeddingMismatch, InvalidRequest
from catalog.rows import embedding_column, key_field

_TABLE: Final = "catalog_info"
_ROW_ID: Final = "active"
_SCHEMA: Final = pa.schema(
    [
        key_field("id"),
        pa.field("embedding_id", pa.string(), nullable=False),
        pa.field("dimension", pa.int32(), nullable=False),
    ]
)
_BUNDLE: Final = pa.field("bundle", pa.string())


@dataclass(frozen=True)
class Pointer:
    """The embeddings that answer.

    Attributes:
        embedding_id: the bundle's hash of all that decides an embedding.
        dimension: length of an embedding.

    Raises:
        InvalidRequest: the embedding id cannot name a column, or the dimension is below 1.
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
    def column(self) -> str:
        """Name of the column of these embeddings."""
        return embedding_column(self.embedding_id)

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
    rows = _rows(db)
    return Pointer(rows[0]["embedding_id"], rows[0]["dimension"]) if rows else None


def claim(db: lancedb.DBConnection, pointer: Pointer) -> Pointer:
    """Point at embeddings, unless another was first.

    Returns:
        The pointer that holds.
    """
    table = open_or_create(db, _TABLE, _SCHEMA)
    insert = table.merge_insert("id").when_not_matched_insert_all()
    commit(lambda: insert.execute(_row(pointer)))
    return read(db) or pointer


def move(db: lancedb.DBConnection, pointer: Pointer) -> None:
    """Point at other embeddings, which must be complete by now."""
    upsert = db.open_table(_TABLE).merge_insert("id").when_matched_update_all()
    commit(lambda: upsert.execute(_row(pointer)))


def last_bundle(db: lancedb.DBConnection) -> str | None:
    """Where the bundle lies that answered last, if that was ever kept."""
    found = _rows(db)
    return found[0].get(_BUNDLE.name) if found else None


def remember_bundle(db: lancedb.DBConnection, place: str) -> None:
    """Keep where the bundle lies that answers."""
    table = db.open_table(_TABLE)
    if _BUNDLE.name not in table.schema.names:
        with suppress(RuntimeError, ValueError, OSError):  # another process was first
            commit(lambda: table.add_columns(_BUNDLE))
    commit(lambda: table.update(where=f"id = '{_ROW_ID}'", values={_BUNDLE.name: place}))


def _rows(db: lancedb.DBConnection) -> list[dict[str, Any]]:
    table = open_table(db, _TABLE)
    return [] if table is None else table.search().where(f"id = '{_ROW_ID}'").to_list()


def _row(pointer: Pointer) -> pa.Table:
    return pa.Table.from_pylist([{"id": _ROW_ID, **asdict(pointer)}], schema=_SCHEMA)
