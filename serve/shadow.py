"""A candidate beside the bundle that answers: it sees a share of the photos, nobody waits for it.

What it would have answered is counted, so that one knows before a promotion what would change.
"""

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Literal

from pydantic import BaseModel

from catalog.errors import CatalensError
from inference.answers import Row
from serve.model import ServedModel
from serve.watch import Watch

_AT_ONCE: Final = 2  # requests; while as many are at work, others are left out
_MOST_CHANGES: Final = 1_000  # that are told apart
_SHOWN_CHANGES: Final = 20
_logger = logging.getLogger(__name__)


class Change(BaseModel):
    """Photos that the candidate puts elsewhere.

    Attributes:
        path: likeliest category of the bundle that answers.
        candidate: likeliest category of the candidate.
        photos: how many.
    """

    path: str
    candidate: str
    photos: int


class ShadowState(BaseModel):
    """What a replica knows of its candidate.

    Attributes:
        state: loading, active or refused.
        bundle: its directory.
        model: its version, once it is loaded.
        reason: why it was refused.
        share: of requests that it sees.
        beside: version of the bundle that it is compared with.
        photos: that it has seen.
        agreed: of these, those it puts where the other does.
        changes: the most frequent ones.
    """

    state: Literal["loading", "active", "refused"]
    bundle: str
    model: str | None = None
    reason: str | None = None
    share: float
    beside: str | None = None
    photos: int = 0
    agreed: int = 0
    changes: list[Change] = []


class Shadow:
    """Holds at most one candidate; its methods are called on the event loop.

    Args:
        load: reads, verifies and warms up a bundle; runs in a thread.
        start: opens the loaded model's queue.
        watch: is told of what was compared.
    """

    def __init__(
        self,
        load: Callable[[str], ServedModel],
        start: Callable[[ServedModel], None],
        watch: Watch,
    ) -> None:
        self._load = load
        self._start = start
        self._watch = watch
        self._state: ShadowState | None = None
        self._model: ServedModel | None = None
        self._changes: Counter[tuple[str, str]] = Counter()
        self._loader = ThreadPoolExecutor(1, thread_name_prefix="shadow")
        self._tasks: set[asyncio.Task[None]] = set()
        self._comparing = 0

    @property
    def state(self) -> ShadowState | None:
        """What is known so far; None without a candidate."""
        if self._state is None:
            return None
        changes = [
            Change(path=path, candidate=candidate, photos=photos)
            for (path, candidate), photos in self._changes.most_common(_SHOWN_CHANGES)
        ]
        return self._state.model_copy(update={"changes": changes})

    def follow(self, uri: str | None, share: float) -> None:
        """Take another candidate, or none; returns at once."""
        known = self._state
        if known is not None and uri == known.bundle and known.state != "refused":
            known.share = share
            return
        if self._model is not None:
            self._model.batcher.close()
        self._model, self._changes = None, Counter()
        self._state = None if uri is None else ShadowState(state="loading", bundle=uri, share=share)
        if self._state is not None:
            self._spawn(self._become(self._state))

    def offer(
        self,
        photos: Sequence[bytes],
        names: Sequence[str],
        version: str,
        results: Sequence[Row],
    ) -> None:
        """Let the candidate see photos that were answered, if it is their turn and it has time.

        Args:
            photos: encoded.
            names: what to call each in an error.
            version: of the bundle that answered; another one begins the comparison anew.
            results: the answer to each, as `AnswerPolicy.answers` gives it.
        """
        model, state = self._model, self._state
        if model is None or state is None or self._comparing >= _AT_ONCE:
            return
        if state.beside != version:
            state.beside, state.photos, state.agreed = version, 0, 0
            self._changes = Counter()
        if random.random() < state.share:
            self._comparing += 1
            paths = [row["categories"][0]["path"] for row in results]
            self._spawn(self._compare(model, state, photos, names, version, paths))

    async def _become(self, state: ShadowState) -> None:
        try:
            model = await asyncio.get_running_loop().run_in_executor(
                self._loader, self._load, state.bundle
            )
        except Exception as error:  # noqa: BLE001 - it must not disturb what answers
            _logger.error("candidate %s refused: %s", state.bundle, error)
            state.state, state.reason = "refused", str(error) or type(error).__name__
            return
        if self._state is state:  # no other was asked for meanwhile
            self._start(model)
            self._model = model
            state.state, state.model = "active", model.document.version

    async def _compare(
        self,
        model: ServedModel,
        state: ShadowState,
        photos: Sequence[bytes],
        names: Sequence[str],
        version: str,
        paths: Sequence[str],
    ) -> None:
        try:
            if model is not self._model:
                return
            seen = await model.predict(photos, names)
        except CatalensError:
            return  # its queue is full: those are not compared
        finally:
            self._comparing -= 1
        if model is not self._model or version != state.beside:
            return
        classes = model.document.classes
        for path, best in zip(paths, seen.probabilities.argmax(axis=1).tolist(), strict=True):
            candidate = classes[best]
            state.photos += 1
            state.agreed += candidate == path
            self._watch.compared(candidate == path)
            change, known = (path, candidate), self._changes
            if candidate != path and (change in known or len(known) < _MOST_CHANGES):
                known[change] += 1

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
