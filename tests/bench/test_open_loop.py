import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from bench.serving.open_loop import constant, parse, poisson, shoot

_OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
_BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n"
    b"Content-Type: application/problem+json\r\nContent-Length: 2\r\n\r\n{}"
)


@contextmanager
def answering(answer: Callable[[int], tuple[float, bytes]]) -> Iterator[tuple[str, list[bytes]]]:
    """A server: for the nth request, the seconds it waits and what it sends; and bodies it got."""
    bodies: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                break
            length = int(head.lower().partition(b"content-length:")[2].split()[0])
            bodies.append(await reader.readexactly(length))
            wait, data = answer(len(bodies) - 1)
            await asyncio.sleep(wait)
            if not data:
                break
            writer.write(data)
        writer.close()

    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(serve, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", bodies
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()


def test_a_slow_answer_does_not_hold_up_the_next_request() -> None:
    with answering(lambda _: (0.5, _OK)) as (address, bodies):
        shots = shoot(address, [b"a" * 50_000, b"b"], constant(20, 1)).result()
    assert shots.good.all()
    assert shots.late.max() < 0.2
    assert shots.answered.max() < 2
    assert (shots.seconds >= 0.5).all()
    assert (shots.after_body <= shots.seconds).all()
    assert sorted(bodies)[::19] == [b"a" * 50_000, b"b"]


def test_latencies_of_refusals_are_told_apart() -> None:
    def answer(number: int) -> tuple[float, bytes]:
        return (0.0, _BUSY) if number % 2 else (0.2, _OK)

    with answering(answer) as (address, _):
        shots = shoot(address, [b"a"], constant(20, 1)).result()
    refused = shots.status == 503
    assert refused.sum() == 10
    assert shots.after_body[refused].max() < shots.after_body[shots.good].min()
    assert shots.problem[refused].all()
    assert not shots.problem[shots.good].any()
    assert (shots.retry_after[refused] == 1).all()


def test_a_broken_connection_has_no_status_and_no_latency() -> None:
    with answering(lambda number: (0, b"" if number == 3 else _OK)) as (address, _):
        shots = shoot(address, [b"a"], constant(10, 1)).result()
    assert shots.status.tolist().count(0) == 1
    assert np.isnan(shots.seconds[shots.status == 0]).all()
    assert shots.good.sum() == 9


@pytest.mark.parametrize("missing", [1, 2, 20])
def test_an_answer_is_not_read_before_it_is_whole(missing: int) -> None:
    assert parse(_OK[:-missing]) is None
    whole = parse(_OK)
    assert whole is not None
    assert whole.status == 200
    assert whole.keep_alive


def test_an_answer_without_a_length_ends_its_connection() -> None:
    found = parse(b"HTTP/1.1 500 Internal Server Error\r\nconnection: close\r\n\r\n")
    assert found is not None
    assert (found.status, found.keep_alive) == (500, False)


def test_poisson_starts_have_the_rate_and_no_rhythm() -> None:
    starts = poisson(100, 200)
    gaps = np.diff(starts)
    assert len(starts) == pytest.approx(20_000, rel=0.05)
    assert (gaps >= 0).all()
    assert starts[-1] < 200
    assert gaps.std() == pytest.approx(gaps.mean(), rel=0.05)
