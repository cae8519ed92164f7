"""What Prometheus reads of a replica, through Ray's metrics agent (which puts `ray_` before names).

Base units and names by Prometheus' conventions; Ray adds `_total` to counters, and the replica,
the deployment and the application as labels.
"""

from collections.abc import Sequence
from typing import Final

from ray.serve.metrics import Counter, Gauge, Histogram

from serve.watch import Watch

_SECONDS: Final = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0]
_BATCHES: Final = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0]


class ReplicaMetrics(Watch):
    """Counts what becomes of photos and requests; made in the replica."""

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

    def answered(self, call: str, status: int, seconds: float) -> None:
        """See `Watch`."""
        self._requests.inc(1.0, {"call": call, "status": str(status)})
        self._latency.observe(seconds, {"call": call})

    def serving(self, version: str, variant: str, device: str) -> None:
        """See `Watch`."""
        if self._served is not None:
            self._model.set(0.0, dict(self._served))
        self._served = {"version": version, "variant": variant, "device": device}
        self._model.set(1.0, dict(self._served))

    def queue(self, photos: int) -> None:
        """See `Watch`."""
        self._queue.set(float(photos))

    def rejected(self, photos: int) -> None:
        """See `Watch`."""
        self._photos.inc(float(photos), {"outcome": "rejected"})

    def late(self, photos: int) -> None:
        """See `Watch`."""
        self._photos.inc(float(photos), {"outcome": "late"})

    def abandoned(self, photos: int) -> None:
        """See `Watch`."""
        self._photos.inc(float(photos), {"outcome": "abandoned"})

    def unreadable(self, photos: int) -> None:
        """See `Watch`."""
        self._photos.inc(float(photos), {"outcome": "unreadable"})

    def decoded(self, seconds: float) -> None:
        """See `Watch`."""
        self._stages.observe(seconds, {"stage": "decode"})

    def computed(self, waited_s: Sequence[float], seconds: float) -> None:
        """See `Watch`."""
        self._photos.inc(float(len(waited_s)), {"outcome": "computed"})
        self._batches.observe(float(len(waited_s)))
        self._stages.observe(seconds, {"stage": "infer"})
        for waited in waited_s:
            self._stages.observe(max(waited, 1e-9), {"stage": "queue"})
