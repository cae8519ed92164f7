"""A catalog for another bundle: every product embedded again from the photo copies it keeps.

The new embeddings are filled in beside the old ones, which answer until all are there. Products
that are written meanwhile are caught up with, before the catalog changes over and once after; a
reindex that was killed goes on where it was.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, islice
from typing import Final

import numpy as np

from catalog.manifest import BadRow, Row
from catalog.product import Product, mean_embedding
from catalog.store import Catalog
from inference.bundle import Bundle
from inference.devices import Device
from inference.photos import SeenRow, see_rows
from inference.session import Session

Progress = Callable[[int, int], None]

_PER_COMMIT: Final = 256
_PASSES: Final = 5  # by then writers are as fast as we are, and the change-over is the last one


@dataclass(frozen=True)
class ReindexReport:
    """What a reindex did.

    Attributes:
        products: that the catalog holds now.
        embedded: those of them that were embedded in this run.
        unreadable: ids of products of which no stored photo could be read; they keep their names.
    """

    products: int
    embedded: int
    unreadable: tuple[str, ...]


def reindex(
    bundle: Bundle,
    catalog_uri: str,
    progress: Progress | None = None,
    *,
    device: Device = "auto",
    runs: int | None = None,
    activate: bool = True,
) -> ReindexReport:
    """Fill a catalog with a bundle's embeddings, and let it answer with them.

    Args:
        bundle: embeds the photos.
        catalog_uri: local directory or ``s3://bucket/prefix`` of a catalog that is there.
        progress: called now and then with the products done and all there are.
        device: where the graph runs.
        runs: cores that are worked on; all if not given.
        activate: False only fills; a server that then changes to the bundle has little left to do.

    Raises:
        CatalogMissing: there is no catalog.
        DeviceUnavailable: the device asked for is not there.
    """
    document = bundle.document
    old = Catalog.open(catalog_uri)
    if old.embedding_id == document.embedding_id:
        return ReindexReport(old.count(), 0, ())
    new = Catalog.beside(catalog_uri, document.embedding_id, document.embedding_dimension)
    session = Session(bundle, device=device, threads=1)
    copying = _Copying(session, old, new, runs)
    for _ in range(_PASSES):
        if not copying.run(progress):
            break
    if activate:
        new.activate()
        copying.run(None)  # what was written while the last pass ran
    new.maintain()
    return ReindexReport(new.count(), copying.embedded, tuple(copying.unreadable))


class _Copying:
    """Brings the new products to the state of the old ones, pass by pass."""

    def __init__(self, session: Session, old: Catalog, new: Catalog, runs: int | None) -> None:
        self._session = session
        self._runs = runs
        self._old = old
        self._new = new
        self._states = {product.id: _state(product) for product in new.scan(with_photos=True)}
        self.embedded = 0
        self.unreadable: list[str] = []

    def run(self, progress: Progress | None) -> int:
        """One pass; how many products it changed."""
        seen: set[str] = set()
        changed = 0
        embedded = self._embedded(self._differing(seen, progress))
        while batch := list(islice(embedded, _PER_COMMIT)):
            changed += self._put(batch)
        gone = sorted(self._states.keys() - seen)
        for start in range(0, len(gone), _PER_COMMIT):
            some = self._untouched(gone[start : start + _PER_COMMIT])
            changed += self._new.delete(some)
        for product_id in gone:
            del self._states[product_id]
        return changed

    def _differing(self, seen: set[str], progress: Progress | None) -> Iterator[Product]:
        total = self._old.count()
        for done, product in enumerate(self._old.scan(with_photos=True), start=1):
            seen.add(product.id)
            if self._states.get(product.id) != _state(product):
                yield product
            if progress:
                progress(min(done, total), total)

    def _embedded(self, products: Iterator[Product]) -> Iterator[Product]:
        held: dict[str, bytes] = {}
        begun: dict[str, Product] = {}

        def rows() -> Iterator[Row]:
            for product in products:
                begun[product.id] = product
                if not product.photos:
                    yield Row(0, None, None, None, product.id, None)
                for number, photo in enumerate(product.photos):
                    place = f"{product.id}, photo {number}"
                    held[place] = photo
                    yield Row(number, place, None, None, product.id, None)

        answers = see_rows(self._session, rows(), read=held.pop, runs=self._runs)
        for product_id, group in groupby(answers, key=_product_of):
            product = begun.pop(product_id)
            embeddings = [
                one.embedding
                for one in group
                if isinstance(one, SeenRow) and one.embedding is not None
            ]
            if product.photos and not embeddings:
                self.unreadable.append(product.id)
            yield replace(
                product, embedding=mean_embedding(np.stack(embeddings)) if embeddings else None
            )

    def _put(self, batch: Sequence[Product]) -> int:
        untouched = set(self._untouched([product.id for product in batch]))
        batch = [product for product in batch if product.id in untouched]
        self._new.put(batch)
        self._states.update((product.id, _state(product)) for product in batch)
        self.embedded += sum(product.embedding is not None for product in batch)
        return len(batch)

    def _untouched(self, ids: Sequence[str]) -> list[str]:
        """Those that no other writer has changed in the new products, which are newer then."""
        there = self._new.get_all(ids)
        states = {one: _state(there[one]) if one in there else None for one in ids}
        return [one for one in ids if states[one] == self._states.get(one)]


def _product_of(answer: SeenRow | BadRow) -> str:
    if isinstance(answer, BadRow):
        return answer.image.rpartition(", photo ")[0]
    return answer.row.id


def _state(product: Product) -> bytes:
    """Digest of all that the shop gave: a product with the same one needs no new embedding."""
    facts = (product.name, product.category, sorted(product.attributes.items()))
    digest = hashlib.sha256(repr(facts).encode())
    for photo in product.photos:
        digest.update(hashlib.sha256(photo).digest())
    return digest.digest()
