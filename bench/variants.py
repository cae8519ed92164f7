"""What int8 costs and gains: against fp32 on val photos that nothing was trained or tuned on.

Probes on fashion and grocery, learnt and exported here; top-1 photo by photo over both together.
A finetune on grocery that `bench first` left in the work directory is measured too. Speed is of
the graph alone, in interleaved rounds on all cores.
"""

import tempfile
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.figures import Figures, Interval, gain_interval
from bench.shops import FASHION, GROCERY, Shop, require
from bench.steps import learn
from export.variants import time_graphs
from inference.bundle import Bundle
from inference.photos import SeenRow, see_rows
from inference.session import Session

_BATCHES = (1, 4, 16)
_HEADLINE_BATCH = 16
_LEAST_ROUNDS = 30
_PHOTOS = 200


def main(json_file: Path | None, work: Path | None) -> None:
    """Measure, print, write."""
    figures = Figures()
    holder = nullcontext(str(work)) if work else tempfile.TemporaryDirectory()
    with holder as folder:
        measure_variants(figures, Path(folder))
        if (Path(folder) / "finetune_grocery-run" / "run.json").exists():
            tuned, _ = learn(GROCERY, Path(folder), "finetune_grocery")
            _compare(figures, "finetune_grocery", tuned, GROCERY)
    figures.show("int8 against fp32 (val)")
    if json_file:
        figures.write(json_file)


def measure_variants(figures: Figures, work: Path) -> None:
    """Add the figures of both probes, learnt in ``work`` unless they are there."""
    pairs = []
    for shop in (require(FASHION), require(GROCERY)):
        bundle, minutes = learn(shop, work, f"probe_{shop.name}", "--recipe", "probe")
        if "export" in minutes:
            figures.add(f"probe_{shop.name}_export_minutes", minutes["export"])
        pairs.append(_compare(figures, f"probe_{shop.name}", bundle, shop))
    fp32, int8 = (np.concatenate(one) for one in zip(*pairs, strict=True))
    figures.add("int8_top1_loss", fp32.mean() - int8.mean(), gain_interval(fp32, int8))
    _speed(figures, bundle)


@dataclass(frozen=True)
class _Answers:
    """Of one variant: best class intp [N], embeddings float32 [N, D], right bool [N]."""

    best: NDArray[np.intp]
    embeddings: NDArray[np.float32]
    right: NDArray[np.bool_]


def _compare(
    figures: Figures, label: str, bundle: Bundle, shop: Shop
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which val photos fp32 and int8 have right."""
    fp32, int8 = (_answers(bundle, variant, shop) for variant in ("fp32", "int8"))
    loss = fp32.right.mean() - int8.right.mean()
    figures.add(f"{label}_fp32_top1", fp32.right.mean())
    figures.add(f"{label}_int8_top1_loss", loss, gain_interval(fp32.right, int8.right))
    figures.add(f"{label}_int8_agreement", (fp32.best == int8.best).mean())
    cosines = (fp32.embeddings * int8.embeddings).sum(axis=1)
    figures.add(f"{label}_int8_least_cosine", cosines.min())
    figures.add(f"{label}_int8_mean_cosine", cosines.mean())
    return fp32.right, int8.right


def _answers(bundle: Bundle, variant: str, shop: Shop) -> _Answers:
    session = Session(bundle, variant=variant, device="cpu")
    seen = [one for one in see_rows(session, shop.rows("val").rows) if isinstance(one, SeenRow)]
    best = np.array([one.probabilities.argmax() for one in seen if one.probabilities is not None])
    embeddings = np.stack([one.embedding for one in seen if one.embedding is not None])
    classes = bundle.document.classes
    right = [classes[guess] == one.row.category for guess, one in zip(best, seen, strict=True)]
    return _Answers(best, embeddings, np.array(right))


def _speed(figures: Figures, bundle: Bundle) -> None:
    side = bundle.document.image.size
    photos = np.random.default_rng(0).integers(256, size=(1, side, side, 3), dtype=np.uint8)
    graphs = {name: bundle.graph(name) for name in ("fp32", "int8")}
    for batch in _BATCHES:
        seconds = time_graphs(graphs, photos, batch, max(_LEAST_ROUNDS, _PHOTOS // batch))
        ratios = seconds["fp32"] / seconds["int8"]
        key = "int8_of_fp32" if batch == _HEADLINE_BATCH else f"int8_of_fp32_batch{batch}"
        figures.add(key, np.median(ratios), _median_interval(ratios))
        for name, found in seconds.items():
            figures.add(f"{name}_photos_per_second_batch{batch}", batch / np.median(found))


def _median_interval(values: NDArray[np.float64]) -> Interval:
    """95% bootstrap interval of a median."""
    rng = np.random.default_rng(0)
    drawn = np.median(values[rng.integers(len(values), size=(10_000, len(values)))], axis=1)
    low, high = np.quantile(drawn, (0.025, 0.975))
    return float(low), float(high)
