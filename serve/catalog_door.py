"""The door to the live catalog: how a replica asks the deployment that writes products.

Apart from it, so that a replica need not import the store (LanceDB alone takes 1.4 s).
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from catalog.categorise import Neighbour
from catalog.errors import CatalensError
from catalog.filters import Filter
from catalog.moves import Move
from catalog.product import Product
from catalog.reviews.record import Page, Review, Status

_Answer = TypeVar("_Answer")
_REFUSALS: Final = {kind.type: kind for kind in CatalensError.__subclasses__()}


@dataclass(frozen=True)
class Refusal:
    """A `CatalensError` as a value: Ray would wrap and log it as a crash of ours."""

    type: str
    what: str
    where: str
    fix: str

    def error(self) -> CatalensError:
        """The error it was."""
        return _REFUSALS.get(self.type, CatalensError)(self.what, where=self.where, fix=self.fix)


@dataclass(frozen=True)
class CatalogFacts:
    """What the served catalog is.

    Attributes:
        uri: local directory or ``s3://bucket/prefix``.
        embedding_id: of the bundles that it answers for.
        dimension: length of an embedding.
        products: in it.
        reindexed: share of them that are embedded for the bundle that comes next, while it is
            being loaded.
    """

    uri: str
    embedding_id: str
    dimension: int
    products: int
    reindexed: float | None = None


@dataclass(frozen=True)
class Near:
    """A product found by photo, by words or by both.

    Attributes:
        product: without embedding and photos.
        image_similarity: cosine to the photo asked about; None where only words found it.
    """

    product: Product
    image_similarity: float | None


@dataclass(frozen=True)
class Surroundings:
    """What the catalog knows about a product that is to be placed.

    Attributes:
        neighbours: what `categorise` pools.
        moves: of categories, since bundles were trained.
        review: of the very same product, without its photos, if it was ever queued.
    """

    neighbours: tuple[Neighbour, ...] = ()
    moves: tuple[Move, ...] = ()
    review: Review | None = None


class CatalogDoor:
    """The live catalog as the API sees it, wherever it runs; a refusal is raised again.

    Args:
        call: sends a method's name and arguments to a `LiveCatalog`.
    """

    def __init__(self, call: Callable[..., Awaitable[Any]]) -> None:
        self._call = call

    async def facts(self) -> CatalogFacts:
        """See `LiveCatalog.facts`."""
        return _unwrap(await self._call("facts"), CatalogFacts)

    async def follow(self, bundle: str, embedding_id: str, start: bool) -> None:
        """See `LiveCatalog.follow`."""
        _unwrap(await self._call("follow", bundle, embedding_id, start), type(None))

    async def last_bundle(self) -> str | None:
        """See `LiveCatalog.last_bundle`."""
        answer = await self._call("last_bundle")
        return None if answer is None else _unwrap(answer, str)

    async def put(self, product: Product, embedding_id: str) -> None:
        """See `LiveCatalog.put`."""
        _unwrap(await self._call("put", product, embedding_id), type(None))

    async def get(self, product_id: str) -> Product | None:
        """See `LiveCatalog.get`."""
        answer = await self._call("get", product_id)
        return None if answer is None else _unwrap(answer, Product)

    async def photo(self, product_id: str, number: int) -> bytes | None:
        """See `LiveCatalog.photo`."""
        answer = await self._call("photo", product_id, number)
        return None if answer is None else _unwrap(answer, bytes)

    async def browse(
        self, limit: int, offset: int, where: Filter | None = None
    ) -> tuple[int, list[Product]]:
        """See `LiveCatalog.browse`."""
        return _unwrap(await self._call("browse", limit, offset, where), tuple)

    async def delete(self, product_id: str) -> int:
        """See `LiveCatalog.delete`."""
        return _unwrap(await self._call("delete", product_id), int)

    async def categories(self) -> Mapping[str, int]:
        """See `LiveCatalog.categories`."""
        return _unwrap(await self._call("categories"), dict)

    async def keep_review(self, review: Review) -> None:
        """See `LiveCatalog.keep_review`."""
        _unwrap(await self._call("keep_review", review), type(None))

    async def reviews(
        self, statuses: Sequence[Status], limit: int | None = None, after: str | None = None
    ) -> Page:
        """See `LiveCatalog.reviews`."""
        return _unwrap(await self._call("reviews", statuses, limit, after), Page)

    async def review(self, review_id: str) -> Review:
        """See `LiveCatalog.review`."""
        return _unwrap(await self._call("review", review_id), Review)

    async def decide(
        self, review_id: str, path: str, product: Product, embedding_id: str
    ) -> Review:
        """See `LiveCatalog.decide`."""
        answer = await self._call("decide", review_id, path, product, embedding_id)
        return _unwrap(answer, Review)

    async def undo(self, review_id: str) -> Review:
        """See `LiveCatalog.undo`."""
        return _unwrap(await self._call("undo", review_id), Review)

    async def surroundings(
        self,
        embedding: NDArray[np.float32] | None,
        embedding_id: str,
        name: str | None,
        review_id: str | None = None,
    ) -> Surroundings:
        """See `LiveCatalog.surroundings`."""
        return _unwrap(
            await self._call("surroundings", embedding, embedding_id, name, review_id),
            Surroundings,
        )

    async def move_category(self, old: str, new: str) -> int:
        """See `LiveCatalog.move_category`."""
        return _unwrap(await self._call("move_category", old, new), int)

    async def search(
        self,
        embedding: NDArray[np.float32] | None,
        embedding_id: str,
        text: str | None,
        limit: int,
        where: Filter | None = None,
    ) -> list[Near]:
        """See `LiveCatalog.search`."""
        return _unwrap(
            await self._call("search", embedding, embedding_id, text, limit, where), list
        )


def _unwrap(answer: object, expected: type[_Answer]) -> _Answer:
    if isinstance(answer, Refusal):
        raise answer.error()
    assert isinstance(answer, expected)
    return answer
