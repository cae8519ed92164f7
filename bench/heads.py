"""What the two heads of the probe are worth: the regression alone, and every share of it.

On features of the smallest backbone, as pretrained: half of grocery (as in `ablations`), fashion's
`val`, dance's folds. And the discriminant that knows no category tree. Takes minutes.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.figures import Figures, share_interval
from bench.folds import grouped_folds, hard_half
from bench.recognition.dance import dance_rows
from bench.runs import pretrained_features
from bench.shops import FASHION, GROCERY, require
from catalog.manifest import ManifestConfig, Row, read_manifest
from train.cross_validation import SHARES
from train.discriminant import fit_discriminant, joined
from train.distributed import Ranks
from train.probe import Head, fit_path

_PENALTY = 10.0


def main(json_file: Path | None, work: Path | None) -> None:
    """Fit, judge, print, write."""
    figures = Figures()
    grocery = read_manifest(str(require(GROCERY).manifest), ManifestConfig()).rows
    _judge(figures, "grocery_half", grocery, [hard_half(grocery)])
    fashion = read_manifest(str(require(FASHION).manifest), ManifestConfig()).rows
    _judge(figures, "fashion", fashion, [np.array([row.split == "val" for row in fashion])])
    dance = dance_rows()
    (folds,) = grouped_folds(dance, 5, seeds=[0])
    _judge(figures, "dance", dance, [folds == fold for fold in range(5)])
    figures.show("Heads")
    if json_file:
        figures.add_to(json_file)


def _judge(
    figures: Figures, name: str, rows: Sequence[Row], splits: Sequence[NDArray[np.bool_]]
) -> None:
    """Add the top-1 of each head; a split is bool [N], what is judged and not learnt from."""
    features = torch.from_numpy(pretrained_features(rows))
    classes = sorted({row.category or "" for row in rows})
    index = {path: number for number, path in enumerate(classes)}
    targets = torch.tensor([index[row.category or ""] for row in rows])
    right: dict[str, list[Tensor]] = {}
    for aside in splits:
        judged, learnt = np.flatnonzero(aside), np.flatnonzero(~aside)
        for label, head in _heads(features[learnt], targets[learnt], classes).items():
            found = head(features[judged]).argmax(1) == targets[judged]
            right.setdefault(label, []).append(found)
    for label, parts in right.items():
        whole = torch.cat(parts).numpy()
        figures.add(f"{name}_{label}_top1", whole.mean(), share_interval(whole))


def _heads(features: Tensor, targets: Tensor, classes: Sequence[str]) -> dict[str, Head]:
    weights = torch.ones(len(classes))
    (regression,) = fit_path(features, targets, weights, Ranks(), (_PENALTY,))
    discriminant = fit_discriminant(features, targets, classes)
    flat = [path.replace("/", " ") for path in classes]
    return {
        "regression": regression,
        "discriminant": discriminant,
        "discriminant_no_tree": fit_discriminant(features, targets, flat),
        **{f"share_{share}": joined(regression, discriminant, features, share) for share in SHARES},
    }
