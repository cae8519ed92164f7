"""A catalog's tables on disk or S3: connecting, opening, making them."""

from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Final

import lancedb
import pyarrow as pa
from lancedb.index import FTS
from lancedb.table import Table

from catalog.commits import commit
from catalog.errors import CatalogMissing, Unreachable
from catalog.rows import embedding_field, schema
from catalog.tables import first_line

PRODUCTS: Final = "products"
NAME_INDEX: Final = "name_idx"

# Lance's own bound is a gigabyte, and every write adds what is cached of its version.
_METADATA_CACHE_BYTES: Final = 64 << 20


def connect(uri: str) -> lancedb.DBConnection:
    """The database of a catalog; each read sees what any other connection has written.

    Raises:
        Unreachable: the place cannot be reached, or is none.
    """
    try:
        return lancedb.connect(uri, read_consistency_interval=timedelta(0), session=_caches())
    except (RuntimeError, ValueError, OSError) as error:
        raise _unreachable(uri, error) from error


@cache
def _caches() -> lancedb.Session:
    """What this process holds in memory of all its catalogs."""
    return lancedb.Session(metadata_cache_size_bytes=_METADATA_CACHE_BYTES)


def connect_to(uri: str) -> lancedb.DBConnection:
    """The same of a catalog that is there.

    Raises:
        CatalogMissing: there is none.
    """
    # Connecting to a local directory would make it.
    db = connect(uri) if "://" in uri or Path(uri).is_dir() else None
    try:
        table = None if db is None else open_table(db, PRODUCTS)
    except (RuntimeError, ValueError, OSError) as error:
        raise _unreachable(uri, error) from error
    if db is None or table is None:
        raise missing(uri)
    return db


def _unreachable(uri: str, error: Exception) -> Unreachable:
    return Unreachable(
        f"the catalog cannot be reached ({first_line(error)[:300]}).",
        where=uri,
        fix="Check the address, and that this machine may read and write it.",
    )


def missing(uri: str) -> CatalogMissing:
    """The error of a place without a catalog."""
    return CatalogMissing(
        "There is no catalog.",
        where=uri,
        fix="Make one with `catalens import BUNDLE MANIFEST CATALOG`.",
    )


def open_table(db: lancedb.DBConnection, name: str) -> Table | None:
    """The table of that name, or None."""
    try:
        return db.open_table(name)
    except ValueError as error:
        if "was not found" in str(error):
            return None
        raise


def open_or_create(db: lancedb.DBConnection, name: str, columns: pa.Schema) -> Table:
    """The table of that name, made without rows if it is not there."""
    return commit(lambda: db.create_table(name, schema=columns, exist_ok=True))


def make_products(db: lancedb.DBConnection, column: str, dimension: int) -> None:
    """Make the table of products, with a column for embeddings of that length."""
    table = open_or_create(db, PRODUCTS, schema(column, dimension))
    commit(lambda: _ensure_name_index(table))


def add_embeddings(table: Table, column: str, dimension: int) -> None:
    """Add a column of embeddings, unless it is there."""

    def add() -> None:
        if column not in table.schema.names:
            table.add_columns(embedding_field(column, dimension))

    try:
        commit(add)
    except (RuntimeError, ValueError, OSError):
        if column not in table.schema.names:  # else another process was first
            raise


def _ensure_name_index(table: Table) -> None:
    # On the empty table, for a search by name needs one. Names are not prose: no stemming, no
    # stop words ("off" and "on" tell products apart). ICU finds the words of names that are
    # written without spaces, as in Chinese, and is the simple tokenizer on all others.
    if table.index_stats(NAME_INDEX) is None:
        config = FTS(base_tokenizer="icu/split", stem=False, remove_stop_words=False)
        table.create_index("name", config=config, name=NAME_INDEX)
