"""The live catalog: the one process that writes products, and answers searches by embedding.

It is a deployment of its own. Searches carry embeddings and writes the small photo copy, so no
photo is decoded here. A put is committed before it is answered; puts that come while another is
being committed share the next commit.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from catalog.categorise import Neighbour
from catalog.errors import CatalensError
from catalog.filters import Filter
from catalog.product import Product
from catalog.store import Catalog
from inference.neighbours import find_neighbours
from serve.catalog_door import CatalogFacts, Near, Refusal
from serve.loopback import keep_replica_on_loopback

_logger = logging.getLogger(__name__)
_Answer = TypeVar("_Answer")


class LiveCatalog:
    """A catalog at work; every answer that is a `Refusal` stands for an error.

    Args:
        uri: of the catalog.
        maintain_every_s: how often it is compacted and its indices brought up to date.

    Raises:
        CatalogMissing: there is none.
    """

    def __init__(self, uri: str, maintain_every_s: float) -> None:
        self._catalog = Catalog.open(uri)
        self._maintain_every_s = maintain_every_s
        self._upkeep: asyncio.Task[None] | None = None
        self._pending: list[tuple[Product, asyncio.Future[None]]] = []
        self._commit: asyncio.Task[None] | None = None

    async def facts(self) -> CatalogFacts | Refusal:
        """Its address, embedding and size."""
        catalog = self._catalog
        return await _answer(
            lambda: CatalogFacts(
                catalog.uri, catalog.embedding_id, catalog.dimension, catalog.count()
            )
        )

    async def put(self, product: Product) -> Refusal | None:
        """Insert or replace a product; when it returns, every search finds it."""
        self._start_upkeep()
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pending.append((product, done))
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
        return await _answer(lambda: self._catalog.delete([product_id]))

    async def categories(self) -> dict[str, int] | Refusal:
        """Products per category path."""
        return await _answer(self._catalog.categories)

    async def neighbours(
        self, embedding: NDArray[np.float32] | None, name: str | None
    ) -> list[Neighbour] | Refusal:
        """What `categorise` pools: the filed products nearest by photo or by name."""
        return await _answer(lambda: find_neighbours(self._catalog, embedding, name))

    async def search(
        self,
        embedding: NDArray[np.float32] | None,
        text: str | None,
        limit: int,
        where: Filter | None = None,
    ) -> list[Near] | Refusal:
        """The union of the products nearest by photo and those found by words, each once.

        Args:
            embedding: float32 [D] of unit length.
            text: words to look for in names.
            limit: hits of each search at most.
            where: which products may be found.
        """
        return await _answer(lambda: self._search(embedding, text, limit, where))

    def _search(
        self,
        embedding: NDArray[np.float32] | None,
        text: str | None,
        limit: int,
        where: Filter | None,
    ) -> list[Near]:
        found: dict[str, Near] = {}
        if text:
            for hit in self._catalog.search_name(text, limit, where):
                found[hit.product.id] = Near(hit.product, None)
        if embedding is not None:
            for hit in self._catalog.search_image(embedding, limit, where):
                found[hit.product.id] = Near(hit.product, hit.similarity)
        return list(found.values())

    async def _commit_pending(self) -> None:
        while self._pending:
            batch, self._pending = self._pending, []
            try:
                await asyncio.to_thread(self._catalog.put, [product for product, _ in batch])
            except Exception as error:  # noqa: BLE001 - handed to those who wait
                if len(batch) > 1:
                    await self._commit_singly(batch)
                else:
                    _settle(batch[0][1], error)
            else:
                for _, done in batch:
                    _settle(done, None)
        self._commit = None

    async def _commit_singly(self, batch: Sequence[tuple[Product, asyncio.Future[None]]]) -> None:
        """One product that cannot be kept must not cost the others."""
        for product, done in batch:
            try:
                await asyncio.to_thread(self._catalog.put, [product])
            except Exception as error:  # noqa: BLE001 - handed to the one who waits
                _settle(done, error)
            else:
                _settle(done, None)

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
