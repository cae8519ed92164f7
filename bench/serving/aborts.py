"""Uploads whose sender gave up are not computed.

The server is the real one with a session that also counts which photos its graph ran
(`bench.serving.stand_in.Counting`): the uploads that are aborted carry a mark in their middle, the
load does not. Half of them end in the middle of the body, half up to 50 ms after its last byte;
every other one with a reset, the rest as a closed socket does. A photo that is next in line is
rightly computed at once, so the load keeps about 128 photos waiting and an upload that came whole
waits several times 50 ms, as it would on a busy server; how long is a figure. Before the aborts,
marked uploads that are not aborted must all be counted, or nothing is measured.
"""

import http.client
import random
import socket
import struct
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from bench.figures import Figures
from bench.serving.closed_loop import load
from bench.serving.photos import write_bodies
from bench.serving.stand_in import counting, mark

_ABORTS, _EVERY_S = 200, 0.1
_WAITING = 128
_WHOLE = 20
_GIVES_UP_WITHIN_S = 0.05
_LOAD_S = _ABORTS * (_EVERY_S + _GIVES_UP_WITHIN_S) + 15
_RESET = struct.pack("ii", 1, 0)


def measure_aborts(figures: Figures, bundle: Path, photos: Sequence[bytes], port: int) -> None:
    """Add `aborted_computed`: of 200 aborted uploads, those that the graph ran.

    Args:
        figures: to add to.
        bundle: to serve.
        photos: encoded JPEG.
        port: free.

    Raises:
        RuntimeError: uploads that were not aborted were not all counted.
    """
    uploads = [mark(photo) for photo in photos]
    with TemporaryDirectory() as folder, ThreadPoolExecutor(1) as beside:
        counted = Path(folder) / "counted"
        counted.touch()
        files = write_bodies(Path(folder) / "bodies", photos)
        with counting(bundle, port, counted) as address:
            busy = beside.submit(
                load,
                f"{address}/v1/classify",
                files,
                "image/jpeg",
                seconds=_LOAD_S,
                concurrency=_WAITING,
            )
            time.sleep(3)
            waits = [_whole(address, uploads[place % len(uploads)]) for place in range(_WHOLE)]
            whole = _lines(counted)
            if whole != _WHOLE:
                raise RuntimeError(f"{whole} of {_WHOLE} whole uploads were counted")
            _abort(address, uploads)
            found = busy.result()
        figures.add("aborted", _ABORTS)
        figures.add("aborted_computed", _lines(counted) - whole)
        figures.add("aborts_shortest_wait_s", min(waits))
        figures.add("aborts_load_failed", found.not_200 + found.broken)


def _whole(address: str, upload: bytes) -> float:
    """Seconds that an upload took whose sender waits."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=30)
    started = time.perf_counter()
    connection.request("POST", "/v1/classify", upload, {"Content-Type": "image/jpeg"})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    if answer.status != 200:
        raise RuntimeError(f"a whole upload was answered with {answer.status}")
    return time.perf_counter() - started


def _abort(address: str, uploads: Sequence[bytes]) -> None:
    rng = random.Random(0)
    where = urlsplit(address)
    for number in range(_ABORTS):
        upload = uploads[number % len(uploads)]
        head = (
            f"POST /v1/classify HTTP/1.1\r\nHost: {where.netloc}\r\nContent-Type: image/jpeg\r\n"
            f"Content-Length: {len(upload)}\r\n\r\n"
        )
        whole, reset = number % 2 == 0, number % 4 < 2
        with socket.create_connection((where.hostname, where.port), timeout=10) as sender:
            sender.sendall(head.encode() + upload[: len(upload) if whole else len(upload) // 2])
            time.sleep(rng.uniform(0, _GIVES_UP_WITHIN_S))
            if reset:
                sender.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        time.sleep(_EVERY_S)


def _lines(file: Path) -> int:
    return len(file.read_text().splitlines())


if __name__ == "__main__":
    from cyclopts import run

    from bench.serving.photos import single_photos

    def main(bundle: Path, port: int = 8462) -> None:
        """Measure with grocery's photos."""
        figures = Figures()
        measure_aborts(figures, bundle, single_photos(), port)
        figures.show("Aborted uploads")

    run(main)
