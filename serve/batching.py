"""Photos of many requests share runs of the graph: a bounded queue that counts photos.

Ray's `@serve.batch` was looked at (2.60, `batch_size_fn`): its queue has no bound, a request
larger than a batch is an error, one that does not fit goes to the end of the queue, a batch waits
for its timeout also when the session is idle, and cancelled or late requests are computed. So
this is our own. The worker takes what is queued as soon as the session is free; a photo passes
two threads on its way (decode, inference), and the event loop hears once per batch.
"""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from catalog.errors import Overloaded
from inference.session import Prediction

RETRY_AFTER_S: Final = 1
_logger = logging.getLogger(__name__)

Decode = Callable[[int], NDArray[np.uint8]]
"""Decodes the photo of that place in its request: uint8 [S, S, 3]."""


class Ticket:
    """The photos of one request on their way; it ends once, with a prediction or an error."""

    def __init__(self, photos: int, deadline: float, answer: "asyncio.Future[Prediction]") -> None:
        self.deadline = deadline
        self.answer = answer
        self.ended = False
        self._missing = photos
        self._rows: list[tuple[NDArray[np.float32], NDArray[np.float32]] | None] = [None] * photos

    def fill(
        self, place: int, probabilities: NDArray[np.float32], embedding: NDArray[np.float32]
    ) -> bool:
        """Take one photo's result; true when it was the last one missing."""
        self._rows[place] = (probabilities, embedding)
        self._missing -= 1
        return self._missing == 0

    def prediction(self) -> Prediction:
        """All results, in the order of the request."""
        rows = [row for row in self._rows if row is not None]
        return Prediction(np.stack([p for p, _ in rows]), np.stack([e for _, e in rows]))


class Waiting(NamedTuple):
    """A decoded photo in the queue; ``image`` uint8 [S, S, 3]."""

    ticket: Ticket
    place: int
    image: NDArray[np.uint8]


class PhotoQueue:
    """Decoded photos in order of arrival, for one consumer thread.

    Args:
        max_batch: photos that `take` hands out at most.
    """

    def __init__(self, max_batch: int) -> None:
        self._max_batch = max_batch
        self._photos: deque[Waiting] = deque()
        self._changed = threading.Condition()
        self._closed = False

    def put(self, photo: Waiting) -> None:
        """Add one photo, from any thread."""
        with self._changed:
            self._photos.append(photo)
            self._changed.notify()

    def take(self) -> tuple[list[Waiting], list[Ticket]] | None:
        """Wait for photos; those worth computing (at most a batch), and the tickets that are late.

        Photos of ended tickets are dropped. None once the queue is closed and empty.
        """
        with self._changed:
            while not self._photos:
                if self._closed:
                    return None
                self._changed.wait()
            now = time.monotonic()
            batch: list[Waiting] = []
            late: list[Ticket] = []
            while self._photos and len(batch) < self._max_batch:
                photo = self._photos.popleft()
                if photo.ticket.ended:
                    continue
                if photo.ticket.deadline < now:
                    late.append(photo.ticket)
                else:
                    batch.append(photo)
            return batch, late

    def close(self) -> None:
        """No more photos will come."""
        with self._changed:
            self._closed = True
            self._changed.notify()


class Batcher:
    """Admits requests, has their photos decoded, and runs them in batches.

    `submit` and `close` are called on the event loop that the batcher was made on.

    Args:
        run: one batch, uint8 [N, S, S, 3] with N at most ``max_batch``.
        decoders: threads that decode.
        max_batch: photos in one run.
        max_queue: photos that are admitted and not answered, at most.
        deadline_s: a photo that waited longer is not computed.
    """

    def __init__(
        self,
        run: Callable[[NDArray[np.uint8]], Prediction],
        decoders: Executor,
        *,
        max_batch: int,
        max_queue: int,
        deadline_s: float,
    ) -> None:
        self.last_success = float("-inf")
        self.waiting = 0
        self._run = run
        self._decoders = decoders
        self._max_queue = max_queue
        self._deadline_s = deadline_s
        self._queue = PhotoQueue(max_batch)
        self._loop = asyncio.get_running_loop()
        self._worker = threading.Thread(target=self._work, name="inference", daemon=True)
        self._worker.start()

    @property
    def alive(self) -> bool:
        """Whether the inference thread runs."""
        return self._worker.is_alive()

    async def submit(self, photos: int, decode: Decode) -> Prediction:
        """Decode and predict the photos of one request.

        Raises:
            Overloaded: the queue is full, or the photos waited past the deadline.
            CatalensError: what ``decode`` raised.
        """
        if self.waiting + photos > self._max_queue:
            raise Overloaded(
                f"{self.waiting} photos are waiting, and at most {self._max_queue} may.",
                fix=f"Try again in {RETRY_AFTER_S} s.",
            )
        answer: asyncio.Future[Prediction] = self._loop.create_future()
        ticket = Ticket(photos, time.monotonic() + self._deadline_s, answer)
        self.waiting += photos
        try:
            for place in range(photos):
                self._decoders.submit(self._decode, ticket, place, decode)
            return await answer
        finally:  # also when the caller went away
            ticket.ended = True
            self.waiting -= photos

    def close(self) -> None:
        """Answer what was admitted, then let the thread end."""
        if self.waiting:
            self._loop.call_later(0.1, self.close)
        else:
            self._queue.close()

    def _decode(self, ticket: Ticket, place: int, decode: Decode) -> None:
        if ticket.ended:
            return
        if ticket.deadline < time.monotonic():
            self._loop.call_soon_threadsafe(self._fail, [ticket], _late())
            return
        try:
            image = decode(place)
        except Exception as error:  # noqa: BLE001 - handed to the request it belongs to
            self._loop.call_soon_threadsafe(self._fail, [ticket], error)
        else:
            self._queue.put(Waiting(ticket, place, image))

    def _work(self) -> None:
        while (taken := self._queue.take()) is not None:
            batch, late = taken
            if late:
                self._loop.call_soon_threadsafe(self._fail, late, _late())
            if not batch:
                continue
            try:
                prediction = self._run(np.stack([photo.image for photo in batch]))
            except Exception as error:
                _logger.exception("a batch of %d photos failed", len(batch))
                tickets = [photo.ticket for photo in batch]
                self._loop.call_soon_threadsafe(self._fail, tickets, error)
            else:
                self.last_success = time.monotonic()
                self._loop.call_soon_threadsafe(self._deliver, batch, prediction)

    def _deliver(self, batch: Sequence[Waiting], prediction: Prediction) -> None:
        for row, (ticket, place, _) in enumerate(batch):
            last = ticket.fill(place, prediction.probabilities[row], prediction.embeddings[row])
            if last and not ticket.answer.done():
                ticket.answer.set_result(ticket.prediction())

    def _fail(self, tickets: Sequence[Ticket], error: Exception) -> None:
        for ticket in tickets:
            ticket.ended = True
            if not ticket.answer.done():
                ticket.answer.set_exception(error)


def _late() -> Overloaded:
    return Overloaded(
        "the photo waited past its deadline and was not computed.",
        fix=f"Try again in {RETRY_AFTER_S} s.",
    )
