"""What a replica holds: the model in service, the threads that decode, the door to the catalog."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from catalog.errors import CatalensError, CatalogMissing, InvalidRequest
from catalog.images import COPY_SIDE, ImageLimits, jpeg_copy
from serve.catalog_door import CatalogDoor
from serve.model import Hardware, ServedModel
from serve.photo_urls import PhotoFetcher
from serve.problems import NotReady
from serve.settings import Settings
from serve.shadow import Shadow
from serve.swap import ModelSlot
from serve.watch import NOBODY, Watch

_Result = TypeVar("_Result")


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
        self._fetcher: PhotoFetcher | None = None
        if settings.image_hosts:
            self._fetcher = PhotoFetcher(settings.image_hosts, settings.max_photo_bytes)

        def load(uri: str) -> ServedModel:
            return ServedModel(uri, settings, hardware)

        self.shadow = Shadow(load, lambda model: model.start(self._decoders, NOBODY), watch)
        self.slot = ModelSlot(
            load=load,
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

    async def check_ready(self) -> None:
        """Have a real inference pass; it never waits in the queue.

        Raises:
            NotReady: none did.
        """
        if not await self.model.answers():
            raise NotReady("the model does not answer.", fix="Look at the server's log.")

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

    async def fetch(self, url: str, where: str) -> bytes:
        """The photo at a URL; see `PhotoFetcher.fetch`.

        Raises:
            InvalidRequest: URLs are not enabled, or as there.
        """
        if self._fetcher is None:
            raise InvalidRequest(
                "image URLs are not enabled on this server.",
                where=where,
                fix="Send the photo itself as `image`, in base64.",
            )
        return await self._fetcher.fetch(url, where)

    async def small_copies(self, photos: Sequence[bytes]) -> tuple[bytes, ...]:
        """The JPEG copies that the catalog keeps."""

        def copy(photo: bytes) -> bytes:
            return jpeg_copy(photo, COPY_SIDE, self._limits, where="image")

        return tuple(await asyncio.gather(*(self.off_loop(copy, photo) for photo in photos)))

    async def off_loop(self, work: Callable[..., _Result], *args: object) -> _Result:
        """Run something that takes milliseconds without holding up the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._decoders, work, *args)

    async def first(self, uri: str) -> None:
        """Load the first model and wait for it; of a catalog that answers, else its last one.

        A replica that starts while a bundle is being changed to, or is told of one that is bad,
        answers with the bundle of the others, and then follows.

        Raises:
            CatalensError: neither can be served.
        """
        try:
            await self.slot.first(uri)
        except CatalensError:
            catalog = self.served_catalog
            last = None if catalog is None else await catalog.last_bundle()
            if last is None or last == uri:
                raise
            await self.slot.first(last)
            self.slot.follow(uri)

    async def _fit_catalog(self, model: ServedModel, patient: bool) -> None:
        """Have the catalog embedded for a model that is about to answer."""
        if self.served_catalog is not None:
            document = model.document
            await self.served_catalog.follow(model.uri, document.embedding_id, start=patient)
