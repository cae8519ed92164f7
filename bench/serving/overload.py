"""Below capacity latency stays near that of an idle server; above it, refusals are quick and clean.

Load is open-loop (`bench.serving.open_loop`): 60 s at 70% of the capacity at a constant rate and
60 s with Poisson arrivals, then 30 s at 200% at a constant rate, while `/readyz` is asked from the
side every half second. Independent clients are Poisson; an ideal server with one photo at a time
(M/D/1) then has a p99 of 7.2 service times at 70%, all of it queueing that no server can avoid.
"""

import http.client
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from bench.figures import Figures
from bench.serving.beside import Beside
from bench.serving.open_loop import Shots, constant, poisson, shoot
from bench.serving.processes import MemoryWatch

_IDLE_REQUESTS = 200
_BELOW, _BELOW_S = 0.7, 60.0
_ABOVE, _ABOVE_S = 2.0, 30.0
_READY_EVERY_S = 0.5
_BEFORE_S = 2.0
_FILLED_S = 5.0  # by then the queue is full, and with it HAProxy's buffers


def measure_overload(
    figures: Figures, address: str, photos: Sequence[bytes], capacity: float
) -> None:
    """Add the figures of a server that nobody else uses.

    Args:
        figures: to add to.
        address: of the server, started on this machine.
        photos: encoded JPEG, sent in rotation.
        capacity: photos per second of a closed loop.
    """
    idle = _idle_median(address, photos)
    figures.add("idle_median_s", idle)
    for suffix, starts in (("", constant), ("_poisson", poisson)):
        below = shoot(address, photos, starts(_BELOW * capacity, _BELOW_S)).result()
        _below(figures, below, idle, suffix)
    with MemoryWatch(address) as memory, ReadyProbe(address) as ready:
        time.sleep(_BEFORE_S)
        above = shoot(address, photos, constant(_ABOVE * capacity, _ABOVE_S)).result()
    _above(figures, above, capacity)
    figures.add("overload_readyz_not_200", ready.not_200)
    figures.add("overload_readyz_asked", ready.asked)
    _memory(figures, memory.samples)


def _below(figures: Figures, shots: Shots, idle: float, suffix: str) -> None:
    figures.add(f"at_70_median{suffix}_s", np.nanmedian(shots.seconds))
    figures.add(f"at_70_p99{suffix}_s", percentile(shots, 99))
    figures.add(f"p99_of_idle_median{suffix}", percentile(shots, 99) / idle)
    figures.add(f"at_70_not_200{suffix}", int((~shots.good).sum()))
    figures.add(f"generator_cpu_ms{suffix}", shots.cpu_s * 1e3)
    figures.add(f"generator_late_p99{suffix}_s", np.nanquantile(shots.late, 0.99))


def _above(figures: Figures, shots: Shots, capacity: float) -> None:
    refused = shots.status == 503
    clean = refused & shots.problem & (shots.retry_after > 0)
    figures.add("overload_of_peak", rate_of_200(shots, _ABOVE_S) / capacity)
    figures.add("overload_refused", refused.mean())
    figures.add("overload_median_of_200_s", np.median(shots.seconds[shots.good]))
    figures.add("rejection_median_s", np.median(shots.after_body[refused]))
    figures.add("rejection_p99_s", np.quantile(shots.after_body[refused], 0.99))
    figures.add("overload_generator_cpu_ms", shots.cpu_s * 1e3)
    figures.add("overload_other_answers", int((~shots.good & ~clean).sum()))


def _memory(figures: Figures, samples: NDArray[np.float64]) -> None:
    """From the moment that the queue was full to the end; and from before the load."""
    full = samples[samples[:, 0] > _BEFORE_S + _FILLED_S]
    figures.add("overload_rss_growth", full[-1, 1] / full[0, 1] - 1)
    figures.add("overload_rss_growth_from_idle", full[-1, 1] / samples[0, 1] - 1)


def percentile(shots: Shots, percent: float) -> float:
    """Of the latency from the intended start; a request without an answer took for ever."""
    seconds = np.nan_to_num(shots.seconds, nan=np.inf)
    return float(np.percentile(seconds, percent, method="higher"))


def rate_of_200(shots: Shots, seconds: float) -> float:
    """Answers with 200 per second that were there while requests were being sent."""
    return float((shots.good & (shots.answered < seconds)).sum() / seconds)


def _idle_median(address: str, photos: Sequence[bytes]) -> float:
    """Latency of one request at a time, the next after the answer."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=30)
    seconds = []
    for number in range(_IDLE_REQUESTS):
        started = time.perf_counter()
        photo = photos[number % len(photos)]
        connection.request("POST", "/v1/classify", photo, {"Content-Type": "image/jpeg"})
        connection.getresponse().read()
        seconds.append(time.perf_counter() - started)
    connection.close()
    return float(np.median(seconds))


class ReadyProbe(Beside):
    """Asks `/readyz` every half second on a new connection while a block runs, as probes do."""

    def __init__(self, address: str) -> None:
        super().__init__(_READY_EVERY_S)
        self.asked = self.not_200 = 0
        self._where = urlsplit(address).netloc

    def _look(self) -> None:
        self.asked += 1
        self.not_200 += self._status() != 200

    def _status(self) -> int:
        connection = http.client.HTTPConnection(self._where, timeout=5)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status
        except OSError:
            return 0
        finally:
            connection.close()


if __name__ == "__main__":
    from cyclopts import run

    from bench.serving.photos import single_photos

    def main(address: str, capacity: float) -> None:
        """Measure with grocery's photos."""
        figures = Figures()
        measure_overload(figures, address, single_photos(), capacity)
        figures.show("Below and above capacity")

    run(main)
