import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from catalog.errors import InvalidImage, Overloaded
from inference.session import Prediction
from serve.batching import Batcher, PhotoQueue, Ticket, Waiting
from serve.watch import Watch

BLANK = np.zeros((2, 2, 3), np.uint8)


class FakeSession:
    """Answers each photo's first pixel; can be held busy."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.free = threading.Event()
        self.free.set()
        self.entered = threading.Event()

    def run(self, images: NDArray[np.uint8]) -> Prediction:
        self.entered.set()
        self.free.wait(10)
        self.batches.append(len(images))
        first = images[:, 0, 0, :1].astype(np.float32)
        return Prediction(first, first * 2)


def tinted(value: int) -> NDArray[np.uint8]:
    return np.full((2, 2, 3), value, np.uint8)


def limits(max_batch: int = 4, max_queue: int = 8, deadline_s: float = 10.0) -> dict[str, Any]:
    return {
        "batch_sizes": range(1, max_batch + 1),
        "runs": 1,
        "max_queue": max_queue,
        "deadline_s": deadline_s,
    }


def with_batcher(
    session: FakeSession,
    scenario: Callable[[Batcher], object],
    *,
    max_batch: int = 4,
    max_queue: int = 8,
    deadline_s: float = 10.0,
) -> None:
    async def main() -> None:
        with ThreadPoolExecutor(2) as decoders:
            batcher = Batcher(session.run, decoders, **limits(max_batch, max_queue, deadline_s))
            await scenario(batcher)
            batcher.close()

    asyncio.run(main())


async def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        await asyncio.sleep(0.005)


def test_a_photo_alone_does_not_wait_for_company() -> None:
    session = FakeSession()

    async def scenario(batcher: Batcher) -> None:
        started = time.monotonic()
        await batcher.submit(1, lambda _: tinted(7))
        assert time.monotonic() - started < 0.5

    with_batcher(session, scenario, max_batch=64, max_queue=64)
    assert session.batches == [1]


def test_what_came_while_the_session_was_busy_is_taken_together() -> None:
    session = FakeSession()

    async def scenario(batcher: Batcher) -> None:
        session.free.clear()
        first = asyncio.create_task(batcher.submit(1, lambda _: BLANK))
        await until(session.entered.is_set)
        rest = [asyncio.create_task(batcher.submit(1, lambda _: BLANK)) for _ in range(3)]
        await asyncio.sleep(0.1)
        session.free.set()
        await asyncio.gather(first, *rest)

    with_batcher(session, scenario)
    assert session.batches == [1, 3]


@settings(max_examples=15, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=12),
    max_batch=st.integers(1, 6),
)
def test_batches_count_photos_and_each_request_gets_its_own_in_order(
    sizes: list[int], max_batch: int
) -> None:
    session = FakeSession()

    async def scenario(batcher: Batcher) -> None:
        async def ask(number: int, size: int) -> None:
            answer = await batcher.submit(size, lambda place: tinted(number * 10 + place))
            wanted = [number * 10 + place for place in range(size)]
            assert answer.probabilities[:, 0].tolist() == wanted
            assert answer.embeddings[:, 0].tolist() == [2 * value for value in wanted]

        await asyncio.gather(*(ask(number, size) for number, size in enumerate(sizes)))
        assert batcher.waiting == 0

    with_batcher(session, scenario, max_batch=max_batch, max_queue=200)
    assert max(session.batches) <= max_batch
    assert sum(session.batches) == sum(sizes)


def test_a_full_queue_refuses_at_once_and_counts_photos_not_requests() -> None:
    session = FakeSession()

    async def scenario(batcher: Batcher) -> None:
        session.free.clear()
        held = asyncio.create_task(batcher.submit(6, lambda _: BLANK))
        await until(session.entered.is_set)
        with pytest.raises(Overloaded, match="6 photos are waiting"):
            await batcher.submit(3, lambda _: BLANK)
        fits = asyncio.create_task(batcher.submit(2, lambda _: BLANK))
        session.free.set()
        await asyncio.gather(held, fits)
        await batcher.submit(8, lambda _: BLANK)

    with_batcher(session, scenario)


def test_a_cancelled_request_is_not_computed_and_frees_its_place() -> None:
    session = FakeSession()

    async def scenario(batcher: Batcher) -> None:
        session.free.clear()
        held = asyncio.create_task(batcher.submit(1, lambda _: BLANK))
        await until(session.entered.is_set)
        gone = asyncio.create_task(batcher.submit(5, lambda _: BLANK))
        await asyncio.sleep(0.1)
        gone.cancel()
        await asyncio.sleep(0)
        assert batcher.waiting == 1
        session.free.set()
        await held
        await batcher.submit(1, lambda _: BLANK)

    with_batcher(session, scenario)
    assert sum(session.batches) == 2


def test_a_late_request_is_refused_and_not_computed() -> None:
    session = FakeSession()

    async def scenario(batcher: Batcher) -> None:
        session.free.clear()
        held = asyncio.create_task(batcher.submit(1, lambda _: BLANK))
        await until(session.entered.is_set)
        late = asyncio.create_task(batcher.submit(1, lambda _: BLANK))
        await asyncio.sleep(0.3)
        session.free.set()
        await held
        with pytest.raises(Overloaded, match="deadline"):
            await late

    with_batcher(session, scenario, deadline_s=0.2)
    assert session.batches == [1]


def test_an_unreadable_photo_fails_its_own_request_only() -> None:
    session = FakeSession()

    def broken(_: int) -> NDArray[np.uint8]:
        raise InvalidImage("not a photo.")

    async def scenario(batcher: Batcher) -> None:
        good = asyncio.create_task(batcher.submit(1, lambda _: BLANK))
        with pytest.raises(InvalidImage):
            await batcher.submit(3, broken)
        await good
        assert batcher.waiting == 0

    with_batcher(session, scenario)


def test_a_failing_run_fails_its_batch_and_the_next_one_is_answered() -> None:
    session = FakeSession()
    calls = []

    def run(images: NDArray[np.uint8]) -> Prediction:
        calls.append(len(images))
        if len(calls) == 1:
            raise RuntimeError("out of memory")
        return session.run(images)

    async def main() -> None:
        with ThreadPoolExecutor(1) as decoders:
            batcher = Batcher(run, decoders, **limits(4))
            with pytest.raises(RuntimeError, match="out of memory"):
                await batcher.submit(1, lambda _: BLANK)
            await batcher.submit(1, lambda _: BLANK)
            assert batcher.alive
            batcher.close()
            await until(lambda: not batcher.alive)

    asyncio.run(main())


def test_closing_answers_what_was_admitted_first() -> None:
    session = FakeSession()

    async def main() -> None:
        with ThreadPoolExecutor(1) as decoders:
            batcher = Batcher(session.run, decoders, **limits(2))
            session.free.clear()
            held = asyncio.create_task(batcher.submit(5, lambda _: BLANK))
            await until(session.entered.is_set)
            batcher.close()
            session.free.set()
            assert len((await held).probabilities) == 5
            await until(lambda: not batcher.alive)

    asyncio.run(main())


def queued(queue: PhotoQueue, photos: int) -> None:
    loop = asyncio.new_event_loop()
    tickets = [Ticket(1, time.monotonic() + 10, loop.create_future()) for _ in range(photos)]
    queue.put([Waiting(ticket, 0, lambda: BLANK, time.monotonic()) for ticket in tickets])
    loop.close()


def taken(queue: PhotoQueue) -> int:
    found = queue.take()
    assert found is not None
    return len(found[0])


@given(photos=st.integers(1, 70))
def test_a_thread_that_is_free_alone_takes_the_largest_size_that_is_filled(photos: int) -> None:
    sizes = (1, 2, 4, 8, 16)
    queue = PhotoQueue(sizes)
    queued(queue, photos)
    left = photos
    while left:
        found = taken(queue)
        assert found == max(size for size in sizes if size <= left)
        left -= found
    queue.close()
    assert queue.take() is None


@pytest.mark.parametrize(("photos", "shares"), [(16, [8, 8]), (3, [1, 2]), (2, [1, 1])])
def test_threads_that_are_free_share_what_arrives(photos: int, shares: list[int]) -> None:
    queue = PhotoQueue((1, 2, 4, 8, 16))
    with ThreadPoolExecutor(2) as pool:
        takers = [pool.submit(taken, queue) for _ in range(2)]
        while queue.free < 2:
            time.sleep(0.001)
        queued(queue, photos)
        assert sorted(taker.result(10) for taker in takers) == shares


class Recorder(Watch):
    def __init__(self) -> None:
        self.seen: dict[str, int] = {}

    def _add(self, what: str, photos: int) -> None:
        self.seen[what] = self.seen.get(what, 0) + photos

    def rejected(self, photos: int) -> None:
        self._add("rejected", photos)

    def late(self, photos: int) -> None:
        self._add("late", photos)

    def abandoned(self, photos: int) -> None:
        self._add("abandoned", photos)

    def unreadable(self, photos: int) -> None:
        self._add("unreadable", photos)

    def computed(self, waited_s: Sequence[float], seconds: float) -> None:
        self._add("computed", len(waited_s))


def test_every_photo_is_accounted_for_once() -> None:
    session, watch = FakeSession(), Recorder()

    def unreadable(_: int) -> NDArray[np.uint8]:
        raise InvalidImage("broken")

    async def main() -> None:
        with ThreadPoolExecutor(2) as decoders:
            batcher = Batcher(session.run, decoders, **limits(), watch=watch)
            session.free.clear()
            held = asyncio.create_task(batcher.submit(1, lambda _: BLANK))
            await until(session.entered.is_set)
            gone = asyncio.create_task(batcher.submit(5, lambda _: BLANK))
            await asyncio.sleep(0.1)
            with pytest.raises(Overloaded):
                await batcher.submit(3, lambda _: BLANK)
            gone.cancel()
            with pytest.raises(InvalidImage):
                await batcher.submit(1, unreadable)
            session.free.set()
            await held
            await batcher.submit(2, lambda _: BLANK)
            await until(lambda: sum(watch.seen.values()) == 12)
            batcher.close()

    asyncio.run(main())
    assert watch.seen == {"computed": 3, "rejected": 3, "unreadable": 1, "abandoned": 5}
