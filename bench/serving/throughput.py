"""Rounds of closed-loop load on each contestant in turn: rates, and ratios within a round."""

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from bench.figures import Interval
from bench.serving.closed_loop import load
from bench.serving.contestants import Contestant

WARM_UP_S = 3.0
SECONDS = 8.0
OURS, PEER = "#2f6fb3", "#c26a2d"
_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Work:
    """A kind of request.

    Attributes:
        name: what it is called in figures.
        bodies: files that are posted in rotation.
        photos: in each body.
        content_type: of the body.
        path: where it is posted.
        headers: more than the content type.
        concurrency: requests in flight.
    """

    name: str
    bodies: Sequence[Path]
    photos: int
    content_type: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    concurrency: int = 16


@dataclass
class Rates:
    """Photos per second by contestant and work, one for each round."""

    rounds: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    generator_cores: list[float] = field(default_factory=list)

    def add(self, name: str, work: str, rate: float) -> None:
        """Keep the rate of a round."""
        self.rounds[name, work].append(rate)

    def median(self, name: str, work: str) -> float:
        """Of the rounds."""
        return float(np.median(self.rounds[name, work]))

    def ratio(self, left: str, right: str, work: str) -> tuple[float, Interval]:
        """Median of the rounds' ratios, with the lowest and the highest."""
        pairs = zip(self.rounds[left, work], self.rounds[right, work], strict=True)
        ratios = [one / other for one, other in pairs]
        return float(np.median(ratios)), (min(ratios), max(ratios))

    def names(self, work: str) -> list[str]:
        """Who did that work, fastest first."""
        found = [name for name, kind in self.rounds if kind == work]
        return sorted(found, key=lambda name: -self.median(name, work))


def measure(contestant: Contestant, address: str, works: Sequence[Work], rates: Rates) -> None:
    """Load one contestant with each kind of work."""
    for work in works:
        url = address + work.path
        request = work.bodies, work.content_type, work.headers
        load(url, *request, seconds=WARM_UP_S, concurrency=work.concurrency)
        found = load(url, *request, seconds=SECONDS, concurrency=work.concurrency)
        if found.not_200 or found.broken:
            _logger.warning(
                "%s, %s: %d not 200, %d broken",
                contestant.name,
                work.name,
                found.not_200,
                found.broken,
            )
        rates.add(contestant.name, work.name, found.rate * work.photos)
        rates.generator_cores.append(found.generator_cores)


def draw(rates: Rates, picture: Path) -> None:
    """Photos per second of single-photo requests, a bar each with the rounds' range."""
    names = rates.names("single")[::-1]
    medians = np.array([rates.median(name, "single") for name in names])
    rounds = np.array([rates.rounds[name, "single"] for name in names])
    figure = Figure(figsize=(7, 0.45 * len(names) + 1.2), layout="constrained")
    axes = figure.subplots()
    spread = np.abs(np.stack([rounds.min(axis=1), rounds.max(axis=1)]) - medians)
    colours = ["0.75" if "ceiling" in n else OURS if "catalens" in n else PEER for n in names]
    axes.barh(names, medians, xerr=spread, color=colours, ecolor="0.3")
    for place, rate in enumerate(medians):
        axes.annotate(f"{rate:.0f}", (rate, place), (14, -4), textcoords="offset points")
    axes.set(xlabel="photos per second, one per request, 16 at a time")
    axes.spines[["top", "right"]].set_visible(False)
    picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(picture, dpi=110)
