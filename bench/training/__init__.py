"""Training beside what a team would take otherwise: the same photos, backbone, weights and minutes.

fastai, AutoGluon and timm, each as its documentation trains an image classifier. A part,
`training fastai`, trains one of them; answers are kept, so that the gains are photo by photo.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np

from bench.figures import Figures, gain_interval, share_interval
from bench.peers.environment import CACHE
from bench.shops import FASHION, GROCERY, require
from bench.training.splits import Split, dance_splits, shop_splits
from bench.training.trainers import OURS, PARTS, answer

_ANSWERS: Final = Path(__file__).parents[1] / "results" / "training_answers.json"

# By data set and trainer: the category guessed for each photo, and by data set the truth.
_Answers = dict[str, dict[str, list[str]]]


def main(json_file: Path | None, work: Path | None, part: str | None = None) -> None:
    """Train by every trainer or one, print, write."""
    directory = work or CACHE / "training"
    directory.mkdir(parents=True, exist_ok=True)
    figures = Figures()
    kept: _Answers = json.loads(_ANSWERS.read_text("utf-8")) if _ANSWERS.exists() else {}
    data_sets = list(_data_sets(directory))
    for trainer in [part] if part else PARTS:
        for name, splits in data_sets:
            found = kept.setdefault(name, {})
            found["truth"] = [path for split in splits for path in split.truth]
            found[trainer] = [
                path for split in splits for path in answer(trainer, split, directory)
            ]
            _ANSWERS.write_text(json.dumps(kept, indent=0) + "\n", encoding="utf-8")
    for name, found in kept.items():
        _compare(figures, name, found)
    figures.show("Training")
    if json_file:
        figures.add_to(json_file)


def _data_sets(directory: Path) -> Iterator[tuple[str, list[Split]]]:
    for shop in (GROCERY, FASHION):
        yield shop.name, shop_splits(require(shop), directory)
    yield "dance", dance_splits(directory)


def _compare(figures: Figures, name: str, found: dict[str, list[str]]) -> None:
    """Top-1 of each trainer, and what ours gains over it with its interval."""
    right = {
        trainer: np.array(guesses) == np.array(found["truth"])
        for trainer, guesses in found.items()
        if trainer != "truth"
    }
    for trainer, answers in right.items():
        figures.add(f"{name}_{trainer}_top1", answers.mean(), share_interval(answers))
    for trainer, answers in right.items():
        if OURS in right and trainer != OURS:
            gain = float(right[OURS].mean() - answers.mean())
            figures.add(f"{name}_over_{trainer}", gain, gain_interval(right[OURS], answers))
