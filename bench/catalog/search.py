"""Search in up to a million products: how long it takes, what it finds, what it costs.

Embeddings are synthesised as a shop's lie: many clusters, products around them; a query is near a
product, as another photo of it is. Of 10,000 products all are compared; above, an index answers.
"""

import shutil
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

import numpy as np
import psutil
from matplotlib.figure import Figure
from numpy.typing import NDArray

from bench.figures import Figures
from catalog.product import Product
from catalog.store import Catalog

_SIZES: Final = (10_000, 100_000, 1_000_000)
_DIMENSION: Final = 256
_CLUSTERS: Final = 5_000
_SPREAD: Final = 1.0  # of products around their cluster, as a share of the clusters' own
_NEAR: Final = 0.5  # of a query around its product
_QUERIES: Final = 300
_RECALL_AT: Final = 20
_BLOCK: Final = 10_000  # products that are made, and put, at a time
_WORDS: Final = 20_000
_ID: Final = "5ca1ab1e" * 2
_PLOT: Final = Path(__file__).parents[1] / "results" / "search.png"

Vectors = NDArray[np.float32]


def measure_search(figures: Figures, work: Path) -> None:
    """Add p50 and p95 at each size, `recall_at_20`, `search_p50_growth`, disk and memory.

    Args:
        figures: to add to.
        work: where the catalog is made anew.
    """
    place = work / "million"
    shutil.rmtree(place, ignore_errors=True)
    catalog = Catalog.create(str(place), _ID, _DIMENSION)
    made = _Made()
    medians, p95s = [], []
    filled = 0
    for size in _SIZES:
        started = time.perf_counter()
        while filled < size:
            _fill(catalog, made, filled)
            filled += _BLOCK
        figures.add(f"search_{size}_fill_s", time.perf_counter() - started)
        started = time.perf_counter()
        catalog.maintain()
        figures.add(f"search_{size}_index_s", time.perf_counter() - started)
        queries = made.queries(filled)
        asked = [made.name(number * 7919 % filled) for number in range(_QUERIES)]
        _times(catalog.search_image, queries[:20])  # the first ones read the index
        image = _times(catalog.search_image, queries)
        names = _times(catalog.search_name, asked)
        for key, found in (("image", image), ("name", names)):
            figures.add(f"search_{size}_{key}_p50_ms", 1e3 * float(np.median(found)))
            figures.add(f"search_{size}_{key}_p95_ms", 1e3 * float(np.quantile(found, 0.95)))
        medians.append(float(np.median(image)))
        p95s.append(float(np.quantile(image, 0.95)))
        figures.add(f"search_{size}_disk_mb", _bytes(place) / 2**20)
        figures.add(f"search_{size}_memory_mb", psutil.Process().memory_info().rss / 2**20)
        key = "recall_at_20" if size == _SIZES[-1] else f"search_{size}_recall_at_20"
        figures.add(key, _recall(catalog, made, queries, filled))
    figures.add("search_p50_growth", medians[-1] / medians[0])
    _draw(medians, p95s)
    shutil.rmtree(place)


class _Made:
    """Products that follow from their numbers."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self._centres = rng.standard_normal((_CLUSTERS, _DIMENSION)).astype(np.float32)

    def vectors(self, first: int) -> Vectors:
        """Embeddings float32 [block, D] of the block that begins with that product."""
        rng = np.random.default_rng([1, first])
        around = rng.standard_normal((_BLOCK, _DIMENSION)).astype(np.float32)
        numbers = np.arange(first, first + _BLOCK)
        return _unit(self._centres[numbers % _CLUSTERS] + _SPREAD * around)

    def queries(self, filled: int) -> Vectors:
        """Float32 [queries, D], each near one of so many products."""
        rng = np.random.default_rng(2)
        numbers = np.sort(rng.integers(filled, size=_QUERIES))
        chosen = np.empty((_QUERIES, _DIMENSION), np.float32)
        for first in np.unique(numbers // _BLOCK * _BLOCK).tolist():
            own = numbers // _BLOCK * _BLOCK == first
            chosen[own] = self.vectors(first)[numbers[own] - first]
        apart = _unit(rng.standard_normal(chosen.shape).astype(np.float32))
        return _unit(chosen + _NEAR * apart)[rng.permutation(_QUERIES)]

    def name(self, number: int) -> str:
        """Six words, some of them common, and a number."""
        rng = np.random.default_rng([3, number])
        words = (rng.pareto(0.8, 6) * 10).astype(int) % _WORDS
        return " ".join(f"w{word}" for word in words) + f" n{number}"


def _fill(catalog: Catalog, made: _Made, first: int) -> None:
    catalog.put(
        [
            Product(f"p{number}", made.name(number), f"c/{number % _CLUSTERS}", {}, vector)
            for number, vector in enumerate(made.vectors(first), start=first)
        ]
    )


def _recall(catalog: Catalog, made: _Made, queries: Vectors, filled: int) -> float:
    """Share of each query's 20 nearest that a search for 20 finds."""
    best = np.full((len(queries), 0), 0.0, np.float32)
    ids = np.zeros((len(queries), 0), np.int64)
    for first in range(0, filled, _BLOCK):
        cosines = np.concatenate([best, queries @ made.vectors(first).T], axis=1)
        known = np.broadcast_to(np.arange(first, first + _BLOCK), (len(queries), _BLOCK))
        numbers = np.concatenate([ids, known], axis=1)
        order = np.argsort(-cosines, axis=1)[:, :_RECALL_AT]
        best, ids = (np.take_along_axis(one, order, axis=1) for one in (cosines, numbers))
    found = [
        {hit.product.id for hit in catalog.search_image(query, _RECALL_AT)} for query in queries
    ]
    shares = [
        len(there & {f"p{number}" for number in truth}) / _RECALL_AT
        for there, truth in zip(found, ids.tolist(), strict=True)
    ]
    return float(np.mean(shares))


def _times(search: Callable[[Any, int], object], queries: Iterable[Any]) -> list[float]:
    """Seconds of each search."""
    found = []
    for query in queries:
        started = time.perf_counter()
        search(query, _RECALL_AT)
        found.append(time.perf_counter() - started)
    return found


def _unit(vectors: Vectors) -> Vectors:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def _bytes(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())


def _draw(medians: list[float], p95s: list[float]) -> None:
    figure = Figure(figsize=(6, 3.5), layout="constrained")
    axes = figure.subplots()
    for label, values in (("p50", medians), ("p95", p95s)):
        axes.plot(_SIZES, [1e3 * value for value in values], "o-", label=label)
    axes.set(
        xscale="log",
        xlabel="products",
        ylabel="milliseconds",
        title="a search for 20 by photo",
        ylim=(0, None),
    )
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(_PLOT, dpi=130)
