"""Photos of many requests share runs of the graph: a bounded queue that counts photos.

Ray's `@serve.batch` was looked at (2.60, `batch_size_fn`): its queue has no bound, a request
larger than a batch is an error, one that does not fit goes to the end of the queue, a batch waits
for its timeout also when the session is idle, and cancelled or late requests are computed. So
this is our own. An inference thread that is free takes its share of what is queued at once, and
the event loop hears once per batch. On a CPU the thread that runs the graph also decodes what it
takes: one hand-over less, and twice as many threads as cores would only get in each other's way.
Beside a GPU, threads decode ahead of the runs.
"""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from catalog.errors import Overloaded
from inference.session import Prediction
from serve.watch import NOBODY, Watch

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
    """A photo in the queue.

    Attributes:
        ticket: of its request.
        place: in its request.
        pixels: gives uint8 [S, S, 3]; decodes where that was not done ahead.
        since: monotonic seconds.
    """

    ticket: Ticket
    place: int
    pixels: Callable[[], NDArray[np.uint8]]
    since: float


class PhotoQueue:
    """Photos in order of arrival, for the inference threads.

    Each thread takes its share among those that wait for photos: one that is free alone takes as
    many as a run may have, and none is left idle beside a full one.

    Args:
        batch_sizes: numbers of photos that `take` hands out, ascending.

    Attributes:
        free: threads that wait for photos.
    """

    def __init__(self, batch_sizes: Sequence[int]) -> None:
        self.free = 0
        self._sizes = tuple(batch_sizes)
        self._photos: deque[Waiting] = deque()
        self._changed = threading.Condition()
        self._closed = False

    def put(self, photos: Sequence[Waiting]) -> None:
        """Add photos, from any thread."""
        with self._changed:
            self._photos.extend(photos)
            self._changed.notify(len(photos))

    def take(self) -> tuple[list[Waiting], list[Waiting], list[Waiting]] | None:
        """Wait for photos; those to compute, those that are late, and those of ended tickets.

        None once the queue is closed and empty.
        """
        with self._changed:
            self.free += 1
            while not self._photos and not self._closed:
                self._changed.wait()
            free, self.free = self.free, self.free - 1
            if not self._photos:
                return None
            now = time.monotonic()
            batch: list[Waiting] = []
            late: list[Waiting] = []
            ended: list[Waiting] = []
            share = min(-(-len(self._photos) // free), self._sizes[-1])
            while self._photos and len(batch) < share:
                photo = self._photos.popleft()
                if photo.ticket.ended:
                    ended.append(photo)
                elif photo.ticket.deadline < now:
                    late.append(photo)
                else:
                    batch.append(photo)
            size = max((size for size in self._sizes if size <= len(batch)), default=0)
            self._photos.extendleft(reversed(batch[size:]))
            return batch[:size], late, ended

    def close(self) -> None:
        """No more photos will come."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


class Batcher:
    """Admits requests, has their photos decoded, and runs them in batches.

    `submit` and `close` are called on the event loop that the batcher was made on.

    Args:
        run: one batch, uint8 [N, S, S, 3] with N one of ``batch_sizes``.
        decoders: threads that decode ahead of the runs; without them each run decodes its own.
        batch_sizes: photos in one run, ascending.
        runs: of the graph at a time.
        max_queue: photos that are admitted and not answered, at most.
        deadline_s: a photo that waited longer is not computed.
        watch: is told what becomes of the photos.
    """

    def __init__(
        self,
        run: Callable[[NDArray[np.uint8]], Prediction],
        decoders: Executor | None,
        *,
        batch_sizes: Sequence[int],
        runs: int,
        max_queue: int,
        deadline_s: float,
        watch: Watch = NOBODY,
    ) -> None:
        self.last_success = float("-inf")
        self.waiting = 0
        self._run = run
        self._decoders = decoders
        self._max_queue = max_queue
        self._deadline_s = deadline_s
        self._watch = watch
        self._queue = PhotoQueue(batch_sizes)
        self._loop = asyncio.get_running_loop()
        self._workers = [
            threading.Thread(target=self._work, name=f"inference-{number}", daemon=True)
            for number in range(runs)
        ]
        for worker in self._workers:
            worker.start()

    @property
    def alive(self) -> bool:
        """Whether the inference threads run."""
        return all(worker.is_alive() for worker in self._workers)

    async def submit(self, photos: int, decode: Decode) -> Prediction:
        """Decode and predict the photos of one request.

        Raises:
            Overloaded: the queue is full, or the photos waited past the deadline.
            CatalensError: what ``decode`` raised.
        """
        if self.waiting + photos > self._max_queue:
            self._watch.rejected(photos)
            raise Overloaded(
                f"{self.waiting} photos are waiting, and at most {self._max_queue} may.",
                fix=f"Try again in {RETRY_AFTER_S} s.",
            )
        answer: asyncio.Future[Prediction] = self._loop.create_future()
        ticket = Ticket(photos, time.monotonic() + self._deadline_s, answer)
        self.waiting += photos
        self._watch.queue(self.waiting)
        try:
            if self._decoders is None:
                now = time.monotonic()
                self._queue.put(
                    [
                        Waiting(ticket, place, partial(self._pixels, decode, place), now)
                        for place in range(photos)
                    ]
                )
            else:
                for place in range(photos):
                    self._decoders.submit(self._decode_ahead, ticket, place, decode)
            return await answer
        finally:  # also when the caller went away
            ticket.ended = True
            self.waiting -= photos
            self._watch.queue(self.waiting)

    def close(self) -> None:
        """Answer what was admitted, then let the thread end."""
        if self.waiting:
            self._loop.call_later(0.1, self.close)
        else:
            self._queue.close()

    def _decode_ahead(self, ticket: Ticket, place: int, decode: Decode) -> None:
        if ticket.ended:
            self._watch.abandoned(1)
            return
        if ticket.deadline < time.monotonic():
            self._watch.late(1)
            self._loop.call_soon_threadsafe(self._fail, [ticket], _late())
            return
        try:
            image = self._pixels(decode, place)
        except Exception as error:  # noqa: BLE001 - handed to the request it belongs to
            self._loop.call_soon_threadsafe(self._fail, [ticket], error)
        else:
            self._queue.put([Waiting(ticket, place, lambda: image, time.monotonic())])

    def _pixels(self, decode: Decode, place: int) -> NDArray[np.uint8]:
        started = time.monotonic()
        try:
            image = decode(place)
        except Exception:
            self._watch.unreadable(1)
            raise
        self._watch.decoded(time.monotonic() - started)
        return image

    def _work(self) -> None:
        while (taken := self._queue.take()) is not None:
            batch, late, ended = taken
            if late:
                self._watch.late(len(late))
                self._loop.call_soon_threadsafe(self._fail, _tickets(late), _late())
            if ended:
                self._watch.abandoned(len(ended))
            if batch:
                self._run_batch(batch)

    def _run_batch(self, batch: Sequence[Waiting]) -> None:
        taken = time.monotonic()
        readable, images = [], []
        for photo in batch:
            try:
                images.append(photo.pixels())
            except Exception as error:  # noqa: BLE001 - handed to the request it belongs to
                self._loop.call_soon_threadsafe(self._fail, [photo.ticket], error)
            else:
                readable.append(photo)
        if not readable:
            return
        started = time.monotonic()
        try:
            prediction = self._run(np.stack(images))
        except Exception as error:
            _logger.exception("a batch of %d photos failed", len(readable))
            self._loop.call_soon_threadsafe(self._fail, _tickets(readable), error)
            return
        self._loop.call_soon_threadsafe(self._deliver, readable, prediction)
        self.last_success = time.monotonic()
        waited = [taken - photo.since for photo in readable]
        self._watch.computed(waited, self.last_success - started)

    def _deliver(self, batch: Sequence[Waiting], prediction: Prediction) -> None:
        for row, (ticket, place, *_) in enumerate(batch):
            last = ticket.fill(place, prediction.probabilities[row], prediction.embeddings[row])
            if last and not ticket.answer.done():
                ticket.answer.set_result(ticket.prediction())

    def _fail(self, tickets: Sequence[Ticket], error: Exception) -> None:
        for ticket in tickets:
            ticket.ended = True
            if not ticket.answer.done():
                ticket.answer.set_exception(error)


def _tickets(photos: Sequence[Waiting]) -> list[Ticket]:
    return [photo.ticket for photo in photos]


def _late() -> Overloaded:
    return Overloaded(
        "the photo waited past its deadline and was not computed.",
        fix=f"Try again in {RETRY_AFTER_S} s.",
    )
