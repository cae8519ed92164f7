"""Backups of a catalog: each a folder of its own, named for when it was made.

Plain Parquet, apart from the catalog, so that neither its upkeep nor what befalls its disk touches
them. `backup.json` is written last: without it a backup is not whole. Nothing is restored before
all files were found whole.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from catalog import pointer
from catalog.chunks import chunks
from catalog.database import connect
from catalog.errors import EmbeddingMismatch, InvalidBackup
from catalog.moves import Move
from catalog.product import Product
from catalog.reviews.queue import Reviews
from catalog.rows import schema, to_product, to_row
from catalog.store import Catalog
from catalog.tables import first_line, open_filesystem

Progress = Callable[[int, int], None]

_DOCUMENT: Final = "backup.json"
_NAME: Final = "%Y%m%dT%H%M%S%fZ"
_PRODUCTS: Final = "products"
_REVIEWS: Final = "reviews"
_EMBEDDING: Final = "embedding_"  # the one there is, whatever the bundle
_PER_FILE: Final = 2_048
_RETRIES: Final = 3


@dataclass(frozen=True)
class Backup:
    """What a backup holds.

    Attributes:
        version: its folder's name, which sorts by time.
        embedding_id, dimension: of the catalog's embeddings.
        products, reviews: how many.
        files: rows of each file, by its name.
        moves: of categories, old and new paths, the oldest first.
        hashes: SHA-256 of each file, by its name; those of before have none.
    """

    version: str
    embedding_id: str
    dimension: int
    products: int
    reviews: int
    files: dict[str, int]
    moves: tuple[tuple[str, str], ...]
    hashes: dict[str, str] = field(default_factory=dict)


def back_up(catalog_uri: str, folder: str, progress: Progress | None = None) -> Backup:
    """Copy a catalog while others may go on writing to it.

    Every product is as it was at some moment while this ran; categories that are moved meanwhile
    make it begin anew.

    Args:
        catalog_uri: local directory or ``s3://bucket/prefix``.
        folder: of the backups; this one becomes a folder in it.
        progress: called now and then with the products copied and all there are.

    Raises:
        CatalogMissing: there is no catalog.
        InvalidBackup: categories were moved again and again while it ran.
    """
    catalog, reviews = Catalog.open(catalog_uri), Reviews(catalog_uri)
    for _ in range(_RETRIES):
        moves = catalog.moves()
        place = _Place(folder, datetime.now(UTC).strftime(_NAME))
        place.make()
        products = _product_rows(catalog, progress)
        files: dict[str, int] = {}
        hashes: dict[str, str] = {}
        for kind, tables in ((_PRODUCTS, products), (_REVIEWS, reviews.batches())):
            for name, rows, hashed in place.write(kind, tables):
                files[name], hashes[name] = rows, hashed
        if catalog.moves() == moves:
            break
    else:
        raise InvalidBackup(
            "Categories were moved while it was made.", where=catalog_uri, fix="Make it again."
        )
    made = Backup(
        place.version,
        catalog.embedding_id,
        catalog.dimension,
        sum(rows for name, rows in files.items() if name.startswith(_PRODUCTS)),
        sum(rows for name, rows in files.items() if name.startswith(_REVIEWS)),
        files,
        tuple((move.old, move.new) for move in moves),
        hashes,
    )
    place.finish(made)
    return made


def backups(folder: str) -> list[Backup]:
    """The whole backups in a folder, the oldest first."""
    files, root = open_filesystem(folder)
    entries = files.get_file_info(pafs.FileSelector(root, allow_not_found=True))
    folders = sorted(entry.base_name for entry in entries if entry.type == pafs.FileType.Directory)
    found = (_Place(folder, version).read() for version in folders)
    return [one for one in found if one is not None]


def restore(
    folder: str, catalog_uri: str, version: str | None = None, progress: Progress | None = None
) -> Backup:
    """Bring a catalog to what it was, or make it anew.

    Products and reviews that were added since are removed, those written while it runs may be: stop
    the writers first. A restore that was stopped is simply repeated.

    Args:
        folder: of the backups.
        catalog_uri: local directory or ``s3://bucket/prefix``.
        version: which of the backups; the newest if not given.
        progress: called now and then with the products restored and all there are.

    Raises:
        InvalidBackup: there is no such backup, or a file of it is missing or damaged.
        EmbeddingMismatch: the catalog that is there answers with other embeddings.
    """
    whole = {one.version: one for one in backups(folder)}
    chosen = whole.get(version or max(whole, default=""))
    if chosen is None:
        raise InvalidBackup(
            f"there is no backup {version}." if version else "there is no backup.",
            where=folder,
            fix=f"It has {', '.join(whole)}." if whole else "Make one with `catalens backup`.",
        )
    place = _Place(folder, chosen.version)
    place.check(chosen)
    _check_target(catalog_uri, chosen)
    catalog = Catalog.create(catalog_uri, chosen.embedding_id, chosen.dimension)
    kept: set[str] = set()
    for rows in place.parts(chosen, _PRODUCTS):
        catalog.put_back([to_product(row, _EMBEDDING) for row in rows.to_pylist()])
        kept.update(rows["id"].to_pylist())
        catalog.maintain()
        if progress:
            progress(len(kept), chosen.products)
    catalog.delete(one for one in catalog.ids() if one not in kept)
    catalog.replace_moves([Move(old, new) for old, new in chosen.moves])
    reviews, queued = Reviews(catalog_uri), set[str]()
    for rows in place.parts(chosen, _REVIEWS):
        reviews.put_rows(rows)
        queued.update(rows["id"].to_pylist())
    reviews.delete([one for one in reviews.ids() if one not in queued])
    catalog.maintain()
    return chosen


def _check_target(uri: str, backup: Backup) -> None:
    active = pointer.read(connect(uri))
    if active is not None and active.embedding_id != backup.embedding_id:
        raise EmbeddingMismatch(
            f"The catalog answers with embeddings {active.embedding_id} and the backup holds "
            f"{backup.embedding_id}.",
            where=uri,
            fix="Restore into a new place, and reindex that.",
        )


def _product_rows(catalog: Catalog, progress: Progress | None) -> Iterator[pa.Table]:
    columns = schema(_EMBEDDING, catalog.dimension)
    products = catalog.scan(with_embeddings=True, with_photos=True)
    total, done = catalog.count(), 0
    for some in chunks(products, _PER_FILE):
        yield _as_rows(some, columns)
        done += len(some)
        if progress:
            progress(min(done, total), total)


def _as_rows(products: list[Product], columns: pa.Schema) -> pa.Table:
    rows = [to_row(one, _EMBEDDING, columns.names, one.revision) for one in products]
    return pa.Table.from_pylist(rows, schema=columns)


class _Place:
    """A backup's own folder."""

    def __init__(self, folder: str, version: str) -> None:
        self.version = version
        self.uri = f"{folder.rstrip('/')}/{version}"
        self._files, self._root = open_filesystem(self.uri)

    def make(self) -> None:
        self._files.create_dir(self._root, recursive=True)

    def write(self, kind: str, tables: Iterable[pa.Table]) -> Iterator[tuple[str, int, str]]:
        """A file for each table: its name, rows and SHA-256."""
        for number, rows in enumerate(tables):
            name = f"{kind}-{number:06d}.parquet"
            content = pa.BufferOutputStream()
            pq.write_table(rows, content)
            data = content.getvalue()
            with self._files.open_output_stream(f"{self._root}/{name}") as out:
                out.write(data)
            yield name, len(rows), hashlib.sha256(data).hexdigest()

    def finish(self, made: Backup) -> None:
        unfinished = f"{self._root}/{_DOCUMENT}.unfinished"
        with self._files.open_output_stream(unfinished) as out:
            out.write(json.dumps(asdict(made), indent=1).encode())
        self._files.move(unfinished, f"{self._root}/{_DOCUMENT}")

    def read(self) -> Backup | None:
        """What it holds; None where it is not whole."""
        try:
            with self._files.open_input_file(f"{self._root}/{_DOCUMENT}") as file:
                found = json.loads(file.read())
            made = Backup(**found | {"moves": tuple((old, new) for old, new in found["moves"])})
        except (OSError, ValueError, TypeError, KeyError):
            return None
        return replace(made, version=self.version)  # also where the folder was renamed

    def check(self, backup: Backup) -> None:
        """Raise InvalidBackup unless every file is there, as it was written."""
        for name, rows in backup.files.items():
            try:
                with self._files.open_input_file(f"{self._root}/{name}") as file:
                    data = file.read_buffer()
                found = len(pq.read_table(data))
            except (OSError, pa.ArrowException) as error:
                raise self._damaged(f"{name} cannot be read ({first_line(error)}).") from error
            if found != rows:
                raise self._damaged(f"{name} has {found} rows, not {rows}.")
            if name in backup.hashes and hashlib.sha256(data).hexdigest() != backup.hashes[name]:
                raise self._damaged(f"{name} is not as it was written.")

    def _damaged(self, what: str) -> InvalidBackup:
        return InvalidBackup(
            what, where=self.uri, fix="Copy the backup again, or name another with --version."
        )

    def parts(self, backup: Backup, kind: str) -> Iterator[pa.Table]:
        for name in sorted(backup.files):
            if name.startswith(f"{kind}-"):
                yield pq.read_table(f"{self._root}/{name}", filesystem=self._files)
