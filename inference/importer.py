"""A manifest into a catalog: embeddings and small photo copies of every product.

An import may be killed at any moment and run again: products that the catalog already holds with
the same facts and the same photos are not put through the network a second time.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import chain, groupby
from pathlib import Path
from typing import Self

import numpy as np

from catalog.chunks import chunks
from catalog.errors import CatalensError, InvalidRequest
from catalog.images import COPY_SIDE, jpeg_copy
from catalog.manifest import BadRow, Manifest, Row
from catalog.moves import Move, moved
from catalog.product import Product, mean_embedding
from catalog.reviews.queue import Reviews
from catalog.store import Catalog
from catalog.tables import read_bytes
from inference.bundle import Bundle
from inference.devices import Device
from inference.photos import SeenRow, see_rows
from inference.session import Session, cores

_PER_COMMIT = 256

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class ImportReport:
    """What an import did.

    Attributes:
        products: that the catalog now holds from this manifest.
        photos: of these products.
        unchanged: those of the products that were there already, just so.
        bad: rows that were skipped.
        seconds: wall time.
    """

    products: int
    photos: int
    unchanged: int
    bad: tuple[BadRow, ...]
    seconds: float


def import_manifest(
    bundle: Bundle,
    manifest: Manifest,
    catalog_uri: str,
    progress: Progress | None = None,
    *,
    device: Device = "auto",
    bad_rows_file: Path | None = None,
) -> ImportReport:
    """Put every product of a manifest into a catalog, which is made if it is not there.

    Rows with one id are photos of one product; its embedding is their mean, brought back to unit
    length. A product may have only a name. Categories that were moved since the manifest was
    written, and those that a person gave in review, stay as they are in the catalog.

    Args:
        bundle: embeds the photos.
        manifest: already narrowed to the split wanted.
        catalog_uri: local directory or ``s3://bucket/prefix``.
        progress: called now and then with the rows done and all there are.
        device: where the graph runs.
        bad_rows_file: where to list the bad rows, as CSV.

    Raises:
        EmbeddingMismatch: the catalog holds embeddings of another model.
        InvalidManifest: too many bad rows; what was put until then stays.
        DeviceUnavailable: the device asked for is not there.
    """
    started = time.perf_counter()
    document = bundle.document
    session = Session(bundle, device=device, threads=1)
    catalog = Catalog.create(catalog_uri, document.embedding_id, document.embedding_dimension)
    filing = _Filing.now(catalog)
    grouped: dict[str, list[Row]] = {}
    for row in manifest.rows:
        grouped.setdefault(row.id, []).append(row)
    there = set(catalog.ids())
    unchanged, todo = _unchanged(catalog, grouped, there, filing)
    rows_there = [row for product_id in unchanged for row in grouped[product_id]]
    products, photos = len(unchanged), sum(row.image is not None for row in rows_there)
    bad: list[BadRow] = []
    rows = chain.from_iterable(grouped[product_id] for product_id in todo)
    answers = see_rows(session, rows, copy_side=COPY_SIDE)
    if progress:
        answers = _reported(answers, progress, len(rows_there), len(manifest.rows))
    found = _products(answers, grouped, there, bad)
    put: list[Product] = []
    with ThreadPoolExecutor(1, "put") as writer:
        writing: Future[list[Product]] | None = None
        for batch in chunks(found, _PER_COMMIT):
            if writing is not None:
                put += writing.result()
            writing = writer.submit(_put, catalog, batch)  # while the next ones are embedded
            products += len(batch)
            photos += sum(len(product.photos) for product in batch)
            if len(bad) > manifest.max_bad * (len(manifest.rows) + len(manifest.bad)):
                break
        if writing is not None:
            put += writing.result()
    if _Filing.now(catalog) != filing:
        _file_again(catalog, put)
    kept = manifest.with_bad(bad, bad_rows_file)
    catalog.maintain()
    seconds = time.perf_counter() - started
    return ImportReport(products, photos, len(unchanged), kept.bad, seconds)


@dataclass(frozen=True)
class _Filing:
    """Where products are filed, whatever an older feed says.

    Attributes:
        moves: of categories since.
        decided: by product id, the category that a person gave.
    """

    moves: tuple[Move, ...]
    decided: Mapping[str, str]

    @classmethod
    def now(cls, catalog: Catalog) -> Self:
        """As it stands; people decide and move while an import runs for hours."""
        return cls(catalog.moves(), Reviews(catalog.uri).decided_categories())

    def category(self, product_id: str, stated: str | None) -> str | None:
        if product_id in self.decided:
            return self.decided[product_id]
        return stated and moved(stated, self.moves)


def _put(catalog: Catalog, products: list[Product]) -> list[Product]:
    """Put products where they are filed by now; returns them without photos, as they came."""
    filing = _Filing.now(catalog)
    catalog.put([replace(one, category=filing.category(one.id, one.category)) for one in products])
    return [Product(one.id, category=one.category) for one in products]


def _file_again(catalog: Catalog, products: Sequence[Product]) -> None:
    """What was decided or moved in the moment of a put, which had not heard of it."""
    filing = _Filing.now(catalog)
    for some in chunks(products, _PER_COMMIT):
        stored = catalog.get_all([one.id for one in some], with_photos=False)
        for one in some:
            category = filing.category(one.id, one.category)
            if one.id in stored and stored[one.id].category != category:
                catalog.file(one.id, category, only_from=stored[one.id].category)


def _unchanged(
    catalog: Catalog, grouped: Mapping[str, list[Row]], there: Set[str], filing: _Filing
) -> tuple[list[str], list[str]]:
    """Product ids whose facts and photos the catalog holds already, and the other ids."""
    known = [product_id for product_id in grouped if product_id in there]
    done: set[str] = set()
    with ThreadPoolExecutor(cores(), "compare") as pool:
        for some in chunks(known, _PER_COMMIT):
            stored = catalog.get_all(some)
            same = pool.map(lambda one: _is_same(one, grouped[one.id], filing), stored.values())
            done.update(one for one, is_same in zip(stored, same, strict=True) if is_same)
    unchanged = [product_id for product_id in known if product_id in done]
    return unchanged, [product_id for product_id in grouped if product_id not in done]


def _is_same(stored: Product, rows: list[Row], filing: _Filing) -> bool:
    try:
        wanted = _facts(rows)
        copies = tuple(
            jpeg_copy(read_bytes(row.image), COPY_SIDE) for row in rows if row.image is not None
        )
    except CatalensError:
        return False  # the import itself says what is wrong
    return (
        stored.photos == copies
        and (stored.embedding is not None) == bool(copies)
        and (stored.name, stored.category)
        == (wanted.name, filing.category(wanted.id, wanted.category))
        and stored.attributes == wanted.attributes
    )


def _reported(
    answers: Iterable[SeenRow | BadRow], progress: Progress, before: int, total: int
) -> Iterator[SeenRow | BadRow]:
    for done, answer in enumerate(answers, start=before + 1):
        yield answer
        progress(done, total)


def _products(
    answers: Iterable[SeenRow | BadRow],
    grouped: Mapping[str, list[Row]],
    there: Set[str],
    bad: list[BadRow],
) -> Iterator[Product]:
    """Products from rows that come product by product; rows that cannot be used go to ``bad``.

    A product that is ``there`` already stays as it is when a photo of it cannot be read: storage
    may be away for a moment.
    """
    ids = {row.line: row.id for rows in grouped.values() for row in rows}

    def product_of(answer: SeenRow | BadRow) -> str:
        return answer.row.id if isinstance(answer, SeenRow) else ids[answer.line]

    for product_id, group in groupby(answers, key=product_of):
        rows_bad, photos = _parted(group)
        bad += rows_bad
        if not photos or (rows_bad and product_id in there):
            continue
        rows = [seen.row for seen in photos]
        embeddings = [seen.embedding for seen in photos if seen.embedding is not None]
        try:
            yield replace(
                _facts(rows),
                embedding=mean_embedding(np.stack(embeddings)) if embeddings else None,
                photos=tuple(seen.copy for seen in photos if seen.copy is not None),
            )
        except InvalidRequest as error:
            bad.extend(BadRow(row.line, row.image or "", "id", error.what) for row in rows)


def _parted(answers: Iterable[SeenRow | BadRow]) -> tuple[list[BadRow], list[SeenRow]]:
    bad: list[BadRow] = []
    seen: list[SeenRow] = []
    for answer in answers:
        if isinstance(answer, BadRow):
            bad.append(answer)
        else:
            seen.append(answer)
    return bad, seen


def _facts(rows: list[Row]) -> Product:
    """What the rows of one product say of it, its category as they state it, without its photos."""
    name = next((row.name for row in rows if row.name), None)
    if name is None and all(row.image is None for row in rows):
        raise InvalidRequest("The product has neither photo nor name.", where=rows[0].id)
    return Product(
        id=rows[0].id,
        name=name,
        category=next((row.category for row in rows if row.category), None),
        attributes=dict(chain.from_iterable(row.attributes.items() for row in reversed(rows))),
    )
