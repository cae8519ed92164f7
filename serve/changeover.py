"""From one bundle's embeddings to another's, while products are written and searched."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from catalog.errors import CatalensError, EmbeddingMismatch
from catalog.pointer import other_embedding
from catalog.store import Catalog
from inference.bundle import Bundle
from inference.fetch import open_bundle
from inference.session import cores

_logger = logging.getLogger(__name__)
_Answer = TypeVar("_Answer")


class Changeover:
    """Handles on a catalog, one for each bundle that is asked for, and what fills them.

    Its coroutines run on one event loop, its other methods in threads.

    Args:
        uri: of the catalog.

    Raises:
        CatalogMissing: there is none.
    """

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self.progress: float | None = None
        self._active = Catalog.open(uri)
        self.bundle = self._active.last_bundle()
        self._others: dict[str, Catalog] = {}
        self._wanted: str | None = None
        self._filling: dict[str, asyncio.Task[None]] = {}
        # Of its own: a fill may take hours, and everything else shares the default threads.
        self._filler = ThreadPoolExecutor(1, "fill")

    @property
    def catalog(self) -> Catalog:
        """With the embeddings that answer."""
        return self._active

    def of(self, embedding_id: str) -> Catalog:
        """With those embeddings.

        Raises:
            EmbeddingMismatch: there are none such.
        """
        if embedding_id == self._active.embedding_id:
            return self._active
        if embedding_id not in self._others:
            self._others[embedding_id] = Catalog.beside(self.uri, embedding_id)
        return self._others[embedding_id]

    def on_any(self, work: Callable[[Catalog], _Answer]) -> _Answer:
        """Work that has nothing to do with embeddings."""
        try:
            return work(self._active)
        except EmbeddingMismatch:  # another process has changed over twice
            self._active = Catalog.open(self.uri)
            return work(self._active)

    async def follow(self, directory: str, embedding_id: str, start: bool) -> None:
        """Answer for a bundle: when it returns, every product has an embedding of the bundle's.

        Args:
            directory: of the bundle.
            embedding_id: its own.
            start: whether to embed the products for it, and wait, where they are not.

        Raises:
            EmbeddingMismatch: they are not and are not to be, or another bundle was asked for in
                the meantime.
            CatalensError: the bundle cannot be read.
        """
        if embedding_id != self._active.embedding_id:
            self._active = await asyncio.to_thread(Catalog.open, self.uri)
        if embedding_id != self._active.embedding_id:
            if not start:
                raise other_embedding(self.uri, self._active.embedding_id, embedding_id)
            self._wanted = embedding_id
            await asyncio.shield(self._fill(directory, embedding_id))
            if self._wanted != embedding_id:
                raise EmbeddingMismatch(
                    "another bundle was asked for in the meantime.", where=directory
                )
            if embedding_id != self._active.embedding_id:
                filled = await asyncio.to_thread(self.of, embedding_id)
                await asyncio.to_thread(filled.activate)
                self._others[self._active.embedding_id] = self._active
                self._active = filled
        self._wanted = embedding_id
        if directory != self.bundle:
            self.bundle = directory
            await asyncio.to_thread(self._active.remember_bundle, directory)
        await self.catch_up()

    async def catch_up(self) -> None:
        """Begin to embed what was written for another bundle, if anything was."""
        left = await asyncio.to_thread(self._active.not_embedded)
        if left and self.bundle is not None:
            self._fill(self.bundle, self._active.embedding_id)

    def _fill(self, directory: str, embedding_id: str) -> "asyncio.Task[None]":
        if embedding_id not in self._filling:
            task = asyncio.create_task(self._filled(directory, embedding_id))
            task.add_done_callback(lambda _: self._filling.pop(embedding_id, None))
            task.add_done_callback(_heard)
            self._filling[embedding_id] = task
        return self._filling[embedding_id]

    async def _filled(self, directory: str, embedding_id: str) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._filler, self._run, directory, embedding_id)
        except CatalensError:
            raise
        except Exception as error:
            _logger.exception("the catalog could not be embedded for %s", directory)
            raise CatalensError(
                f"the catalog could not be embedded for it ({type(error).__name__}).",
                where=directory,
                fix="The live catalog's log says more; asking again goes on where it was.",
            ) from error
        finally:
            self.progress = None

    def _run(self, directory: str, embedding_id: str) -> None:
        from inference.reindexer import reindex  # ONNX Runtime, which nothing else here needs

        def progress(done: int, total: int) -> None:
            if embedding_id != self._active.embedding_id:  # catching up is not a change-over
                self.progress = done / max(1, total)

        bundle: Bundle = open_bundle(directory)
        reindex(
            bundle,
            self.uri,
            progress,
            device="cpu",
            runs=max(1, cores() // 2),  # the other cores answer meanwhile
            activate=False,
            stopped=lambda: self._wanted not in (None, embedding_id),
        )


def _heard(task: "asyncio.Task[None]") -> None:
    """Those who wait are told of an error; where nobody does, it was logged."""
    if not task.cancelled():
        task.exception()
