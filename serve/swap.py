"""The model in service and the one that may follow it: loading never disturbs answering."""

import asyncio
import logging
import weakref
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

from pydantic import BaseModel

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
        prepare: makes the served catalog answer for the model, and waits for it; its second
            argument says whether that may take long, as when another model answers meanwhile.
    """

    def __init__(
        self,
        load: Callable[[str], ServedModel],
        start: Callable[[ServedModel], None],
        prepare: Callable[[ServedModel, bool], Awaitable[None]],
    ) -> None:
        self.swap: SwapState | None = None
        self._active: ServedModel | None = None
        self._load = load
        self._start = start
        self._prepare = prepare
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
        self._activate(await self._loaded(uri, patient=False))

    def follow(self, uri: str) -> None:
        """Load another model beside the active one and swap when it answers; returns at once."""
        self.swap = SwapState(state="loading", bundle=uri)
        task = asyncio.get_running_loop().create_task(self._follow(uri))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def refuse(self, uri: str, reason: str) -> None:
        """What was asked for cannot be; the active model goes on answering."""
        _logger.error("bundle %s refused: %s", uri, reason)
        self.swap = SwapState(state="refused", bundle=uri, reason=reason)

    async def _follow(self, uri: str) -> None:
        try:
            model = await self._loaded(uri, patient=True)
        except Exception as error:  # noqa: BLE001 - raising here would stop the replica
            reason = str(error) or type(error).__name__
            if self._wanted(uri):
                self.refuse(uri, reason)
            return
        if self._wanted(uri):
            self._activate(model)

    async def _loaded(self, uri: str, patient: bool) -> ServedModel:
        model = await asyncio.get_running_loop().run_in_executor(self._loader, self._load, uri)
        if self._wanted(uri):  # else the catalog need not follow it
            await self._prepare(model, patient)
        return model

    def _activate(self, model: ServedModel) -> None:
        before = self._active
        self._start(model)
        self._active = model
        self.swap = SwapState(state="active", bundle=model.uri)
        if before is not None:
            # Not now: a request that has it in hand may yet ask it.
            call_soon = asyncio.get_running_loop().call_soon_threadsafe
            weakref.finalize(before, call_soon, before.batcher.close).atexit = False

    def _wanted(self, uri: str) -> bool:
        """False when another bundle was asked for in the meantime."""
        return self.swap is not None and self.swap.bundle == uri and self.swap.state == "loading"
