"""The live catalog: the one process that writes products, and answers searches by embedding.

It is a deployment of its own. Searches carry embeddings and writes the small photo copy, so no
photo is decoded here. A write is committed before it is answered.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from catalog.errors import CatalensError
from catalog.filters import Filter
from catalog.moves import Move
from catalog.product import Product
from catalog.reviews.decide import decide, undo, unknown
from catalog.reviews.queue import Reviews
from catalog.reviews.record import Page, Review, Status
from catalog.store import Catalog
from inference.neighbours import find_neighbours
from serve.catalog_door import CatalogFacts, Near, Refusal, Surroundings
from serve.changeover import Changeover
from serve.group_commit import GroupCommit
from serve.logs import log_as_ray_does
from serve.loopback import keep_replica_on_loopback

_logger = logging.getLogger(__name__)
_Answer = TypeVar("_Answer")
_MOVES_READ_EVERY_S: Final = 5.0


class LiveCatalog:
    """A catalog at work; every answer that is a `Refusal` stands for an error.

    Replicas say which bundle's embeddings they ask and write with: while the service changes over
    from one to another, either is answered.

    Args:
        uri: of the catalog.
        maintain_every_s: how often it is compacted and its indices brought up to date.

    Raises:
        CatalogMissing: there is none.
    """

    def __init__(self, uri: str, maintain_every_s: float) -> None:
        self._changeover = Changeover(uri)
        self._reviews = Reviews(uri)
        self._maintain_every_s = maintain_every_s
        self._upkeep: asyncio.Task[None] | None = None
        self._puts = GroupCommit(self._put)
        self._kept = GroupCommit(self._reviews.keep)
        self._moves = (time.monotonic(), self._changeover.catalog.moves())
        self._deciding = threading.Lock()
        self._writing = threading.Lock()

    async def facts(self) -> CatalogFacts | Refusal:
        """Its address, embedding and size."""
        progress = self._changeover.progress
        return await self._answer(
            lambda catalog: CatalogFacts(
                catalog.uri, catalog.embedding_id, catalog.dimension, catalog.count(), progress
            )
        )

    async def follow(self, bundle: str, embedding_id: str, start: bool) -> Refusal | None:
        """Answer for a bundle; see `Changeover.follow`."""
        self._start_upkeep()
        return await _told(self._changeover.follow(bundle, embedding_id, start))

    async def last_bundle(self) -> str | None:
        """Directory of the bundle that was followed last, by an earlier process too."""
        return self._changeover.bundle

    async def put(self, product: Product, embedding_id: str) -> Refusal | None:
        """Insert or replace a product; when it returns, every search finds it.

        Args:
            product: as it is to be kept.
            embedding_id: of the bundle that embedded it.
        """
        self._start_upkeep()
        return await _told(self._puts.submit(_Put(product, embedding_id)))

    async def get(self, product_id: str) -> Product | Refusal | None:
        """The whole product, or None."""
        return await self._answer(lambda catalog: catalog.get(product_id))

    async def photo(self, product_id: str, number: int) -> bytes | Refusal | None:
        """The JPEG copy of one of a product's photos, or None."""

        def read(catalog: Catalog) -> bytes | None:
            product = catalog.get(product_id)
            if product is None or number >= len(product.photos):
                return None
            return product.photos[number]

        return await self._answer(read)

    async def browse(
        self, limit: int, offset: int, where: Filter | None
    ) -> tuple[int, list[Product]] | Refusal:
        """How many products pass the filter, and some of them; see `Catalog.browse`."""
        return await self._answer(
            lambda catalog: (catalog.count(where), catalog.browse(limit, offset, where))
        )

    async def delete(self, product_id: str) -> int | Refusal:
        """Forget a product and its reviews; 0 where there was neither."""
        self._start_upkeep()
        return await self._answer(
            lambda catalog: catalog.delete([product_id]) + self._reviews.delete_of([product_id])
        )

    async def categories(self) -> dict[str, int] | Refusal:
        """Products per category path."""
        return await self._answer(lambda catalog: catalog.categories())

    async def move_category(self, old: str, new: str) -> int | Refusal:
        """Rename, merge or move a category, with its products and reviews; how many products."""
        self._start_upkeep()
        return await self._answer(lambda catalog: self._move_category(catalog, old, new))

    async def keep_review(self, review: Review) -> Refusal | None:
        """Queue an answer for a person; when it returns, it is on disk."""
        self._start_upkeep()
        return await _told(self._kept.submit(review))

    async def reviews(
        self, statuses: Sequence[Status], limit: int | None = None, after: str | None = None
    ) -> Page | Refusal:
        """See `Reviews.page`."""
        return await self._answer(lambda _: self._reviews.page(statuses, limit, after))

    async def review(self, review_id: str) -> Review | Refusal:
        """One review with its photos."""
        return await self._answer(lambda _: self._review(review_id))

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
        self._start_upkeep()
        return await self._answer(lambda _: self._decide(review_id, path, product, embedding_id))

    async def undo(self, review_id: str) -> Review | Refusal:
        """Take a person's word back."""
        return await self._answer(lambda catalog: self._undo(catalog, review_id))

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

        def look(catalog: Catalog) -> Surroundings:
            review = None
            if review_id is not None:
                review = self._reviews.get(review_id, with_photos=False)
            neighbours = find_neighbours(catalog, embedding, name)
            return Surroundings(tuple(neighbours), self._recent_moves(), review)

        return await self._answer_with(embedding_id, look)

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
        return await self._answer_with(
            embedding_id, lambda catalog: _search(catalog, embedding, text, limit, where)
        )

    async def _answer(self, work: Callable[[Catalog], _Answer]) -> _Answer | Refusal:
        return await _told(asyncio.to_thread(self._changeover.on_any, work))

    async def _answer_with(
        self, embedding_id: str, work: Callable[[Catalog], _Answer]
    ) -> _Answer | Refusal:
        return await _told(asyncio.to_thread(lambda: work(self._changeover.of(embedding_id))))

    def _put(self, batch: "Sequence[_Put]") -> None:
        for embedding_id, some in groupby(
            sorted(batch, key=lambda one: one.embedding_id), key=lambda one: one.embedding_id
        ):
            with self._writing:
                self._changeover.of(embedding_id).put([one.product for one in some])

    def _decide(self, review_id: str, path: str, product: Product, embedding_id: str) -> Review:
        catalog = self._changeover.of(embedding_id)
        with self._deciding:
            return decide(catalog, self._reviews, self._review(review_id), path, product)

    def _undo(self, catalog: Catalog, review_id: str) -> Review:
        with self._deciding:
            return undo(catalog, self._reviews, self._review(review_id))

    def _move_category(self, catalog: Catalog, old: str, new: str) -> int:
        with self._deciding:
            products = catalog.move_category(old, new)
            self._reviews.move_category(Move(old, new))
        self._moves = (time.monotonic(), catalog.moves())
        return products

    def _recent_moves(self) -> tuple[Move, ...]:
        """Also those of other processes, a few seconds late."""
        read, moves = self._moves
        if time.monotonic() - read > _MOVES_READ_EVERY_S:
            moves = self._changeover.catalog.moves()
            self._moves = (time.monotonic(), moves)
        return moves

    def _review(self, review_id: str) -> Review:
        found = self._reviews.get(review_id)
        if found is None:
            raise unknown(review_id)
        return found

    def _maintain(self) -> None:
        catalog = self._changeover.catalog
        if not catalog.maintain():  # for puts that never end: they wait for once
            with self._writing:
                catalog.maintain()
        self._reviews.maintain()

    def _start_upkeep(self) -> None:
        if self._upkeep is None or self._upkeep.done():
            self._upkeep = asyncio.create_task(self._maintain_now_and_then())

    async def _maintain_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(self._maintain_every_s)
            try:
                await asyncio.to_thread(self._maintain)
                await self._changeover.catch_up()
            except Exception:
                _logger.exception("the catalog could not be compacted; it is tried again")


class ServedCatalog(LiveCatalog):
    """The live catalog as a replica."""

    def __init__(self, uri: str, maintain_every_s: float) -> None:
        keep_replica_on_loopback()
        log_as_ray_does()
        super().__init__(uri, maintain_every_s)


@dataclass(frozen=True)
class _Put:
    product: Product
    embedding_id: str


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


async def _told(work: Awaitable[_Answer]) -> _Answer | Refusal:
    """What came of it, or the refusal that it was."""
    try:
        return await work
    except CatalensError as error:
        return Refusal(error.type, error.what, error.where, error.fix)
