"""The moves of a catalog's categories, in a table beside its products."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import lancedb
import pyarrow as pa

from catalog.commits import commit
from catalog.database import open_or_create, open_table
from catalog.moves import Move
from catalog.rows import key_field

_TABLE: Final = "category_moves"
_SCHEMA: Final = pa.schema(
    [
        key_field("id"),
        pa.field("old", pa.string()),
        pa.field("new", pa.string()),
        pa.field("at", pa.timestamp("us", "UTC")),
    ]
)


def read_moves(db: lancedb.DBConnection) -> tuple[Move, ...]:
    """All moves of a catalog, the oldest first."""
    table = open_table(db, _TABLE)
    rows = [] if table is None else table.search().to_list()
    return tuple(Move(row["old"], row["new"]) for row in sorted(rows, key=lambda row: row["at"]))


def replace_moves(db: lancedb.DBConnection, moves: Sequence[Move]) -> None:
    """Forget all moves of a catalog and keep these."""
    if list(moves) != list(read_moves(db)):
        table = open_or_create(db, _TABLE, _SCHEMA)
        commit(lambda: table.delete("true"))
        for move in moves:
            record_move(db, move)


def record_move(db: lancedb.DBConnection, move: Move) -> None:
    """Keep a move of a catalog; repeating the last one is harmless."""
    row = {"id": uuid.uuid4().hex, "old": move.old, "new": move.new, "at": datetime.now(UTC)}
    table = open_or_create(db, _TABLE, _SCHEMA)
    commit(lambda: table.add(pa.Table.from_pylist([row], schema=_SCHEMA)))
