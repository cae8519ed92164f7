"""The catalog on disk or S3: upsert products, and find them by photo, by name and by filter.

Why it is built as it is (LanceDB 0.40):

* `id` is declared the unenforced primary key and carries **no** scalar index: only so do racing
  `merge_insert` calls with equal ids see each other and leave one row.
* Connections have a read consistency interval of zero, or a handle misses other handles' writes.
* `fast_search` is never used: it leaves out rows that are not in an index yet.
* No read lasts long: files that a scan has not come to yet may be dropped an hour after they were
  compacted.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, Final

import lancedb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from catalog import pointer, search
from catalog.chunks import chunks
from catalog.commits import commit
from catalog.database import (
    NAME_INDEX,
    PRODUCTS,
    add_embeddings,
    connect,
    connect_to,
    make_products,
    missing,
)
from catalog.errors import EmbeddingMismatch, InvalidRequest
from catalog.filters import Filter, below, equals, moved_sql, predicate
from catalog.move_log import read_moves, record_move, replace_moves
from catalog.moves import Move
from catalog.pointer import Pointer, other_embedding
from catalog.product import Product
from catalog.rows import SUMMARY, embedding_columns, to_product, to_row
from catalog.search import Hit
from catalog.upkeep import (
    GRAPH_ABOVE,
    VECTOR_INDEX_ABOVE,
    compact,
    ensure_vector_index,
    vector_index,
)

_AT_ONCE: Final = 512  # products of one read, about 10 kB each with their photos


class Catalog:
    """A handle on a shop's products, for any number of threads; other processes may hold more.

    Made by `Catalog.create`, `Catalog.open` and `Catalog.beside`. What one handle has written, the
    next search of any other finds; embeddings are those of the handle's bundle.
    """

    def __init__(self, db: lancedb.DBConnection, uri: str, own: Pointer) -> None:
        self.uri = uri
        self.embedding_id = own.embedding_id
        self.dimension = own.dimension
        self._column = own.column
        self._own = own
        self._db = db
        self._table = db.open_table(PRODUCTS)

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
            make_products(db, wanted.column, dimension)
            active = pointer.claim(db, wanted)
        active.check(uri, embedding_id, dimension)
        return cls(db, uri, active)

    @classmethod
    def open(cls, uri: str, embedding_id: str | None = None) -> "Catalog":
        """Open the catalog that is there.

        Args:
            uri: local directory or ``s3://bucket/prefix``.
            embedding_id: the one it must answer with, if given.

        Raises:
            CatalogMissing: there is none.
            EmbeddingMismatch: it holds other embeddings.
        """
        db, active = _opened(uri)
        if embedding_id is not None:
            active.check(uri, embedding_id)
        return cls(db, uri, active)

    @classmethod
    def beside(cls, uri: str, embedding_id: str, dimension: int | None = None) -> "Catalog":
        """The same products with another bundle's embeddings, beside those that answer.

        Args:
            uri: of a catalog that is there.
            embedding_id: of that bundle.
            dimension: length of an embedding, to make room for them where there is none yet.

        Raises:
            CatalogMissing: there is no catalog.
            EmbeddingMismatch: it has no such embeddings, and none are to be made.
        """
        db, active = _opened(uri)
        if embedding_id == active.embedding_id:
            return cls(db, uri, active)
        table = db.open_table(PRODUCTS)
        column = Pointer(embedding_id, 1).column
        if dimension is not None:
            add_embeddings(table, column, dimension)
        elif column not in table.schema.names:
            raise other_embedding(uri, active.embedding_id, embedding_id)
        width = table.schema.field(column).type.list_size
        own = Pointer(embedding_id, width)
        own.check(uri, embedding_id, dimension)
        return cls(db, uri, own)

    def activate(self) -> None:
        """Answer with these embeddings from now on; of others only those before them are kept."""
        before = pointer.read(self._db)
        if before is None or before == self._own:
            return
        pointer.move(self._db, self._own)
        kept = {self._column, before.column}
        dropped = [one for one in embedding_columns(self._table.schema.names) if one not in kept]
        if dropped:
            with suppress(RuntimeError, ValueError, OSError):  # another process was first
                commit(lambda: self._table.drop_columns(dropped))

    def last_bundle(self) -> str | None:
        """Where the bundle lies that `remember_bundle` was told of last."""
        return pointer.last_bundle(self._db)

    def remember_bundle(self, place: str) -> None:
        """Keep where the bundle lies that answers with this catalog, for those who start later."""
        pointer.remember_bundle(self._db, place)

    def put(self, products: Sequence[Product]) -> None:
        """Insert or replace products by id, all in one commit; of equal ids the last wins.

        Repeating a put changes nothing. When it returns, the products are on disk.

        Raises:
            InvalidRequest: an embedding is not of the catalog's dimension.
        """
        self._write(products, replaces=True)

    def put_back(self, products: Sequence[Product]) -> None:
        """The same with the revisions that the products had, which a review may name."""
        self._write(products, replaces=True, keeps_revisions=True)

    def add(self, product: Product) -> str | None:
        """Insert a product unless there is one of its id; its revision, or None where there was."""
        return self._write([product], replaces=False)

    def _write(
        self, products: Sequence[Product], replaces: bool, keeps_revisions: bool = False
    ) -> str | None:
        latest = {product.id: product for product in products}
        if not latest:
            return None
        for product in latest.values():
            if product.embedding is not None:
                self._check_dimension(product.embedding, f"product {product.id!r}")
        while True:
            columns = self._table.schema
            if self._column not in columns.names:
                raise self._gone()
            found = [
                to_row(one, self._column, columns.names, one.revision if keeps_revisions else None)
                for one in latest.values()
            ]
            rows = pa.Table.from_pylist(found, schema=columns)
            upsert = self._table.merge_insert("id").when_not_matched_insert_all()
            if replaces:
                upsert = upsert.when_matched_update_all()
            # "null" keeps the missing embeddings: the default takes them for a wrong dimension.
            merged: Any = commit(partial(upsert.execute, rows, on_bad_vectors="null"))
            # A bundle's column that came meanwhile would keep what it has of photos of before.
            if self._table.schema.names == columns.names:
                return found[0]["revision"] if merged.num_inserted_rows else None

    def get(self, product_id: str) -> Product | None:
        """The whole product, embedding and photos with it, or None."""
        return self.get_all([product_id]).get(product_id)

    def get_all(self, ids: Sequence[str], *, with_photos: bool = True) -> dict[str, Product]:
        """Products by id, with their embeddings; those that there are none of are left out."""
        columns = [*SUMMARY, self._column, *(["photos"] if with_photos else [])]
        found: dict[str, Product] = {}
        for some in chunks(ids, _AT_ONCE):
            query = self._table.search().where(equals("id", some)).select(columns)
            with self._told_if_gone():
                rows = query.limit(len(some)).to_list()
            found |= {row["id"]: to_product(row, self._column) for row in rows}
        return found

    def delete(self, ids: Iterable[str]) -> int:
        """Remove products; returns how many of the ids there were."""
        deleted = 0
        for some in chunks(ids, _AT_ONCE):
            done: Any = commit(partial(self._table.delete, equals("id", some)))
            deleted += int(done.num_deleted_rows)
        return deleted

    def delete_revision(self, product_id: str, revision: str) -> bool:
        """Remove a product if it was not put again since; whether it was removed."""
        where = f"{equals('id', [product_id])} AND {equals('revision', [revision])}"
        deleted: Any = commit(lambda: self._table.delete(where))
        return bool(deleted.num_deleted_rows)

    def file(self, product_id: str, category: str | None, *, only_from: str | None = None) -> bool:
        """Change the category of a product that is there; whether it was changed.

        Args:
            product_id: which.
            category: path in canonical form, or None for none.
            only_from: change it only where this is its category.
        """
        where = equals("id", [product_id])
        if only_from is not None:
            where += f" AND {equals('category', [only_from])}"
        updated: Any = commit(
            lambda: self._table.update(where=where, values={"category": category})
        )
        return bool(updated.rows_updated)

    def browse(self, limit: int, offset: int = 0, where: Filter | None = None) -> list[Product]:
        """Some products, without embeddings and photos, in the order in which they are kept.

        It stays the same until products are put, filed or deleted, or the catalog is compacted.

        Args:
            limit: products at most.
            offset: that are left out before.
            where: which products.

        Raises:
            InvalidRequest: the filter is malformed.
        """
        query = self._table.search()
        condition = predicate(where)
        if condition is not None:
            query = query.where(condition)
        rows = query.select(list(SUMMARY)).limit(limit).offset(offset).to_list()
        return [to_product(row, self._column) for row in rows]

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
        """
        move = Move(old, new)
        updated: Any = commit(
            lambda: self._table.update(
                where=below("category", move.old),
                values_sql={"category": moved_sql("category", move.old, move.new)},
            )
        )
        record_move(self._db, move)
        return int(updated.rows_updated)

    def moves(self) -> tuple[Move, ...]:
        """All that `move_category` did, the oldest first."""
        return read_moves(self._db)

    def replace_moves(self, moves: Sequence[Move]) -> None:
        """Make these all that happened to the categories."""
        replace_moves(self._db, moves)

    def ids(self) -> list[str]:
        """Every product's id, in no particular order."""
        found: list[str] = self._table.search().select(["id"]).to_arrow()["id"].to_pylist()
        return found

    def scan(
        self, *, with_embeddings: bool = False, with_photos: bool = False
    ) -> Iterator[Product]:
        """Every product, in no particular order; one that is deleted meanwhile may be left out."""
        if not with_embeddings and not with_photos:
            for batch in self._table.search().select(list(SUMMARY)).to_batches():
                yield from (to_product(row, self._column) for row in batch.to_pylist())
            return
        for some in chunks(self.ids(), _AT_ONCE):
            yield from self.get_all(some, with_photos=with_photos).values()

    def not_embedded(self) -> list[str]:
        """Ids of the products that have photos and no embedding of this bundle's yet."""
        where = f"{self._column} IS NULL AND photo_count > 0"
        query = self._table.search().where(where).select(["id"])
        with self._told_if_gone():
            found: list[str] = query.to_arrow()["id"].to_pylist()
        return found

    def embed(self, found: Sequence[tuple[Product, NDArray[np.float32]]]) -> None:
        """Keep embeddings, float32 [D], of products as they were read; one put since stays."""
        if self._column not in self._table.schema.names:
            raise self._gone()
        columns = [self._table.schema.field(name) for name in ("id", "revision", self._column)]
        rows = pa.Table.from_pylist(
            [
                {"id": product.id, "revision": product.revision, self._column: embedding}
                for product, embedding in found
            ],
            schema=pa.schema(columns),
        )
        update = self._table.merge_insert("id")
        update = update.when_matched_update_all(where="target.revision = source.revision")
        commit(lambda: update.execute(rows))

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
            EmbeddingMismatch: the catalog has no such embeddings any more.
        """
        self._check_dimension(embedding, "search")
        if not np.isfinite(embedding).all() or not embedding.any():
            raise InvalidRequest(
                "The embedding is zero or not finite.", where="search", fix="Embed the photo again."
            )
        with self._told_if_gone():
            return search.by_image(
                self._table, self._column, embedding, limit, predicate(where), with_embeddings
            )

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
        return search.by_name(self._table, self._column, text, limit, predicate(where))

    def maintain(
        self, vector_index_above: int = VECTOR_INDEX_ABOVE, graph_above: int = GRAPH_ABOVE
    ) -> bool:
        """Compact, bring the indices up to date and drop versions older than an hour.

        For one process to call now and then, while others read and write.

        Args:
            vector_index_above: products with an embedding above which an approximate index
                replaces the exact search.
            graph_above: products above which that index is a graph.

        Returns:
            False where those who write were faster again and again: it is for another time.
        """
        done = self.compact()
        made = ensure_vector_index(self._table, self._column, vector_index_above, graph_above)
        return made and done

    def compact(self) -> bool:
        """The same, without making an index that is not there."""
        return compact(self._table, (NAME_INDEX, vector_index(self._column)))

    @contextmanager
    def _told_if_gone(self) -> Iterator[None]:
        """An error that is due to embeddings that were dropped, as such."""
        try:
            yield
        except (RuntimeError, ValueError, OSError) as error:
            if self._column not in self._table.schema.names:
                raise self._gone() from error
            raise

    def _gone(self) -> EmbeddingMismatch:
        active = pointer.read(self._db) or self._own
        return other_embedding(self.uri, active.embedding_id, self.embedding_id)

    def _check_dimension(self, embedding: NDArray[np.float32], where: str) -> None:
        if embedding.dtype != np.float32 or embedding.shape != (self.dimension,):
            raise InvalidRequest(
                f"An embedding is {embedding.dtype} {list(embedding.shape)}.",
                where=where,
                fix=f"This catalog takes float32 [{self.dimension}].",
            )


def _opened(uri: str) -> tuple[lancedb.DBConnection, Pointer]:
    db = connect_to(uri)
    active = pointer.read(db)
    if active is None:
        raise missing(uri)
    return db, active
