import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from catalog.errors import InvalidImage, Overloaded
from inference.session import Prediction
from serve.batching import Batcher

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
            batcher = Batcher(
                session.run,
                decoders,
                max_batch=max_batch,
                max_queue=max_queue,
                deadline_s=deadline_s,
            )
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
            batcher = Batcher(run, decoders, max_batch=4, max_queue=8, deadline_s=10)
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
            batcher = Batcher(session.run, decoders, max_batch=2, max_queue=8, deadline_s=10)
            session.free.clear()
            held = asyncio.create_task(batcher.submit(5, lambda _: BLANK))
            await until(session.entered.is_set)
            batcher.close()
            session.free.set()
            assert len((await held).probabilities) == 5
            await until(lambda: not batcher.alive)

    asyncio.run(main())
