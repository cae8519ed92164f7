"""CPU and memory of a server's processes: `catalens serve`, Ray's, HAProxy, the replicas."""

import time
from contextlib import suppress
from itertools import pairwise
from urllib.parse import urlsplit

import numpy as np
import psutil
from numpy.typing import NDArray

from bench.serving.beside import Beside
from catalog.errors import InvalidRequest

REPLICA = "ray::ServeReplica"


def server_process(address: str) -> psutil.Process:
    """The process that was started with the address's port as its `--port`.

    Raises:
        InvalidRequest: there is none.
    """
    port = str(urlsplit(address).port)
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if ("--port", port) in pairwise(words):
            return process
    raise InvalidRequest("no server was started for this address.", where=address)


def tree(server: psutil.Process) -> list[psutil.Process]:
    """The process and all its descendants that live."""
    return [server, *server.children(recursive=True)]


def title(process: psutil.Process) -> str:
    """The first word of its command line, which Ray sets to what the process does."""
    with suppress(psutil.Error):
        return (process.cmdline() or [""])[0]
    return ""


def replicas(server: psutil.Process) -> list[psutil.Process]:
    """The processes in which Ray Serve runs replicas."""
    return [one for one in tree(server) if title(one).startswith(REPLICA)]


def resident(processes: list[psutil.Process]) -> int:
    """Resident bytes of all of them; pages that several share count for each."""
    total = 0
    for process in processes:
        with suppress(psutil.Error):  # it ended in between
            total += process.memory_info().rss
    return total


def cpu_seconds(processes: list[psutil.Process]) -> float:
    """User and system time that all of them have used so far."""
    total = 0.0
    for process in processes:
        with suppress(psutil.Error):
            times = process.cpu_times()
            total += times.user + times.system
    return total


class MemoryWatch(Beside):
    """Takes the memory of a server's tree again and again while a block runs.

    Args:
        address: of the server.
        every_s: seconds between two samples.
    """

    def __init__(self, address: str, every_s: float = 1.0) -> None:
        super().__init__(every_s)
        self._server = server_process(address)
        self._samples: list[tuple[float, int, int]] = []
        self._started = time.monotonic()

    @property
    def samples(self) -> NDArray[np.float64]:
        """Seconds since the start, bytes of the tree, bytes of its replicas: float64 [N, 3]."""
        return np.array(self._samples, dtype=np.float64).reshape(-1, 3)

    def _look(self) -> None:
        with suppress(psutil.NoSuchProcess):
            now = time.monotonic() - self._started
            processes = tree(self._server)
            models = [one for one in processes if title(one).startswith(REPLICA)]
            self._samples.append((now, resident(processes), resident(models)))
