"""The ceiling: photos per second of the same graph and decode in one process, without HTTP.

Run as a process of its own, `python -m bench.serving.ceiling BUNDLE VARIANT DEVICE SECONDS
PHOTO...`; prints one line of JSON. Several layouts are tried and the fastest is the ceiling, so
that it is not low by a poor choice. On a CPU: decode threads before one run at a time on all cores;
decode threads before as many runs at a time as there are cores, each on one; and one thread per
core that decodes a batch and runs it; small batches, which stay in the cache, and larger ones. On a
GPU: a decode thread per core before one run at a time, of larger and larger batches.
"""

import json
import os
import queue
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from catalog.images import ImageSpec, decode
from inference.bundle import read_bundle
from inference.devices import Device, usable
from inference.session import Session

_WARM_UP_SECONDS = 1.0
_DECODED_AHEAD = 4  # batches per run


@dataclass(frozen=True)
class Layout:
    """Who works on what.

    Attributes:
        runs: threads that run the graph.
        threads: of one run.
        decoders: threads that decode for them; 0 when they decode themselves.
        batch: photos in one run.
    """

    runs: int
    threads: int
    decoders: int
    batch: int


def layouts(cores: int, device: Device) -> tuple[Layout, ...]:
    """The ones that are tried."""
    if device != "cpu":
        return tuple(Layout(1, 1, cores, batch) for batch in (16, 32, 64, 128))
    return (
        Layout(1, cores, cores, 16),
        Layout(cores, 1, cores, 16),
        Layout(cores, 1, cores, 4),
        Layout(cores, 1, 0, 4),
        Layout(cores, 1, 0, 1),
    )


class Pipeline:
    """Decodes and runs the same photos over and over; counts what is done."""

    def __init__(self, session: Session, photos: Sequence[bytes], layout: Layout) -> None:
        self.done = 0
        self._session = session
        self._spec: ImageSpec = session.bundle.document.image
        self._photos = photos
        self._batch = layout.batch
        self._decoded: queue.Queue[NDArray[np.uint8]] = queue.Queue(
            layout.runs * layout.batch * _DECODED_AHEAD
        )
        self._stop = threading.Event()
        self._lock = threading.Lock()
        run = self._run_decoded if layout.decoders else self._decode_and_run
        self._threads = [threading.Thread(target=run) for _ in range(layout.runs)]
        self._threads += [
            threading.Thread(target=self._decode, args=(first,)) for first in range(layout.decoders)
        ]

    def rate(self, seconds: float) -> float:
        """Photos per second over that long, after a warm-up."""
        for thread in self._threads:
            thread.start()
        time.sleep(_WARM_UP_SECONDS)
        started, before = time.perf_counter(), self.done
        time.sleep(seconds)
        rate = (self.done - before) / (time.perf_counter() - started)
        self._stop.set()
        for thread in self._threads:
            thread.join()
        return rate

    def _decode(self, place: int) -> None:
        while not self._stop.is_set():
            image = decode(self._photos[place % len(self._photos)], self._spec)
            place += 1
            try:
                self._decoded.put(image, timeout=1)
            except queue.Full:
                continue

    def _run_decoded(self) -> None:
        while not self._stop.is_set():
            try:
                batch = [self._decoded.get(timeout=1) for _ in range(self._batch)]
            except queue.Empty:
                continue
            self._run(np.stack(batch))

    def _decode_and_run(self) -> None:
        place = 0
        while not self._stop.is_set():
            batch = [
                decode(self._photos[(place + step) % len(self._photos)], self._spec)
                for step in range(self._batch)
            ]
            place += self._batch
            self._run(np.stack(batch))

    def _run(self, batch: NDArray[np.uint8]) -> None:
        self._session.run(batch)
        with self._lock:
            self.done += len(batch)


def main(arguments: list[str]) -> None:
    """Measure every layout and write the rates as JSON."""
    bundle, variant, device, seconds, *files = arguments
    photos = [Path(file).read_bytes() for file in files]
    rates = {}
    for layout in layouts(len(os.sched_getaffinity(0)), usable(device)):
        session = Session(
            read_bundle(bundle),
            variant=variant,
            device=device,
            threads=layout.threads,
            max_batch=layout.batch,
        )
        name = (
            f"{layout.decoders} decode, {layout.runs} x {layout.threads} run, batch {layout.batch}"
        )
        rates[name] = Pipeline(session, photos, layout).rate(float(seconds))
    sys.stdout.write(json.dumps(rates) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
