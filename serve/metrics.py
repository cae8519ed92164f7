"""What Prometheus reads of a replica, through Ray's metrics agent (which puts `ray_` before names).

Base units and names by Prometheus' conventions; Ray adds `_total` to counters, and the replica,
the deployment and the application as labels.
"""

import threading
import time
from collections import Counter as Tally
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final, TypeVar

from ray.serve.metrics import Counter, Gauge, Histogram

from serve.watch import Watch

_SECONDS: Final = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0]
_TELL_EVERY_S: Final = 1.0
_Noted = TypeVar("_Noted")
_BATCHES: Final = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0]


class ReplicaMetrics(Watch):
    """Counts what becomes of photos and requests; made in the replica.

    Telling Ray of one value gives up Python's lock, which a busy event loop then waits for: four
    of them took a quarter of its time. So values are only noted here, and a thread of its own
    tells Ray of them once a second.
    """

    def __init__(self) -> None:
        self._requests = Counter(
            "catalens_requests",
            "Requests answered, by call and status.",
            ("call", "status"),  # type: ignore[arg-type]  # Ray takes any number
        )
        self._latency = Histogram(
            "catalens_request_seconds",
            "From the first byte of the request to the last of the answer.",
            _SECONDS,
            ("call",),
        )
        self._photos = Counter(
            "catalens_photos",
            "Photos by outcome: computed; unreadable; rejected, the queue was full; late, past "
            "their deadline; abandoned, nobody waits any more.",
            ("outcome",),
        )
        self._compared = Counter(
            "catalens_shadow_photos",
            "Photos that a candidate saw, by outcome: agreed, differed.",
            ("outcome",),
        )
        self._stages = Histogram(
            "catalens_stage_seconds",
            "Per photo waiting in the queue and decoding it, per batch running the graph.",
            _SECONDS,
            ("stage",),
        )
        self._batches = Histogram("catalens_batch_photos", "Photos in one run.", _BATCHES)
        self._queue = Gauge("catalens_queue_photos", "Photos admitted and not answered yet.")
        self._model = Gauge(
            "catalens_model_info",
            "1 for the bundle that answers.",
            ("version", "variant", "device"),  # type: ignore[arg-type]
        )
        self._served: dict[str, str] | None = None
        self._waiting = 0
        self._answers: deque[tuple[str, int, float]] = deque()
        self._outcomes: deque[tuple[str, int]] = deque()
        self._comparisons: deque[tuple[str, int]] = deque()
        self._seconds: deque[tuple[str, float]] = deque()
        self._runs: deque[int] = deque()
        threading.Thread(target=self._tell_always, name="metrics", daemon=True).start()

    def answered(self, call: str, status: int, seconds: float) -> None:
        """See `Watch`."""
        self._answers.append((call, status, seconds))

    def serving(self, version: str, variant: str, device: str) -> None:
        """See `Watch`."""
        self._served = {"version": version, "variant": variant, "device": device}

    def queue(self, photos: int) -> None:
        """See `Watch`."""
        self._waiting = photos

    def rejected(self, photos: int) -> None:
        """See `Watch`."""
        self._outcomes.append(("rejected", photos))

    def late(self, photos: int) -> None:
        """See `Watch`."""
        self._outcomes.append(("late", photos))

    def abandoned(self, photos: int) -> None:
        """See `Watch`."""
        self._outcomes.append(("abandoned", photos))

    def unreadable(self, photos: int) -> None:
        """See `Watch`."""
        self._outcomes.append(("unreadable", photos))

    def decoded(self, seconds: float) -> None:
        """See `Watch`."""
        self._seconds.append(("decode", seconds))

    def compared(self, agreed: bool) -> None:
        """See `Watch`."""
        self._comparisons.append(("agreed" if agreed else "differed", 1))

    def computed(self, waited_s: Sequence[float], seconds: float) -> None:
        """See `Watch`."""
        self._outcomes.append(("computed", len(waited_s)))
        self._runs.append(len(waited_s))
        self._seconds.append(("infer", seconds))
        self._seconds.extend(("queue", waited) for waited in waited_s)

    def _tell_always(self) -> None:
        while True:
            time.sleep(_TELL_EVERY_S)
            self._tell()

    def _tell(self) -> None:
        self._queue.set(float(self._waiting))
        if self._served is not None:
            self._model.set(1.0, dict(self._served))  # a gauge that is not set again is forgotten
        requests: Tally[tuple[str, int]] = Tally()
        for call, status, seconds in _taken(self._answers):
            requests[call, status] += 1
            self._latency.observe(seconds, {"call": call})
        for (call, status), count in requests.items():
            self._requests.inc(float(count), {"call": call, "status": str(status)})
        for noted, counter in (
            (self._outcomes, self._photos),
            (self._comparisons, self._compared),
        ):
            photos: Tally[str] = Tally()
            for outcome, count in _taken(noted):
                photos[outcome] += count
            for outcome, count in photos.items():
                counter.inc(float(count), {"outcome": outcome})
        for stage, seconds in _taken(self._seconds):
            self._stages.observe(seconds, {"stage": stage})
        for count in _taken(self._runs):
            self._batches.observe(float(count))


def _taken(noted: deque[_Noted]) -> Iterator[_Noted]:
    """All that was noted so far; other threads go on noting."""
    for _ in range(len(noted)):
        yield noted.popleft()
