"""A catalog for another bundle: every product embedded again from the photo copies it keeps.

The new embeddings are filled in beside the old ones, which answer until all are there. Products
that are written meanwhile are written once, for both; their new embeddings follow. A reindex that
was killed goes on where it was, and several at once do each other no harm.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

import numpy as np
from numpy.typing import NDArray

from catalog.chunks import chunks
from catalog.product import Product, mean_embedding
from catalog.store import Catalog
from inference.bundle import Bundle
from inference.devices import Device
from inference.session import Session
from inference.stored_photos import see_products

Progress = Callable[[int, int], None]

_PER_COMMIT: Final = 256
# A product whose embedding is added has to be indexed anew, and is searched one by one until then.
_COMPACTED_EVERY: Final = 4_096


@dataclass(frozen=True)
class ReindexReport:
    """What a reindex did.

    Attributes:
        products: that the catalog holds.
        embedded: those of them that were embedded in this run.
        unreadable: ids of products of which no stored photo could be read; they are found by name.
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
    stopped: Callable[[], bool] = lambda: False,
) -> ReindexReport:
    """Fill a catalog with a bundle's embeddings, and let it answer with them.

    Args:
        bundle: embeds the photos.
        catalog_uri: local directory or ``s3://bucket/prefix`` of a catalog that is there.
        progress: called now and then with the products done and all that were to do.
        device: where the graph runs.
        runs: cores that are worked on; all if not given.
        activate: False only fills, and leaves it with the embeddings that it answers with.
        stopped: asked now and then whether to give up; what is filled in stays.

    Raises:
        CatalogMissing: there is no catalog.
        DeviceUnavailable: the device asked for is not there.
    """
    document = bundle.document
    catalog = Catalog.beside(catalog_uri, document.embedding_id, document.embedding_dimension)
    filling = _Filling(catalog, lambda: Session(bundle, device=device, threads=1), runs, stopped)
    filling.run(progress)
    if not stopped():
        catalog.maintain()
        if activate:
            catalog.activate()
            filling.run(None)  # what others wrote for the old bundle meanwhile
    return ReindexReport(catalog.count(), filling.embedded, tuple(sorted(filling.unreadable)))


class _Filling:
    """Embeds what is not embedded yet, until nothing is left."""

    def __init__(
        self,
        catalog: Catalog,
        open_session: Callable[[], Session],
        runs: int | None,
        stopped: Callable[[], bool],
    ) -> None:
        self.embedded = 0
        self.unreadable: set[str] = set()
        self._catalog = catalog
        self._open_session = open_session
        self._session: Session | None = None
        self._runs = runs
        self._stopped = stopped

    def run(self, progress: Progress | None) -> None:
        done = 0
        while ids := [one for one in self._catalog.not_embedded() if one not in self.unreadable]:
            total = done + len(ids)
            found = self._embedded(ids)
            for batch in chunks(found, _PER_COMMIT):
                self._catalog.embed(batch)
                self.embedded += len(batch)
                done += len(batch)
                if self.embedded % _COMPACTED_EVERY < len(batch):
                    self._catalog.compact()
                if progress:
                    progress(done, total)
                if self._stopped():
                    return

    def _embedded(self, ids: Sequence[str]) -> Iterator[tuple[Product, NDArray[np.float32]]]:
        self._session = self._session or self._open_session()
        read = map(self._catalog.get_all, chunks(ids, _PER_COMMIT))
        products = chain.from_iterable(some.values() for some in read)
        for product, embeddings in see_products(self._session, products, runs=self._runs):
            if embeddings:
                yield product, mean_embedding(np.stack(embeddings))
            else:
                self.unreadable.add(product.id)
