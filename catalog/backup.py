"""Backups of a catalog: each a folder of its own, named for when it was made.

Plain Parquet, apart from the catalog, so that neither its upkeep nor what befalls its disk touches
them. `backup.json` is written last: without it a backup is not whole.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from catalog.errors import CatalogMissing
from catalog.moves import Move
from catalog.reviews.queue import Reviews
from catalog.store import Catalog
from catalog.tables import open_filesystem

Progress = Callable[[int, int], None]

_DOCUMENT: Final = "backup.json"
_NAME: Final = "%Y%m%dT%H%M%S%fZ"


@dataclass(frozen=True)
class Backup:
    """What a backup holds.

    Attributes:
        version: its folder's name, which sorts by time.
        embedding_id, dimension: of the catalog's embeddings.
        products, reviews: how many.
        moves: of categories, old and new paths, the oldest first.
    """

    version: str
    embedding_id: str
    dimension: int
    products: int
    reviews: int
    moves: tuple[tuple[str, str], ...]


def back_up(catalog_uri: str, folder: str, progress: Progress | None = None) -> Backup:
    """Copy a catalog as it is now, while others may go on writing to it.

    Args:
        catalog_uri: local directory or ``s3://bucket/prefix``.
        folder: of the backups; this one becomes a folder in it.
        progress: called now and then with the products copied and all there are.

    Raises:
        CatalogMissing: there is no catalog.
    """
    catalog = Catalog.open(catalog_uri)
    version = datetime.now(UTC).strftime(_NAME)
    files, root = open_filesystem(f"{folder.rstrip('/')}/{version}")
    files.create_dir(root, recursive=True)
    total, done = catalog.count(), 0
    for number, rows in enumerate(catalog.batches()):
        pq.write_table(pa.Table.from_batches([rows]), _part(root, number), filesystem=files)
        done += rows.num_rows
        if progress:
            progress(min(done, total), total)
    reviews = Reviews(catalog_uri).table()
    pq.write_table(reviews, f"{root}/reviews.parquet", filesystem=files)
    moves = tuple((move.old, move.new) for move in catalog.moves())
    made = Backup(version, catalog.embedding_id, catalog.dimension, done, len(reviews), moves)
    with files.open_output_stream(f"{root}/{_DOCUMENT}") as out:
        out.write(json.dumps(asdict(made), indent=1).encode())
    return made


def backups(folder: str) -> list[Backup]:
    """The whole backups in a folder, the oldest first."""
    files, root = open_filesystem(folder)
    found = files.get_file_info(pafs.FileSelector(root, recursive=True, allow_not_found=True))
    documents = sorted(entry.path for entry in found if entry.base_name == _DOCUMENT)
    return [_read(files, path) for path in documents]


def restore(
    folder: str, catalog_uri: str, version: str | None = None, progress: Progress | None = None
) -> Backup:
    """Bring a catalog to what it was, or make it anew.

    Products that were added since are removed. A restore that was stopped is simply repeated.

    Args:
        folder: of the backups.
        catalog_uri: local directory or ``s3://bucket/prefix``.
        version: which of the backups; the newest if not given.
        progress: called now and then with the products restored and all there are.

    Raises:
        CatalogMissing: there is no such backup.
        EmbeddingMismatch: the catalog that is there holds other embeddings.
    """
    whole = {one.version: one for one in backups(folder)}
    chosen = whole.get(version or max(whole, default=""))
    if chosen is None:
        raise CatalogMissing(
            f"There is no backup {version}." if version else "There is no backup.",
            where=folder,
            fix=f"It has {', '.join(whole)}." if whole else "Make one with `catalens backup`.",
        )
    files, root = open_filesystem(f"{folder.rstrip('/')}/{chosen.version}")
    catalog = Catalog.create(catalog_uri, chosen.embedding_id, chosen.dimension)
    kept: set[str] = set()
    for rows in _parts(files, root):
        catalog.put_rows(rows)
        kept.update(rows["id"].to_pylist())
        if progress:
            progress(len(kept), chosen.products)
    catalog.delete_all(one for one in catalog.ids() if one not in kept)
    catalog.replace_moves([Move(old, new) for old, new in chosen.moves])
    Reviews(catalog_uri).restore(pq.read_table(f"{root}/reviews.parquet", filesystem=files))
    catalog.maintain()
    return chosen


def _part(root: str, number: int) -> str:
    return f"{root}/products-{number:06d}.parquet"


def _parts(files: Any, root: str) -> Iterator[pa.Table]:
    number = 0
    while files.get_file_info(_part(root, number)).is_file:
        yield pq.read_table(_part(root, number), filesystem=files)
        number += 1


def _read(files: Any, path: str) -> Backup:
    with files.open_input_file(path) as file:
        found = json.loads(file.read())
    return Backup(**found | {"moves": tuple((old, new) for old, new in found["moves"])})
