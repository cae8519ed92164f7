"""The catalog on disk or S3: upsert products, and find them by photo, by name and by filter.

Why it is built as it is (LanceDB 0.40):

* `id` is declared the unenforced primary key and carries **no** scalar index: only so do racing
  `merge_insert` calls with equal ids see each other and leave one row.
* Connections have a read consistency interval of zero, or a handle misses other handles' writes.
* `fast_search` is never used: it leaves out rows that are not in an index yet.
"""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any, Final

import lancedb
import numpy as np
import pyarrow as pa
from lancedb.index import FTS, HnswSq
from numpy.typing import NDArray

from catalog import pointer
from catalog.commits import commit
from catalog.errors import CatalogMissing, InvalidRequest
from catalog.filters import Filter, below, equals, moved_sql, predicate
from catalog.move_log import read_moves, record_move, replace_moves
from catalog.moves import Move
from catalog.pointer import Pointer
from catalog.product import Product, check_unicode
from catalog.rows import SUMMARY, schema, to_product, to_row

VECTOR_INDEX_ABOVE: Final = 10_000
"""Products with an embedding above which `maintain` builds an approximate index."""

MAX_TEXT_LENGTH: Final = 1_000
"""Characters of a search text that count; a product's name is far shorter."""

_KEEP_VERSIONS: Final = timedelta(hours=1)
_MANY_FRAGMENTS: Final = 32  # each adds about 0.1 ms to every read and write
_MANY_UNINDEXED: Final = 1_000  # rows that a search goes through one by one, about 1 ms
_DELETED_AT_ONCE: Final = 1_000
_SCANNED_AT_ONCE: Final = 256  # products, about 10 kB each with their photos
_REFINE_FACTOR: Final = 4  # neighbours from the index, per hit, compared again in full precision
_NAME_INDEX: Final = "name_idx"
_VECTOR_INDEX: Final = "embedding_idx"


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


class Catalog:
    """A handle on a shop's products, for any number of threads; other processes may hold more.

    Made by `Catalog.create` and `Catalog.open`. What one handle has written, the next search of
    any other finds.
    """

    def __init__(self, db: lancedb.DBConnection, uri: str, own: Pointer, active: Pointer) -> None:
        self.uri = uri
        self.embedding_id = own.embedding_id
        self.dimension = own.dimension
        self._db = db
        self._own = own
        self._answers = own == active
        self._table = db.open_table(own.table)

    @classmethod
    def create(cls, uri: str, embedding_id: str, dimension: int) -> "Catalog":
        """Make a catalog, or open the one that is there.

        Args:
            uri: local directory or ``s3://bucket/prefix``.
            embedding_id: the bundle's hash of all that decides an embedding.
            dimension: length D of an embedding.

        Raises:
            EmbeddingMismatch: the catalog that is there holds other embeddings.
            InvalidRequest: the embedding id or the dimension is unusable.
        """
        wanted = Pointer(embedding_id, dimension)
        db = connect(uri)
        active = pointer.read(db)
        if active is None:
            _make(db, wanted)
            active = pointer.claim(db, wanted)
        active.check(uri, embedding_id, dimension)
        return cls(db, uri, active, active)

    @classmethod
    def open(cls, uri: str, embedding_id: str | None = None) -> "Catalog":
        """Open the catalog that is there.

        Args:
            uri: local directory or ``s3://bucket/prefix``.
            embedding_id: the one it must have, if given.

        Raises:
            CatalogMissing: there is none.
            EmbeddingMismatch: it holds other embeddings.
        """
        db, active = _open(uri)
        if embedding_id is not None:
            active.check(uri, embedding_id)
        return cls(db, uri, active, active)

    @classmethod
    def beside(cls, uri: str, embedding_id: str, dimension: int | None = None) -> "Catalog":
        """The same catalog with another bundle's embeddings: what `activate` makes it answer with.

        Args:
            uri: of a catalog that is there.
            embedding_id: of that bundle.
            dimension: length of an embedding, to make it where it is not there yet.

        Raises:
            CatalogMissing: there is no catalog.
            EmbeddingMismatch: it was never filled with such embeddings, and is not to be made.
        """
        db, active = _open(uri)
        own = active if embedding_id == active.embedding_id else None
        if own is None and dimension is not None:
            own = Pointer(embedding_id, dimension)
            _make(db, own)
        elif own is None:
            own = Pointer(embedding_id, 1)
            if own.table not in pointer.tables(db):
                active.check(uri, embedding_id)
            width = db.open_table(own.table).schema.field("embedding").type.list_size
            own = Pointer(embedding_id, width)
        return cls(db, uri, own, active)

    def activate(self) -> None:
        """Answer with these embeddings from now on; of others only those before them are kept."""
        before = pointer.read(self._db)
        pointer.move(self._db, self._own)
        self._answers = True
        kept = {self._own.table, (before or self._own).table}
        for table in pointer.tables(self._db):
            if table not in kept:
                with suppress(ValueError):  # another process was first
                    self._db.drop_table(table)

    def put(self, products: Sequence[Product]) -> None:
        """Insert or replace products by id, all in one commit; of equal ids the last wins.

        Repeating a put changes nothing. When it returns, the products are on disk.

        Raises:
            InvalidRequest: an embedding is not of the catalog's dimension.
            EmbeddingMismatch: the catalog was reindexed meanwhile; nothing is promised then.
        """
        latest = {product.id: product for product in products}
        if not latest:
            return
        for product in latest.values():
            if product.embedding is not None:
                self._check_dimension(product.embedding, f"product {product.id!r}")
        self.put_rows(
            pa.Table.from_pylist(
                [to_row(product, self.embedding_id) for product in latest.values()],
                schema=schema(self.dimension),
            )
        )

    def put_rows(self, rows: pa.Table) -> None:
        """The same with rows as `batches` gives them, each id once."""
        upsert = self._table.merge_insert("id")
        upsert = upsert.when_matched_update_all().when_not_matched_insert_all()
        # "null" keeps the missing embeddings: the default takes them for a wrong dimension.
        commit(lambda: upsert.execute(rows, on_bad_vectors="null"))
        self._check_answers()

    def get(self, product_id: str) -> Product | None:
        """The whole product, embedding and photos with it, or None."""
        return self.get_all([product_id]).get(product_id)

    def get_all(self, ids: Sequence[str]) -> dict[str, Product]:
        """Whole products by id; those that there are none of are left out."""
        rows = self._table.search().where(equals("id", ids)).limit(max(1, len(ids))).to_list()
        return {row["id"]: to_product(row) for row in rows}

    def delete(self, ids: Sequence[str]) -> int:
        """Remove products; returns how many of the ids there were.

        Raises:
            EmbeddingMismatch: the catalog was reindexed meanwhile; nothing is promised then.
        """
        if not ids:
            return 0
        deleted: Any = commit(lambda: self._table.delete(equals("id", ids)))
        self._check_answers()
        return int(deleted.num_deleted_rows)

    def delete_all(self, ids: Iterable[str]) -> int:
        """The same for any number of ids."""
        wanted, deleted = iter(ids), 0
        while some := list(islice(wanted, _DELETED_AT_ONCE)):
            deleted += self.delete(some)
        return deleted

    def count(self, where: Filter | None = None) -> int:
        """How many products pass the filter.

        Raises:
            InvalidRequest: the filter is malformed.
        """
        return self._table.count_rows(predicate(where))

    def categories(self) -> dict[str, int]:
        """Products per category path, in the order of the paths; those without one are left out."""
        counts = self._table.search().select(["category"]).to_arrow()["category"].value_counts()
        pairs = ((pair["values"], pair["counts"]) for pair in counts.to_pylist())
        return dict(sorted((path, number) for path, number in pairs if path is not None))

    def move_category(self, old: str, new: str) -> int:
        """Rename a category, merge it into another or move it, with all below it.

        What models say of the old path counts for the new one from then on; see `moves`.

        Args:
            old: path of the category.
            new: path it shall have; products may be filed there already.

        Returns:
            How many products were filed at or below it.

        Raises:
            InvalidRequest: a path is empty, or the new one lies at or below the old one.
            EmbeddingMismatch: the catalog was reindexed meanwhile; nothing is promised then.
        """
        move = Move(old, new)
        updated: Any = commit(
            lambda: self._table.update(
                where=below("category", move.old),
                values_sql={"category": moved_sql("category", move.old, move.new)},
            )
        )
        record_move(self._db, move)
        self._check_answers()
        return int(updated.rows_updated)

    def moves(self) -> tuple[Move, ...]:
        """All that `move_category` did, the oldest first."""
        return read_moves(self._db)

    def replace_moves(self, moves: Sequence[Move]) -> None:
        """Make these all that happened to the categories, as a backup has it."""
        replace_moves(self._db, moves)

    def ids(self) -> Iterator[str]:
        """Every product's id, in no particular order."""
        for batch in self._table.search().select(["id"]).to_batches():
            yield from batch["id"].to_pylist()

    def scan(
        self, *, with_embeddings: bool = False, with_photos: bool = False
    ) -> Iterator[Product]:
        """Every product, in no particular order, as they were when the scan began."""
        asked = {"embedding": with_embeddings, "photos": with_photos}
        columns = [*SUMMARY, *(name for name, wanted in asked.items() if wanted)]
        for batch in self.batches(columns):
            yield from map(to_product, batch.to_pylist())

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Every product's row, a few hundred at a time, as they were when this began."""
        query = self._table.search()
        if columns is not None:
            query = query.select(list(columns))
        yield from query.to_batches(batch_size=_SCANNED_AT_ONCE)

    def search_image(
        self,
        embedding: NDArray[np.float32],
        limit: int = 10,
        where: Filter | None = None,
        *,
        with_embeddings: bool = False,
    ) -> list[Hit]:
        """Nearest products by cosine, best first; those without an embedding are never found.

        Args:
            embedding: float32 [D], of any length but zero.
            limit: hits at most, from 1.
            where: which products may be found.
            with_embeddings: read those of the products found, too.

        Raises:
            InvalidRequest: wrong shape or dtype, a value that is not finite, a limit below 1, or
                a malformed filter.
        """
        self._check_dimension(embedding, "search")
        if not np.isfinite(embedding).all() or not embedding.any():
            raise InvalidRequest(
                "The embedding is zero or not finite.", where="search", fix="Embed the photo again."
            )
        query: Any = self._table.search(embedding, vector_column_name="embedding")
        query = query.distance_type("cosine").refine_factor(_REFINE_FACTOR)
        columns = ["embedding"] if with_embeddings else []
        return [
            Hit(to_product(row), float(np.clip(1.0 - row["_distance"], -1.0, 1.0)))
            for row in _found(query, ["_distance", *columns], limit, where)
        ]

    def search_name(self, text: str, limit: int = 10, where: Filter | None = None) -> list[Hit]:
        """Products whose names share words with the text, best BM25 score first.

        Case and accents do not count, one shared word is enough, and nothing in the text is an
        operator.

        Args:
            text: of which the first 1,000 characters count; blank finds nothing.
            limit: hits at most, from 1.
            where: which products may be found.

        Raises:
            InvalidRequest: a limit below 1, text that is not valid Unicode, or a malformed filter.
        """
        text = check_unicode(text[:MAX_TEXT_LENGTH], "search text")
        words = unicodedata.normalize("NFC", text)
        query: Any = self._table.search(words, query_type="fts", fts_columns="name")
        return [
            Hit(to_product(row), row["_score"]) for row in _found(query, ["_score"], limit, where)
        ]

    def maintain(self, vector_index_above: int = VECTOR_INDEX_ABOVE) -> None:
        """Compact, bring the indices up to date and drop versions older than an hour.

        For one process to call now and then, while others read and write: compaction rewrites
        photos, so it waits until there is enough to do.

        Args:
            vector_index_above: products with an embedding above which an approximate index
                replaces the exact search.
        """
        stats: Any = self._table.stats()  # a dict, whatever its annotation says
        fragments = stats["fragment_stats"]["num_small_fragments"]
        if fragments >= _MANY_FRAGMENTS or self._unindexed() >= _MANY_UNINDEXED:
            commit(lambda: self._table.optimize(cleanup_older_than=_KEEP_VERSIONS))
        indexed = self._table.index_stats(_VECTOR_INDEX) is not None
        if not indexed and self._table.count_rows("embedding IS NOT NULL") > vector_index_above:
            config = HnswSq(distance_type="cosine")
            commit(lambda: self._table.create_index("embedding", config=config, name=_VECTOR_INDEX))

    def _unindexed(self) -> int:
        names = self._table.index_stats(_NAME_INDEX)
        return names.num_unindexed_rows if names else 0

    def _check_answers(self) -> None:
        """A write beside the catalog that answers would be lost, so it must not be acknowledged."""
        if self._answers:
            active = pointer.read(self._db)
            if active is not None:
                active.check(self.uri, self.embedding_id)

    def _check_dimension(self, embedding: NDArray[np.float32], where: str) -> None:
        if embedding.dtype != np.float32 or embedding.shape != (self.dimension,):
            raise InvalidRequest(
                f"An embedding is {embedding.dtype} {list(embedding.shape)}.",
                where=where,
                fix=f"This catalog takes float32 [{self.dimension}].",
            )


def connect(uri: str) -> lancedb.DBConnection:
    """The database of a catalog; each read sees what any other connection has written."""
    return lancedb.connect(uri, read_consistency_interval=timedelta(0))


def _open(uri: str) -> tuple[lancedb.DBConnection, Pointer]:
    exists = "://" in uri or Path(uri).is_dir()  # connecting would make the directory
    db = connect(uri) if exists else None
    active = pointer.read(db) if db else None
    if db is None or active is None:
        raise CatalogMissing(
            "There is no catalog.",
            where=uri,
            fix="Make one with `catalens import BUNDLE MANIFEST CATALOG`.",
        )
    return db, active


def _make(db: lancedb.DBConnection, own: Pointer) -> None:
    table = pointer.open_or_create(db, own.table, schema(own.dimension))
    commit(lambda: _ensure_name_index(table))


def _ensure_name_index(table: lancedb.table.Table) -> None:
    # On the empty table, for a search by name needs one. Names are not prose: no stemming, no
    # stop words ("off" and "on" tell products apart). ICU finds the words of names that are
    # written without spaces, as in Chinese, and is the simple tokenizer on all others.
    if table.index_stats(_NAME_INDEX) is None:
        config = FTS(base_tokenizer="icu/split", stem=False, remove_stop_words=False)
        table.create_index("name", config=config, name=_NAME_INDEX)


def _found(
    query: Any, columns: list[str], limit: int, where: Filter | None
) -> list[dict[str, Any]]:
    if limit < 1:
        raise InvalidRequest(f"A search for {limit} products.", where="limit", fix="Ask for 1.")
    condition = predicate(where)
    if condition is not None:
        query = query.where(condition)
    rows: list[dict[str, Any]] = query.select([*SUMMARY, *columns]).limit(limit).to_list()
    return rows
