"""Open-loop load: requests leave when they are due, whatever becomes of those before.

Latency counts from the intended start, so that a server that stalls cannot hide behind a generator
that waits for it (coordinated omission; Gil Tene, "How NOT to Measure Latency"), and also from the
last byte of the body, for a refusal must be quick once all is sent. Nothing that is packaged keeps
a rate, sends several bodies in rotation and tells the latencies of each status apart, from both
moments: wrk is a closed loop, hey sends one body.

The generator is a process of its own and says what CPU it took. It waits for its sockets itself:
asyncio took half as much CPU again for the same.
"""

import pickle
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

_PATIENCE_S = 30.0
_OPEN_AT_START = 32
_READ = 65536
_NAN = float("nan")
_NONE = (_NAN, 0, _NAN, _NAN, _NAN, 0)  # a row of `Shots` without an answer, from `late` on


@dataclass(frozen=True)
class Shots:
    """What became of N requests.

    Attributes:
        due: intended start in seconds since ``began``, float64 [N].
        late: seconds that the generator started after it, float64 [N].
        status: of the answer, int16 [N]; 0 where the connection broke or no answer came.
        seconds: from the intended start to the whole answer, float64 [N]; nan without one.
        after_body: from the body's last byte to the whole answer, float64 [N]; nan without one.
        retry_after: the header's seconds, float64 [N]; nan without one.
        problem: the answer is an application/problem+json, bool [N].
        began: when it began, as `time.time` tells it.
        cpu_s: CPU of the generator per request.
    """

    due: NDArray[np.float64]
    late: NDArray[np.float64]
    status: NDArray[np.int16]
    seconds: NDArray[np.float64]
    after_body: NDArray[np.float64]
    retry_after: NDArray[np.float64]
    problem: NDArray[np.bool_]
    began: float
    cpu_s: float

    @property
    def good(self) -> NDArray[np.bool_]:
        """Answered with 200, bool [N]."""
        return self.status == 200

    @property
    def answered(self) -> NDArray[np.float64]:
        """When the answer was there, in seconds since ``began``, float64 [N]."""
        return self.due + self.seconds


def constant(rate: float, seconds: float) -> NDArray[np.float64]:
    """Starts at equal distances."""
    return np.arange(round(rate * seconds)) / rate


def poisson(rate: float, seconds: float, seed: int = 0) -> NDArray[np.float64]:
    """Starts as independent clients make them."""
    rng = np.random.default_rng(seed)
    gaps = rng.exponential(1 / rate, size=round(rate * seconds * 1.2) + 100)
    starts = np.cumsum(gaps)
    return starts[starts < seconds]


class Shooting:
    """A generator at work in another process."""

    def __init__(self, plan: tuple[str, tuple[bytes, ...], NDArray[np.float64]]) -> None:
        # By its file: the package around it would load torch, and the generator needs numpy only.
        command = [sys.executable, "-P", __file__]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdin is not None
        with self._process.stdin as plans:
            pickle.dump(plan, plans)

    def result(self) -> Shots:
        """What became of the requests, once the last is answered or given up.

        Raises:
            RuntimeError: the generator failed; it has said why on its own output.
        """
        assert self._process.stdout is not None
        with self._process.stdout as answers:
            found = answers.read()
        if self._process.wait():
            raise RuntimeError("the load generator failed")
        return Shots(**pickle.loads(found))


def shoot(address: str, photos: Sequence[bytes], due: NDArray[np.float64]) -> Shooting:
    """Post the photos in rotation to /v1/classify from another process.

    Args:
        address: of the server.
        photos: encoded JPEG.
        due: when each request leaves, in seconds since the generator began, ascending.
    """
    return Shooting((address, tuple(photos), due))


class _Generator:
    """Sends every request at its time over whichever connection is free."""

    def __init__(self, address: str, photos: Sequence[bytes], due: NDArray[np.float64]) -> None:
        where = urlsplit(address)
        self._where = where.hostname or "127.0.0.1", where.port or 80
        self._requests = [_request(where.netloc, photo) for photo in photos]
        self._due: list[float] = due.tolist()
        self._next = 0
        self._left = len(due)
        self._selector = selectors.DefaultSelector()
        self._idle: list[_Connection] = []
        self._answers: list[tuple[float, ...]] = [_NONE] * len(due)
        self._began = 0.0

    def run(self) -> Shots:
        """Send everything and wait for the answers; what has none in time has none."""
        self._idle = [self._connected(waiting=True) for _ in range(_OPEN_AT_START)]
        began, cpu = time.time(), time.process_time()
        self._began = time.perf_counter()
        until = self._due[-1] + _PATIENCE_S
        while self._left and (now := time.perf_counter() - self._began) < until:
            while self._next < len(self._due) and self._due[self._next] <= now:
                self._send(self._next)
                self._next += 1
            following = self._due[self._next] if self._next < len(self._due) else until
            now = time.perf_counter() - self._began
            for key, events in self._selector.select(max(0.0, following - now)):
                self._go_on(key.data, events)
        cpu = time.process_time() - cpu
        late, status, seconds, after_body, retry_after, problem = np.array(self._answers).T
        return Shots(
            due=np.array(self._due),
            late=late,
            status=status.astype(np.int16),
            seconds=seconds,
            after_body=after_body,
            retry_after=retry_after,
            problem=problem.astype(bool),
            began=began,
            cpu_s=cpu / len(self._due),
        )

    def _connected(self, *, waiting: bool = False) -> "_Connection":
        one = socket.socket()
        one.setblocking(waiting)
        one.connect_ex(self._where)  # a refusal shows when it is written to
        one.setblocking(False)
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = _Connection(one)
        self._selector.register(one, selectors.EVENT_READ, connection)
        return connection

    def _send(self, number: int) -> None:
        connection = self._idle.pop() if self._idle else self._connected()
        connection.number = number
        connection.unsent = memoryview(self._requests[number % len(self._requests)])
        connection.sent = time.perf_counter()
        self._write(connection)

    def _go_on(self, connection: "_Connection", events: int) -> None:
        if events & selectors.EVENT_WRITE and not self._write(connection):
            return
        if events & selectors.EVENT_READ:
            self._read(connection)

    def _write(self, connection: "_Connection") -> bool:
        """Send what goes; false when the connection broke."""
        before = len(connection.unsent)
        try:
            connection.unsent = connection.unsent[connection.socket.send(connection.unsent) :]
        except BlockingIOError:
            pass
        except OSError:
            self._ended(connection, None)
            return False
        blocked = len(connection.unsent) > 0
        if blocked != connection.blocked:
            connection.blocked = blocked
            wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if blocked else 0)
            self._selector.modify(connection.socket, wanted, connection)
        if before and not blocked:
            connection.last_byte = time.perf_counter()
        return True

    def _read(self, connection: "_Connection") -> None:
        try:
            data = connection.socket.recv(_READ)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._ended(connection, None)
            return
        connection.received += data
        answer = parse(connection.received)
        if answer is not None:
            self._ended(connection, answer)

    def _ended(self, connection: "_Connection", answer: "Answer | None") -> None:
        """Keep what became of its request, and the connection if it can be used again."""
        now = time.perf_counter()
        number, connection.number = connection.number, None
        if number is not None:
            started = self._began + self._due[number]
            row = (connection.sent - started, *_NONE[1:])
            if answer is not None:
                # An answer may come before the server has read the whole body.
                waited = 0.0 if connection.blocked else now - connection.last_byte
                times = (now - started, waited)
                row = (row[0], answer.status, *times, answer.retry_after, answer.problem)
            self._answers[number] = row
            self._left -= 1
        if number is not None and answer and answer.keep_alive and not connection.blocked:
            connection.received = b""
            self._idle.append(connection)
            return
        if number is None and connection in self._idle:
            self._idle.remove(connection)
        self._selector.unregister(connection.socket)
        connection.socket.close()


@dataclass(eq=False, slots=True)
class _Connection:
    """Keep-alive, with one request at a time; ``blocked`` while its socket takes no more."""

    socket: socket.socket
    number: int | None = None
    unsent: bytes | memoryview = b""
    received: bytes = b""
    sent: float = 0.0
    last_byte: float = 0.0
    blocked: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What is kept of an HTTP answer; see `Shots`."""

    status: int
    problem: bool
    retry_after: float
    keep_alive: bool


def parse(received: bytes) -> Answer | None:
    """A whole HTTP/1.1 answer; None while some of it is missing."""
    end = received.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = received[: end + 2].lower()
    length = _field(head, b"\r\ncontent-length:")
    if length and len(received) < end + 4 + int(length):
        return None
    status = int(head[9:12])
    wait = _field(head, b"\r\nretry-after:")
    return Answer(
        status,
        _field(head, b"\r\ncontent-type:").startswith(b"application/problem+json"),
        float(wait) if wait.isdigit() else float("nan"),
        # A body without a length would run into the next answer.
        bool(length) and _field(head, b"\r\nconnection:") != b"close",
    )


def _field(head: bytes, name: bytes) -> bytes:
    start = head.find(name)
    return b"" if start < 0 else head[start + len(name) : head.find(b"\r\n", start + 2)].strip()


def _request(host: str, photo: bytes) -> bytes:
    head = (
        f"POST /v1/classify HTTP/1.1\r\nHost: {host}\r\nContent-Type: image/jpeg\r\n"
        f"Content-Length: {len(photo)}\r\n\r\n"
    )
    return head.encode() + photo


def main() -> None:
    """Be the process of a `Shooting`: the plan comes by stdin, what became of it goes to stdout."""
    generator = _Generator(*pickle.load(sys.stdin.buffer))
    sys.stdout.buffer.write(pickle.dumps(vars(generator.run())))


if __name__ == "__main__":
    main()
