"""Many photos answered line by line (NDJSON) while the rest is still being computed."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import Final

from pydantic_core import to_json
from starlette.responses import StreamingResponse

from catalog.errors import CatalensError, Overloaded
from serve.batching import RETRY_AFTER_S
from serve.model import ServedModel
from serve.problems import document_of

MEDIA_TYPE: Final = "application/x-ndjson"


async def streamed(
    model: ServedModel,
    photos: Sequence[bytes],
    names: Sequence[str],
    top_k: int,
    level: int | None,
) -> StreamingResponse:
    """One line per photo, in their order: its answer, or a problem where it cannot be read.

    A photo that cannot be read costs only its own line. No more of them wait in the queue than
    two batches, so a large request leaves room for others; once the answer has begun, a full queue
    is waited for.

    Raises:
        Overloaded: the queue is full before the first photo.
    """
    window = 2 * model.session.batch_sizes[-1]

    async def line(place: int, patient: bool) -> bytes:
        index = {"index": place}
        while True:
            try:
                seen = await model.predict(photos[place : place + 1], names[place : place + 1])
            except Overloaded:
                if not patient:
                    raise
                await asyncio.sleep(RETRY_AFTER_S)
            except CatalensError as error:
                return to_json(index | {"problem": document_of(error)}) + b"\n"
            else:
                break
        (result,) = model.policy.answers(seen, top_k, level)
        return to_json(index | {"model": model.document.version} | result) + b"\n"

    async def lines(first: bytes) -> AsyncIterator[bytes]:
        waiting: deque[asyncio.Task[bytes]] = deque()
        following = iter(range(1, len(photos)))
        try:
            yield first
            while True:
                for place in following:
                    waiting.append(asyncio.create_task(line(place, patient=True)))
                    if len(waiting) == window:
                        break
                if not waiting:
                    return
                yield await waiting.popleft()
        finally:  # also when the caller went away
            for task in waiting:
                task.cancel()

    return StreamingResponse(lines(await line(0, patient=False)), media_type=MEDIA_TYPE)
