"""The model in service and the one that may follow it: loading never disturbs answering."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

from pydantic import BaseModel

from catalog.errors import EmbeddingMismatch
from serve.model import ServedModel
from serve.problems import NotReady

_logger = logging.getLogger(__name__)


class SwapState(BaseModel):
    """What became of the bundle that was asked for last.

    Attributes:
        state: loading, active, or refused (then the one before it goes on answering).
        bundle: its directory.
        reason: why it was refused.
    """

    state: Literal["loading", "active", "refused"]
    bundle: str
    reason: str | None = None


class ModelSlot:
    """Holds one active model and replaces it whole.

    Its methods are called on the event loop.

    Args:
        load: reads, verifies and warms up a bundle; runs in a thread.
        start: opens the loaded model's queue.
        embedding_id: the served catalog's, which a bundle must match; None without a catalog.
    """

    def __init__(
        self,
        load: Callable[[str], ServedModel],
        start: Callable[[ServedModel], None],
        embedding_id: str | None = None,
    ) -> None:
        self.swap: SwapState | None = None
        self._active: ServedModel | None = None
        self._load = load
        self._start = start
        self._embedding_id = embedding_id
        self._loader = ThreadPoolExecutor(1, thread_name_prefix="load")
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def active(self) -> ServedModel:
        """The model that answers.

        Raises:
            NotReady: there is none yet.
        """
        if self._active is None:
            raise NotReady("the model is being loaded.", fix="Try again in a few seconds.")
        return self._active

    @property
    def loaded(self) -> bool:
        """Whether there is an active model."""
        return self._active is not None

    async def first(self, uri: str) -> None:
        """Load the first model and wait for it.

        Raises:
            CatalensError: it cannot be served.
        """
        self.swap = SwapState(state="loading", bundle=uri)
        self._activate(await self._loaded(uri))

    def follow(self, uri: str) -> None:
        """Load another model beside the active one and swap when it answers; returns at once."""
        self.swap = SwapState(state="loading", bundle=uri)
        task = asyncio.get_running_loop().create_task(self._follow(uri))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _follow(self, uri: str) -> None:
        try:
            model = await self._loaded(uri)
        except Exception as error:  # noqa: BLE001 - raising here would stop the replica
            reason = str(error) or type(error).__name__
            _logger.warning("bundle %s refused: %s", uri, reason)
            if self._wanted(uri):
                self.swap = SwapState(state="refused", bundle=uri, reason=reason)
            return
        if self._wanted(uri):
            self._activate(model)

    async def _loaded(self, uri: str) -> ServedModel:
        model = await asyncio.get_running_loop().run_in_executor(self._loader, self._load, uri)
        self._check(model)
        return model

    def _check(self, model: ServedModel) -> None:
        if self._embedding_id not in (None, model.document.embedding_id):
            raise EmbeddingMismatch(
                f"the bundle's embedding is {model.document.embedding_id} and that of the served "
                f"catalog {self._embedding_id}.",
                where=model.uri,
                fix="Fill a catalog with this bundle: `catalens reindex BUNDLE CATALOG`.",
            )

    def _activate(self, model: ServedModel) -> None:
        before = self._active
        self._start(model)
        self._active = model
        self.swap = SwapState(state="active", bundle=model.uri)
        if before is not None:
            before.close()

    def _wanted(self, uri: str) -> bool:
        """False when another bundle was asked for in the meantime."""
        return self.swap is not None and self.swap.bundle == uri and self.swap.state == "loading"
