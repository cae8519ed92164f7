"""Throughput grows with the replicas: 1, 2, 4 and 8 of them behind one HAProxy.

The graph is stood in for by a wait of fixed time per batch (`bench.serving.stand_in.Sleeping`), so
that what is measured is everything else: HAProxy's spreading, Ray, decode, batching, answers. The
wait is long and the photos small, so that two cores carry eight replicas with room to spare; the
share of the cores that was used is a figure too.
"""

import io
import os
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from matplotlib.figure import Figure
from PIL import Image

from bench.figures import Figures
from bench.serving.closed_loop import load
from bench.serving.photos import write_bodies
from bench.serving.processes import cpu_seconds, server_process, tree
from bench.serving.stand_in import sleeping

_REPLICAS = (1, 2, 4, 8)
_LATENCY_S, _MAX_BATCH = 0.15, 2
_IN_FLIGHT = 8 * _MAX_BATCH  # per replica, so that whole batches always wait
_SIDE = 96
_WARM_UP_S, _SECONDS = 3.0, 15.0


def measure_scaling(
    figures: Figures, bundle: Path, photos: Sequence[bytes], port: int, picture: Path | None = None
) -> None:
    """Add `scaling_2`, `scaling_4` and `scaling_8`: photos per second over N times those of one.

    Args:
        figures: to add to.
        bundle: any; its graph is not run.
        photos: encoded; small copies of them are sent.
        port: free.
        picture: where to draw throughput over replicas.
    """
    rates = {}
    with TemporaryDirectory() as folder:
        files = write_bodies(Path(folder), [small(photo) for photo in photos])
        for replicas in _REPLICAS:
            rates[replicas] = _measure(figures, bundle, files, port, replicas)
    for replicas in _REPLICAS[1:]:
        figures.add(f"scaling_{replicas}", rates[replicas] / (replicas * rates[1]))
    if picture is not None:
        draw(rates, picture)


def small(photo: bytes) -> bytes:
    """A JPEG copy of 96 px, which costs next to nothing to send and to decode."""
    image = Image.open(io.BytesIO(photo)).convert("RGB")
    image.thumbnail((_SIDE, _SIDE))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=85)
    return file.getvalue()


def draw(rates: dict[int, float], picture: Path) -> None:
    """Photos per second over replicas, beside a straight line through the first."""
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    counts = list(rates)
    axes.plot(counts, [count * rates[1] for count in counts], "--", color="0.6", label="linear")
    axes.plot(counts, list(rates.values()), "o-", color="#2f6fb3", label="measured")
    for count, rate in rates.items():
        axes.annotate(f"{rate:.0f}", (count, rate), (6, -12), textcoords="offset points")
    axes.set(
        xlabel="replicas",
        ylabel="photos per second",
        xticks=counts,
        ylim=(0, None),
        title=f"A stand-in model of {_LATENCY_S * 1e3:.0f} ms per batch of {_MAX_BATCH}",
    )
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(picture, dpi=110)


def _measure(
    figures: Figures, bundle: Path, files: Sequence[Path], port: int, replicas: int
) -> float:
    with sleeping(
        bundle, port, replicas=replicas, latency_s=_LATENCY_S, max_batch=_MAX_BATCH
    ) as address:
        url, in_flight = f"{address}/v1/classify", _IN_FLIGHT * replicas
        load(url, files, "image/jpeg", seconds=_WARM_UP_S, concurrency=in_flight)
        server = server_process(address)
        before, started = cpu_seconds(tree(server)), time.monotonic()
        found = load(url, files, "image/jpeg", seconds=_SECONDS, concurrency=in_flight)
        used = (cpu_seconds(tree(server)) - before) / (time.monotonic() - started)
    cores = len(os.sched_getaffinity(0))
    figures.add(f"stand_in_{replicas}_photos_per_second", found.rate)
    figures.add(f"stand_in_{replicas}_cores_used", (used + found.generator_cores) / cores)
    figures.add(f"stand_in_{replicas}_failed", found.not_200 + found.broken)
    return found.rate


if __name__ == "__main__":
    from cyclopts import run

    from bench.serving.photos import single_photos

    def main(bundle: Path, port: int = 8461, picture: Path | None = None) -> None:
        """Measure with grocery's photos."""
        figures = Figures()
        measure_scaling(figures, bundle, single_photos(), port, picture)
        figures.show("Growth with the replicas")

    run(main)
