"""The live catalog: the one process that writes products, and answers searches by embedding.

It is a deployment of its own. Searches carry embeddings and writes the small photo copy, so no
photo is decoded here. A write is committed before it is answered.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from catalog.errors import CatalensError, EmbeddingMismatch
from catalog.filters import Filter
from catalog.moves import Move
from catalog.pointer import other_embedding
from catalog.product import Product
from catalog.reviews.decide import decide, undo, unknown
from catalog.reviews.queue import Reviews
from catalog.reviews.record import Review, Status
from catalog.store import Catalog
from inference.bundle import read_bundle
from inference.neighbours import find_neighbours
from serve.catalog_door import CatalogFacts, Near, Refusal, Surroundings
from serve.group_commit import GroupCommit
from serve.loopback import keep_replica_on_loopback

_logger = logging.getLogger(__name__)
_Answer = TypeVar("_Answer")
_MOVES_READ_EVERY_S: Final = 5.0


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
        self._reviews = Reviews(uri)
        self._puts = GroupCommit(self._put)
        self._kept = GroupCommit(self._reviews.keep)
        self._moves = (time.monotonic(), self._catalog.moves())
        self._deciding = threading.Lock()
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
        try:
            await self._puts.submit(_Put(product, embedding_id))
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

    async def keep_review(self, review: Review) -> Refusal | None:
        """Queue an answer for a person; when it returns, it is on disk."""
        try:
            await self._kept.submit(review)
        except CatalensError as error:
            return _refusal(error)
        return None

    async def reviews(self, statuses: Sequence[Status]) -> list[Review] | Refusal:
        """The reviews of those statuses without their photos, the oldest first."""
        return await _answer(lambda: self._reviews.list(statuses))

    async def review(self, review_id: str) -> Review | Refusal:
        """One review with its photos."""
        return await _answer(lambda: self._review(review_id))

    async def decide(
        self, review_id: str, path: str, product: Product, embedding_id: str
    ) -> Review | Refusal:
        """A person's word on an answer; when it returns, the next search finds the product there.

        Args:
            review_id: of the answer.
            path: the category.
            product: what is filed where the catalog does not hold it yet.
            embedding_id: of the bundle that embedded it.
        """
        return await _answer(lambda: self._decide(review_id, path, product, embedding_id))

    async def undo(self, review_id: str) -> Review | Refusal:
        """Take a person's word back."""
        return await _answer(lambda: self._undo(review_id))

    async def surroundings(
        self,
        embedding: NDArray[np.float32] | None,
        embedding_id: str,
        name: str | None,
        review_id: str | None,
    ) -> Surroundings | Refusal:
        """What `categorise` needs: the filed products nearest by photo or by name, and more.

        Args:
            embedding: float32 [D] of unit length, or None.
            embedding_id: of the bundle that made it.
            name: of the product, or None.
            review_id: what a review of this product would be called, if that is of interest.
        """

        def look() -> Surroundings:
            decided = None if review_id is None else self._reviews.decided(review_id)
            neighbours = find_neighbours(self._of(embedding_id), embedding, name)
            return Surroundings(tuple(neighbours), self._recent_moves(), decided)

        return await _answer(look)

    async def move_category(self, old: str, new: str) -> int | Refusal:
        """Rename, merge or move a category, with its products and reviews; how many products."""
        return await _answer(lambda: self._move_category(old, new))

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

    def _put(self, batch: "Sequence[_Put]") -> None:
        def put(catalog: Catalog) -> None:
            for one in batch:
                _check_embedding(catalog, one.product, one.embedding_id)
            catalog.put([one.product for one in batch])

        self._write(put, embedded=True)

    def _delete(self, ids: Sequence[str]) -> int:
        self._reviews.delete_of(ids)
        return self._write(lambda catalog: catalog.delete(ids))

    def _decide(self, review_id: str, path: str, product: Product, embedding_id: str) -> Review:
        def file(catalog: Catalog) -> Review:
            _check_embedding(catalog, product, embedding_id)
            return decide(catalog, self._reviews, self._review(review_id), path, product)

        with self._deciding:
            return self._write(file, embedded=True)

    def _undo(self, review_id: str) -> Review:
        with self._deciding:
            return self._write(
                lambda catalog: undo(catalog, self._reviews, self._review(review_id))
            )

    def _move_category(self, old: str, new: str) -> int:
        products = self._write(lambda catalog: catalog.move_category(old, new))
        self._reviews.move_category(Move(old, new))
        self._moves = (time.monotonic(), self._catalog.moves())
        return products

    def _recent_moves(self) -> tuple[Move, ...]:
        """Also those of other processes, a few seconds late."""
        read, moves = self._moves
        if time.monotonic() - read > _MOVES_READ_EVERY_S:
            moves = self._catalog.moves()
            self._moves = (time.monotonic(), moves)
        return moves

    def _review(self, review_id: str) -> Review:
        found = self._reviews.get(review_id)
        if found is None:
            raise unknown(review_id)
        return found

    def _write(self, work: Callable[[Catalog], _Answer], embedded: bool = False) -> _Answer:
        """A write; once more where the catalog has changed over, unless it carries embeddings."""
        try:
            return work(self._catalog)
        except EmbeddingMismatch:
            self._reopen()
            if embedded:
                raise
            return work(self._catalog)

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

        runs = max(1, cores() // 2)  # the other cores answer meanwhile
        try:
            reindex(read_bundle(bundle), self._catalog.uri, progress, device="cpu", runs=runs)
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
    product: Product
    embedding_id: str


def _check_embedding(catalog: Catalog, product: Product, embedding_id: str) -> None:
    if product.embedding is not None and embedding_id != catalog.embedding_id:
        raise other_embedding(catalog.uri, catalog.embedding_id, embedding_id)


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
