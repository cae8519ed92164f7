"""Writes that come while another is being committed share the next commit."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

_Item = TypeVar("_Item")


@dataclass(frozen=True)
class _Waiting(Generic[_Item]):
    item: _Item
    done: "asyncio.Future[None]"


class GroupCommit(Generic[_Item]):
    """Commits items for any number of callers on one event loop.

    Args:
        write: commits items; runs in a thread, one call at a time. It must be idempotent: where
            it fails for several, each is written once more alone, so that one that cannot be kept
            does not cost the others.
    """

    def __init__(self, write: Callable[[Sequence[_Item]], object]) -> None:
        self._write = write
        self._waiting: list[_Waiting[_Item]] = []
        self._task: asyncio.Task[None] | None = None

    async def submit(self, item: _Item) -> None:
        """Wait until the item is committed; raises what `write` raised for it."""
        waiting = _Waiting(item, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if self._task is None:
            self._task = asyncio.create_task(self._commit())
        await waiting.done

    async def _commit(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, []
                if not await self._written(batch) and len(batch) > 1:
                    for one in batch:
                        await self._written([one])
        finally:
            self._task = None

    async def _written(self, batch: Sequence[_Waiting[_Item]]) -> bool:
        """Write them at once; what fails is told only to one who asked alone."""
        try:
            await asyncio.to_thread(self._write, [one.item for one in batch])
        except BaseException as error:
            if len(batch) == 1 and not batch[0].done.done():
                known = isinstance(error, Exception)
                batch[0].done.set_exception(error if known else RuntimeError(repr(error)))
            if isinstance(error, asyncio.CancelledError):
                raise
            return False
        for one in batch:
            if not one.done.done():  # else its caller went away
                one.done.set_result(None)
        return True
