"""Below capacity latency stays near that of an idle server; above it, refusals are quick and clean.

Load is open-loop (`bench.serving.open_loop`): 60 s at 70% of the capacity at a constant rate and
60 s with Poisson arrivals, then three times 20 s at 200% at a constant rate, while `/readyz` is
asked from the side every half second. The capacity is measured before, between and after those,
for the machine's speed wanders by more than what overload costs. Independent clients are Poisson;
an ideal server with one photo at a time (M/D/1) then has a p99 of 7.2 service times at 70%, all of
it queueing that no server can avoid.
"""

import http.client
import time
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from bench.figures import Figures
from bench.serving.beside import Beside
from bench.serving.open_loop import Shots, constant, poisson, shoot
from bench.serving.processes import MemoryWatch

_IDLE_REQUESTS = 200
_BELOW, _BELOW_S = 0.7, 60.0
_ABOVE, _ABOVE_S, _ABOVE_TIMES = 2.0, 20.0, 3
_READY_EVERY_S = 0.5
_BEFORE_S = 2.0
_FILLED_S = 5.0  # by then the queue is full, and with it HAProxy's buffers


def measure_overload(
    figures: Figures, address: str, photos: Sequence[bytes], measure_capacity: Callable[[], float]
) -> None:
    """Add the figures of a server that nobody else uses.

    Args:
        figures: to add to.
        address: of the server, started on this machine.
        photos: encoded JPEG, sent in rotation.
        measure_capacity: gives photos per second of a closed loop.
    """
    capacity = measure_capacity()
    idle = _idle_median(address, photos)
    figures.add("idle_median_s", idle)
    for suffix, starts in (("", constant), ("_poisson", poisson)):
        below = shoot(address, photos, starts(_BELOW * capacity, _BELOW_S)).result()
        _below(figures, below, idle, suffix)
    above, capacities = [], [measure_capacity()]
    for number in range(_ABOVE_TIMES):
        with MemoryWatch(address) as memory, ReadyProbe(address) as ready:
            time.sleep(_BEFORE_S)
            due = constant(_ABOVE * capacities[-1], _ABOVE_S)
            above.append(shoot(address, photos, due).result())
        capacities.append(measure_capacity())
        suffix = f"_{number + 1}"
        figures.add(f"overload_readyz_not_200{suffix}", ready.not_200)
        figures.add(f"overload_readyz_asked{suffix}", ready.asked)
        _memory(figures, memory.samples, suffix)
    _above(figures, above, np.array(capacities))


def _below(figures: Figures, shots: Shots, idle: float, suffix: str) -> None:
    figures.add(f"at_70_median{suffix}_s", np.nanmedian(shots.seconds))
    figures.add(f"at_70_p99{suffix}_s", percentile(shots, 99))
    figures.add(f"p99_of_idle_median{suffix}", percentile(shots, 99) / idle)
    figures.add(f"at_70_not_200{suffix}", int((~shots.good).sum()))
    figures.add(f"generator_cpu_ms{suffix}", shots.cpu_s * 1e3)
    figures.add(f"generator_late_p99{suffix}_s", np.nanquantile(shots.late, 0.99))


def _above(figures: Figures, above: Sequence[Shots], capacities: NDArray[np.float64]) -> None:
    peaks = (capacities[:-1] + capacities[1:]) / 2
    shares = [rate_of_200(shots, _ABOVE_S) for shots in above] / peaks
    figures.add("overload_of_peak", np.median(shares), (shares.min(), shares.max()))
    status = np.concatenate([shots.status for shots in above])
    refused = status == 503
    clean = [(shots.status == 503) & shots.problem & (shots.retry_after > 0) for shots in above]
    after_body = np.concatenate([shots.after_body for shots in above])[refused]
    figures.add("overload_refused", refused.mean())
    answered = np.concatenate([shots.seconds[shots.good] for shots in above])
    figures.add("overload_median_of_200_s", np.median(answered))
    figures.add("rejection_median_s", np.median(after_body))
    figures.add("rejection_p99_s", np.quantile(after_body, 0.99))
    figures.add("overload_generator_cpu_ms", np.mean([shots.cpu_s for shots in above]) * 1e3)
    figures.add("overload_other_answers", int(((status != 200) & ~np.concatenate(clean)).sum()))


def _memory(figures: Figures, samples: NDArray[np.float64], suffix: str) -> None:
    """From the moment that the queue was full to the end; and from before the load."""
    full = samples[samples[:, 0] > _BEFORE_S + _FILLED_S]
    figures.add(f"overload_rss_growth{suffix}", full[-1, 1] / full[0, 1] - 1)
    figures.add(f"overload_rss_growth_from_idle{suffix}", full[-1, 1] / samples[0, 1] - 1)


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
