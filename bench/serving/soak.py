"""Full load for minutes: nothing fails, and memory does not grow."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from bench.figures import Figures
from bench.serving.closed_loop import load
from bench.serving.photos import write_bodies
from bench.serving.processes import MemoryWatch

_CONCURRENCY = 16
_EVERY_S = 2.0
_SETTLED_S, _WINDOW_S = 60.0, 20.0


@dataclass(frozen=True)
class Memory:
    """Resident memory while the load ran.

    Attributes:
        seconds: since it began, float64 [N].
        tree: bytes of all processes of the server, float64 [N].
        replicas: bytes of its replicas, float64 [N].
    """

    seconds: NDArray[np.float64]
    tree: NDArray[np.float64]
    replicas: NDArray[np.float64]

    def growth(self, of: NDArray[np.float64], since: float | None = None) -> float:
        """From then to the end, by the medians of 20 s each.

        Args:
            of: bytes, one of the two.
            since: share of the run, 0 to 1; minute 1, or a tenth of a shorter run, if not given.
        """
        end = self.seconds[-1]
        settled = min(_SETTLED_S, end / 10) if since is None else since * end
        window = min(_WINDOW_S, end / 10)
        first = (self.seconds >= settled) & (self.seconds <= settled + window)
        return float(np.median(of[self.seconds >= end - window]) / np.median(of[first]) - 1)


def measure_soak(
    figures: Figures, address: str, photos: Sequence[bytes], minutes: float = 10.0
) -> Memory:
    """Add `soak_errors` and `soak_rss_growth`; the memory over time.

    Args:
        figures: to add to.
        address: of the server, started on this machine.
        photos: encoded JPEG, sent in rotation over 16 connections by wrk.
        minutes: of load.
    """
    with TemporaryDirectory() as folder:
        files = write_bodies(Path(folder), photos)
        with MemoryWatch(address, _EVERY_S) as watch:
            found = load(
                f"{address}/v1/classify",
                files,
                "image/jpeg",
                seconds=minutes * 60,
                concurrency=_CONCURRENCY,
            )
    memory = Memory(*watch.samples.T)
    figures.add("soak_minutes", minutes)
    figures.add("soak_photos_per_second", found.rate)
    figures.add("soak_errors", found.not_200 + found.broken)
    figures.add("soak_rss_growth", memory.growth(memory.tree))
    figures.add("soak_replica_rss_growth", memory.growth(memory.replicas))
    return memory


def draw(memory: Memory, picture: Path) -> None:
    """Resident memory over time."""
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    minutes = memory.seconds / 60
    axes.plot(minutes, memory.tree / 2**20, color="#2f6fb3", label="all processes")
    axes.plot(minutes, memory.replicas / 2**20, color="#c26a2d", label="replicas")
    axes.set(
        xlabel="minutes of full load", ylabel="resident memory, MiB", ylim=(0, None), xlim=(0, None)
    )
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(picture, dpi=110)


if __name__ == "__main__":
    from cyclopts import run

    from bench.serving.photos import single_photos

    def main(address: str, minutes: float = 10.0, picture: Path | None = None) -> None:
        """Measure with grocery's photos."""
        figures = Figures()
        memory = measure_soak(figures, address, single_photos(), minutes)
        if picture is not None:
            draw(memory, picture)
        figures.show("Full load for minutes")

    run(main)
