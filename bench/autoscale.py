"""Load rises and ends on a cluster that scales: replicas and nodes follow, and nobody is refused.

The cluster is simulated on this machine (see `bench.cluster.simulated`): its nodes share the cores,
so more of them answer no faster; what is measured is that they come, that they go, and that not one
request is lost on the way.
"""

import threading
import time
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import httpx
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from bench.catalog.rates import empty_catalog, probe_bundle
from bench.cluster.simulated import Cluster, cluster, configuration
from bench.figures import Figures
from bench.serving.open_loop import Shots, shoot
from bench.serving.photos import single_photos
from catalens.background import wait_until_ready
from serve.ports import free_ports

_NODES: Final = 4
_PICTURE: Final = Path(__file__).parents[1] / "docs" / "autoscale.png"
# Requests per second, how many of them come at once, and seconds. In bursts, because a fast machine
# answers one after the other before the next is there, and what scales is how many are under way.
# No more than wait in a replica's queue while nodes start, which takes the same two cores.
_LOAD: Final = ((10.0, 1, 30.0), (40.0, 32, 40.0), (80.0, 64, 50.0), (10.0, 1, 120.0))
_WATCH_EVERY_S: Final = 1.0


def main(json_file: Path | None, work: Path | None) -> None:
    """Measure, print, write, draw."""
    figures = Figures()
    with TemporaryDirectory() as folder:
        bundle = probe_bundle(work or Path(folder))
        catalog = empty_catalog(bundle, Path(folder) / "catalog")
        (port,) = free_ports(1)
        with cluster(port, _NODES) as found:
            found.deploy(configuration(bundle.directory, catalog, port, (1, _NODES)))
            wait_until_ready(found.url)
            shots, seen = _loaded(found)
    _add(figures, shots, seen)
    figures.show("Autoscaling")
    if json_file:
        figures.add_to(json_file)
    draw(shots, seen, _PICTURE)


def _loaded(found: Cluster) -> tuple[Shots, NDArray[np.float64]]:
    """What became of the requests; and time, replicas and nodes meanwhile, float64 [N, 3]."""
    due, began = [], 0.0
    for rate, burst, seconds in _LOAD:
        due.append(began + np.arange(round(rate * seconds)) // burst * (burst / rate))
        began += seconds
    seen: list[tuple[float, int, int]] = []
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(_WATCH_EVERY_S):
            with suppress(httpx.HTTPError, KeyError):  # the dashboard is busy, too
                seen.append((time.time(), found.replicas(), found.nodes()))

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        shots = shoot(found.url, single_photos(), np.concatenate(due)).result()
        time.sleep(max(0.0, shots.began + began - time.time()))
    finally:
        stop.set()
        watching.join()
    samples = np.array(seen, float)
    samples[:, 0] -= shots.began
    return shots, samples


def _add(figures: Figures, shots: Shots, seen: NDArray[np.float64]) -> None:
    figures.add("autoscale_requests", len(shots.due))
    figures.add("autoscale_failed", int((~shots.good).sum()))
    figures.add("autoscale_longest_s", float(np.nanmax(shots.seconds)))
    for place, name in ((1, "replicas"), (2, "nodes")):
        figures.add(f"autoscale_{name}_at_first", float(seen[0, place]))
        figures.add(f"autoscale_{name}_at_most", float(seen[:, place].max()))
        figures.add(f"autoscale_{name}_at_last", float(seen[-1, place]))


def draw(shots: Shots, seen: NDArray[np.float64], picture: Path) -> None:
    """Load, replicas, nodes and latency over time."""
    figure = Figure(figsize=(8, 7), layout="constrained")
    load, scale, wait = figure.subplots(3, sharex=True)
    seconds = np.arange(int(shots.due[-1]) + 1)
    load.step(seconds, np.bincount(shots.due.astype(int), minlength=len(seconds)), color="#2f6fb3")
    load.set_ylabel("requests per second")
    scale.step(seen[:, 0], seen[:, 1], where="post", color="#2f6fb3", label="replicas")
    scale.step(seen[:, 0], seen[:, 2], where="post", color="#d08700", label="nodes", ls="--")
    scale.set_ylabel("number")
    scale.legend(frameon=False)
    wait.plot(shots.due, shots.seconds, ".", ms=1, color="#2f6fb3")
    wait.set_ylabel("seconds to the answer")
    wait.set_xlabel("seconds")
    for axes in (load, scale, wait):
        axes.set_ylim(bottom=0)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(picture, dpi=100)
