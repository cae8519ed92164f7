"""What a replica holds: the model in service, the threads that decode, the door to the catalog."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from catalog.errors import CatalogMissing, EmbeddingMismatch
from catalog.images import COPY_SIDE, ImageLimits, jpeg_copy
from serve.catalog_door import CatalogDoor
from serve.model import Hardware, ServedModel
from serve.settings import Settings
from serve.swap import ModelSlot
from serve.watch import NOBODY, Watch

_Result = TypeVar("_Result")
_CHANGING_OVER_S: Final = 0.1


class Service:
    """The API's other half; made on the event loop it serves.

    Args:
        settings: limits of the replica.
        hardware: what to run the graph on.
        catalog: door to the live catalog, if one is served.
        watch: is told what becomes of requests and photos.
    """

    def __init__(
        self,
        settings: Settings,
        hardware: Hardware = Hardware(),
        catalog: CatalogDoor | None = None,
        watch: Watch = NOBODY,
    ) -> None:
        self.settings = settings
        self.watch = watch
        self.served_catalog = catalog
        self._decoders = ThreadPoolExecutor(settings.decode_threads or settings.cores, "decode")
        self._limits = ImageLimits(max_bytes=settings.max_photo_bytes)
        self.slot = ModelSlot(
            load=lambda uri: ServedModel(uri, settings, hardware),
            start=lambda model: model.start(self._decoders, watch),
            prepare=self._fit_catalog,
        )

    @property
    def model(self) -> ServedModel:
        """The model that answers.

        Raises:
            NotReady: there is none yet.
        """
        return self.slot.active

    @property
    def catalog(self) -> CatalogDoor:
        """The door to the live catalog.

        Raises:
            CatalogMissing: none is served.
        """
        if self.served_catalog is None:
            raise CatalogMissing(
                "this server runs without a catalog.",
                fix="Start it with one: `catalens serve BUNDLE --catalog CATALOG`.",
            )
        return self.served_catalog

    async def embedded(
        self,
        photos: Sequence[bytes],
        names: Sequence[str],
        write: Callable[[NDArray[np.float32] | None, str], Awaitable[_Result]],
    ) -> _Result:
        """Embed a product's photos and write it to the catalog.

        Where the catalog has just changed over to another bundle, it waits for that to answer.

        Args:
            photos: encoded; none are needed.
            names: what to call each in an error.
            write: takes the embedding, float32 [D] or None, and the id of its kind.
        """
        while True:
            model = self.model
            embedding = await model.embed(photos, names)
            try:
                return await write(embedding, model.document.embedding_id)
            except EmbeddingMismatch:
                if self.slot.active is model and not self.slot.loading:
                    raise
                await asyncio.sleep(_CHANGING_OVER_S)

    async def small_copies(self, photos: Sequence[bytes]) -> tuple[bytes, ...]:
        """The JPEG copies that the catalog keeps."""

        def copy(photo: bytes) -> bytes:
            return jpeg_copy(photo, COPY_SIDE, self._limits, where="image")

        return tuple(await asyncio.gather(*(self.off_loop(copy, photo) for photo in photos)))

    async def off_loop(self, work: Callable[..., _Result], *args: object) -> _Result:
        """Run something that takes milliseconds without holding up the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._decoders, work, *args)

    async def _fit_catalog(self, model: ServedModel, patient: bool) -> None:
        """Have the catalog embedded for a model that is about to answer."""
        if self.served_catalog is not None:
            document = model.document
            await self.served_catalog.follow(model.uri, document.embedding_id, start=patient)
