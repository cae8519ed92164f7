"""How long a new replica takes to its first answer through the front door, and where it goes.

The replica is killed with `kill -9` together with Ray's idle workers, so that its follower is a new
process and not one that Ray had started and held ready. `cold_start_s` counts from the moment that
process exists, or from the kill where the process is older, to the first 200 of a photo that was
posted after the kill; 20 photos a second are. What it does in between is seen from outside:

* worker: until its title says that it is a replica (Python, Ray, the application's imports);
* application: until it listens (constructor, API);
* model: until it answers when asked directly (bundle, session, warm-up);
* front door: until it answers through HAProxy (the controller hears of it, HAProxy reloads).
"""

import http.client
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

from bench.figures import Figures
from bench.serving.open_loop import Shots, constant, shoot
from bench.serving.processes import REPLICA, replicas, server_process, title, tree

_TIMES = 3
_RATE, _SECONDS, _KILL_AFTER_S = 20.0, 25.0, 3.0
_LOOK_EVERY_S = 0.02
_GIVE_UP_S = 60.0
_DIRECT_PORTS = range(30_000, 31_000)
_IDLE = "ray::IDLE"


@dataclass
class Start:
    """Moments of a replica's start, as `time.time` tells them."""

    killed: float
    created: float = np.nan
    titled: float = np.nan
    listening: float = np.nan
    answers: float = np.nan

    @property
    def begun(self) -> float:
        """From when the start counts."""
        return max(self.killed, self.created)


def measure_cold_start(figures: Figures, address: str, photo: bytes) -> None:
    """Add `cold_start_s` and its parts: medians of three starts.

    Args:
        figures: to add to.
        address: of a server with one replica, started on this machine.
        photo: encoded JPEG.
    """
    rows = []
    for _ in range(_TIMES):
        shots = shoot(address, [photo], constant(_RATE, _SECONDS))
        start = _restart(address, photo)
        front = _first_200(shots.result(), start.killed)
        moments = (start.begun, start.titled, start.listening, start.answers, front)
        rows.append((front - start.begun, front - start.killed, *np.diff(moments)))
    names = ("", "_from_kill", "_worker", "_application", "_model", "_front_door")
    for name, values in zip(names, np.array(rows).T, strict=True):
        figures.add(f"cold_start{name}_s", np.median(values), (min(values), max(values)))


def _restart(address: str, photo: bytes) -> Start:
    """Kill the replica and watch the next one come up."""
    server = server_process(address)
    time.sleep(_KILL_AFTER_S)
    old = replicas(server)
    raylet = old[0].parent()
    assert raylet is not None
    idle = [one for one in tree(server) if title(one).startswith(_IDLE)]
    start = Start(killed=time.time())
    for process in (*old, *idle):
        process.kill()
    gone = {one.pid for one in old}
    until = time.monotonic() + _GIVE_UP_S
    while time.monotonic() < until:
        time.sleep(_LOOK_EVERY_S)
        new = next((one for one in _replicas_of(raylet) if one.pid not in gone), None)
        if new is not None:
            return _watched(start, new, photo, until)
    raise RuntimeError("no new replica came")


def _watched(start: Start, replica: psutil.Process, photo: bytes, until: float) -> Start:
    start.created, start.titled = replica.create_time(), time.time()
    while time.monotonic() < until:
        time.sleep(_LOOK_EVERY_S)
        port = _direct_port(replica)
        if port is None:
            continue
        if np.isnan(start.listening):
            start.listening = time.time()
        if _answers(port, photo):
            start.answers = time.time()
            return start
    raise RuntimeError("the new replica does not answer")


def _first_200(shots: Shots, after: float) -> float:
    """When the first answer with 200 was there to a request that left after that moment."""
    answered = shots.began + shots.answered[shots.good & (shots.began + shots.due > after)]
    if not len(answered):
        raise RuntimeError("no photo was answered after the kill")
    return float(answered.min())


def _replicas_of(raylet: psutil.Process) -> Iterator[psutil.Process]:
    """By files of /proc: psutil's own look at every process would take a part of a core."""
    for task in Path(f"/proc/{raylet.pid}/task").iterdir():
        try:
            pids = (task / "children").read_text().split()
        except OSError:
            continue
        for pid in map(int, pids):
            try:
                process = psutil.Process(pid)
            except psutil.NoSuchProcess:
                continue
            if title(process).startswith(REPLICA):
                yield process


def _direct_port(replica: psutil.Process) -> int | None:
    for one in replica.net_connections("tcp"):
        if one.status == psutil.CONN_LISTEN and one.laddr.port in _DIRECT_PORTS:
            return int(one.laddr.port)
    return None


def _answers(port: int, photo: bytes) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("POST", "/v1/classify", photo, {"Content-Type": "image/jpeg"})
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    from cyclopts import run

    from bench.serving.photos import single_photos

    def main(address: str) -> None:
        """Measure with one of grocery's photos."""
        figures = Figures()
        measure_cold_start(figures, address, single_photos()[0])
        figures.show("Cold start")

    run(main)
