"""The live catalog: the one process that writes products, and answers searches by embedding.

It is a deployment of its own. Searches carry embeddings and writes the small photo copy, so no
photo is decoded here. A put is committed before it is answered; puts that come while another is
being committed share the next commit.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from catalog.categorise import Neighbour
from catalog.errors import CatalensError, EmbeddingMismatch
from catalog.filters import Filter
from catalog.pointer import other_embedding
from catalog.product import Product
from catalog.store import Catalog
from inference.bundle import read_bundle
from inference.neighbours import find_neighbours
from serve.catalog_door import CatalogFacts, Near, Refusal
from serve.loopback import keep_replica_on_loopback

_logger = logging.getLogger(__name__)
_Answer = TypeVar("_Answer")


class LiveCatalog:
    """A catalog at work; every answer that is a `Refusal` stands for an error.

    While the service changes to a bundle with another embedding, replicas ask with either: each
    is answered from its own embeddings, and products are written to those that the catalog has
    changed over to.

    Args:
        uri: of the catalog.
        maintain_every_s: how often it is compacted and its indices brought up to date.

    Raises:
        CatalogMissing: there is none.
    """

    def __init__(self, uri: str, maintain_every_s: float) -> None:
        self._catalog = Catalog.open(uri)
        self._others: dict[str, Catalog] = {}
        self._maintain_every_s = maintain_every_s
        self._upkeep: asyncio.Task[None] | None = None
        self._pending: list[_Put] = []
        self._commit: asyncio.Task[None] | None = None
        self._reindexing: tuple[str, asyncio.Task[None]] | None = None
        self._reindexed: float | None = None

    async def facts(self) -> CatalogFacts | Refusal:
        """Its address, embedding and size."""
        catalog = self._catalog
        return await _answer(
            lambda: CatalogFacts(
                catalog.uri,
                catalog.embedding_id,
                catalog.dimension,
                catalog.count(),
                self._reindexed,
            )
        )

    async def follow(self, bundle: str, embedding_id: str, start: bool) -> Refusal | None:
        """Answer for a bundle: when it returns, every product has an embedding of the bundle's.

        Args:
            bundle: its directory.
            embedding_id: its own.
            start: whether to embed the catalog's products for it, in the background, where that
                is still to do; one that was begun is waited for either way.
        """
        try:
            await self._follow(bundle, embedding_id, start)
        except CatalensError as error:
            return _refusal(error)
        return None

    async def put(self, product: Product, embedding_id: str) -> Refusal | None:
        """Insert or replace a product; when it returns, every search finds it.

        Args:
            product: as it is to be kept.
            embedding_id: of the bundle that embedded it.
        """
        self._start_upkeep()
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pending.append(_Put(product, embedding_id, done))
        if self._commit is None:
            self._commit = asyncio.create_task(self._commit_pending())
        try:
            await done
        except CatalensError as error:
            return _refusal(error)
        return None

    async def get(self, product_id: str) -> Product | Refusal | None:
        """The whole product, or None."""
        return await _answer(lambda: self._catalog.get(product_id))

    async def delete(self, product_id: str) -> int | Refusal:
        """Remove a product; how many there were."""
        return await _answer(lambda: self._delete([product_id]))

    async def categories(self) -> dict[str, int] | Refusal:
        """Products per category path."""
        return await _answer(self._catalog.categories)

    async def neighbours(
        self, embedding: NDArray[np.float32] | None, embedding_id: str, name: str | None
    ) -> list[Neighbour] | Refusal:
        """What `categorise` pools: the filed products nearest by photo or by name."""
        return await _answer(lambda: find_neighbours(self._of(embedding_id), embedding, name))

    async def search(
        self,
        embedding: NDArray[np.float32] | None,
        embedding_id: str,
        text: str | None,
        limit: int,
        where: Filter | None = None,
    ) -> list[Near] | Refusal:
        """The union of the products nearest by photo and those found by words, each once.

        Args:
            embedding: float32 [D] of unit length.
            embedding_id: of the bundle that made it.
            text: words to look for in names.
            limit: hits of each search at most.
            where: which products may be found.
        """
        return await _answer(lambda: _search(self._of(embedding_id), embedding, text, limit, where))

    async def _commit_pending(self) -> None:
        while self._pending:
            batch, self._pending = self._pending, []
            if not await self._put_all(batch) and len(batch) > 1:
                for one in batch:  # one product that cannot be kept must not cost the others
                    await self._put_all([one])
        self._commit = None

    async def _put_all(self, batch: "Sequence[_Put]") -> bool:
        """Put them in one commit; what fails is told only to one who asked alone."""
        try:
            await asyncio.to_thread(self._put, batch)
        except Exception as error:  # noqa: BLE001 - handed to the one who waits
            if len(batch) == 1:
                _settle(batch[0].done, error)
            return False
        for one in batch:
            _settle(one.done, None)
        return True

    def _put(self, batch: "Sequence[_Put]") -> None:
        catalog = self._catalog
        for one in batch:
            if one.product.embedding is not None and one.embedding_id != catalog.embedding_id:
                raise other_embedding(catalog.uri, catalog.embedding_id, one.embedding_id)
        try:
            catalog.put([one.product for one in batch])
        except EmbeddingMismatch:
            self._reopen()
            raise

    def _delete(self, ids: Sequence[str]) -> int:
        try:
            return self._catalog.delete(ids)
        except EmbeddingMismatch:
            self._reopen()
            return self._catalog.delete(ids)

    def _reopen(self) -> None:
        """The catalog has changed over to another bundle's embeddings."""
        before, self._catalog = self._catalog, Catalog.open(self._catalog.uri)
        self._others = {before.embedding_id: before}

    def _of(self, embedding_id: str) -> Catalog:
        catalog = self._catalog
        if embedding_id == catalog.embedding_id:
            return catalog
        if embedding_id not in self._others:
            self._others[embedding_id] = Catalog.beside(catalog.uri, embedding_id)
        return self._others[embedding_id]

    async def _follow(self, bundle: str, embedding_id: str, start: bool) -> None:
        if embedding_id != self._catalog.embedding_id:
            await asyncio.to_thread(self._reopen)
        if embedding_id == self._catalog.embedding_id:
            return
        if self._reindexing is None or self._reindexing[0] != embedding_id:
            if not start:
                own = self._catalog.embedding_id
                raise other_embedding(self._catalog.uri, own, embedding_id)
            if self._reindexing is not None:
                await asyncio.wait([self._reindexing[1]])
            task = asyncio.create_task(asyncio.to_thread(self._reindex, bundle))
            self._reindexing = (embedding_id, task)
        running = self._reindexing
        try:
            await asyncio.shield(running[1])
        finally:
            if self._reindexing is running and running[1].done():
                self._reindexing = None

    def _reindex(self, bundle: str) -> None:
        from inference.reindexer import reindex  # ONNX Runtime, which nothing else here needs
        from inference.session import cores

        def progress(done: int, total: int) -> None:
            self._reindexed = done / max(1, total)

        threads = max(1, cores() // 2)  # the others answer meanwhile
        try:
            reindex(read_bundle(bundle), self._catalog.uri, progress, device="cpu", threads=threads)
            self._reopen()
        finally:
            self._reindexed = None

    def _start_upkeep(self) -> None:
        if self._upkeep is None:
            self._upkeep = asyncio.create_task(self._maintain_now_and_then())

    async def _maintain_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(self._maintain_every_s)
            try:
                await asyncio.to_thread(self._catalog.maintain)
            except Exception:
                _logger.exception("the catalog could not be compacted; it is tried again")


class ServedCatalog(LiveCatalog):
    """The live catalog as a replica."""

    def __init__(self, uri: str, maintain_every_s: float) -> None:
        keep_replica_on_loopback()
        super().__init__(uri, maintain_every_s)


@dataclass(frozen=True)
class _Put:
    """A product that waits for its commit."""

    product: Product
    embedding_id: str
    done: "asyncio.Future[None]"


def _search(
    catalog: Catalog,
    embedding: NDArray[np.float32] | None,
    text: str | None,
    limit: int,
    where: Filter | None,
) -> list[Near]:
    found: dict[str, Near] = {}
    if text:
        for hit in catalog.search_name(text, limit, where):
            found[hit.product.id] = Near(hit.product, None)
    if embedding is not None:
        for hit in catalog.search_image(embedding, limit, where):
            found[hit.product.id] = Near(hit.product, hit.similarity)
    return list(found.values())


async def _answer(ask: Callable[[], _Answer]) -> _Answer | Refusal:
    try:
        return await asyncio.to_thread(ask)
    except CatalensError as error:
        return _refusal(error)


def _refusal(error: CatalensError) -> Refusal:
    return Refusal(error.type, error.what, error.where, error.fix)


def _settle(done: "asyncio.Future[None]", error: Exception | None) -> None:
    if done.done():  # its caller went away
        return
    if error is None:
        done.set_result(None)
    else:
        done.set_exception(error)
