"""Figures with intervals: collected, printed as one table, written as JSON."""

import json
import os
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.stats import binomtest

Interval = tuple[float, float]


def share_interval(right: NDArray[np.bool_]) -> Interval:
    """95% Wilson interval of a share; ``right`` is bool [N]."""
    found = binomtest(int(right.sum()), len(right)).proportion_ci(method="wilson")
    return float(found.low), float(found.high)


def gain_interval(left: NDArray[np.bool_], right: NDArray[np.bool_]) -> Interval:
    """95% bootstrap interval of mean(left) - mean(right), photo by photo; both bool [N]."""
    gains = left.astype(float) - right.astype(float)
    rng = np.random.default_rng(0)
    means = gains[rng.integers(len(gains), size=(10_000, len(gains)))].mean(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


def bootstrap_interval(
    statistic: Callable[[NDArray[Any]], float], rows: NDArray[Any], draws: int = 2_000
) -> Interval:
    """95% bootstrap interval of a statistic over rows [N, ...]."""
    rng = np.random.default_rng(0)
    found = [statistic(rows[rng.integers(len(rows), size=len(rows))]) for _ in range(draws)]
    low, high = np.quantile(found, (0.025, 0.975))
    return float(low), float(high)


def statistic_interval(
    statistic: Callable[[list[str], list[str]], float], truth: list[str], guesses: list[str]
) -> Interval:
    """95% bootstrap interval, over photos, of a score of guesses."""
    pairs = np.array([truth, guesses]).T
    return bootstrap_interval(
        lambda drawn: statistic(drawn[:, 0].tolist(), drawn[:, 1].tolist()), pairs, draws=500
    )


@dataclass
class Figures:
    """What a benchmark found.

    Attributes:
        values: by key; shares as fractions.
        intervals: 95%, by key, where there is one.
    """

    values: dict[str, float] = field(default_factory=dict)
    intervals: dict[str, Interval] = field(default_factory=dict)

    def add(self, key: str, value: float, interval: Interval | None = None) -> None:
        """Keep a figure."""
        self.values[key] = float(value)
        if interval is not None:
            self.intervals[key] = interval

    def show(self, title: str) -> None:
        """Print the table."""
        table = Table("figure", "value", "95% interval", title=title)
        for key, value in self.values.items():
            low, high = self.intervals.get(key, (None, None))
            table.add_row(key, f"{value:.4g}", "" if low is None else f"{low:.4g} to {high:.4g}")
        Console().print(table)

    def write(self, path: Path) -> None:
        """Write figures, intervals, the command and the machine as JSON."""
        _write(path, {"figures": self.values, "intervals": self.intervals, **_where()})

    def add_to(self, path: Path) -> None:
        """Write into what is there already, which parts that ran before have written."""
        before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        measured = dict.fromkeys(self.values, _where())
        _write(
            path,
            {
                key: before.get(key, {}) | now
                for key, now in (
                    ("figures", self.values),
                    ("intervals", self.intervals),
                    ("measured", measured),
                )
            },
        )


def _where() -> dict[str, str]:
    """The command and the machine."""
    return {
        "command": " ".join(["python -m bench", *sys.argv[1:]]),
        "machine": f"{os.cpu_count()} x {platform.processor() or platform.machine()}, "
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
    }


def _write(path: Path, document: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
