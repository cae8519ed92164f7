"""The probe's out-of-fold answers: every labelled photo judged by a head that did not see it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from train.discriminant import fit_discriminant, joined
from train.probe import Head
from train.split import assign_folds
from train.worker import Worker


@dataclass(frozen=True)
class OutOfFold:
    """Answers on all labelled photos.

    Attributes:
        logits: float32 [penalties, N, classes].
        folds: intp [N], the fold in which each photo was judged.
        used: how many folds there were; 1 where there are too few products to leave any out, and
            the photos were then judged by a head that saw them.
    """

    logits: Tensor
    folds: NDArray[np.intp]
    used: int

    def parts(self) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        """Rows judged and rows learnt from, per fold."""
        everything = np.arange(len(self.folds))
        if self.used == 1:
            return [(everything, everything)]
        return [
            (np.flatnonzero(self.folds == fold), np.flatnonzero(self.folds != fold))
            for fold in range(self.used)
        ]


def probe_heads(worker: Worker, rows: NDArray[np.intp], penalties: tuple[float, ...]) -> list[Head]:
    """For each penalty the head of these photos' features, joined with their discriminant."""
    features = worker.features[rows]
    second = fit_discriminant(features, worker.targets[rows], len(worker.job.classes))
    return [joined(head, second, features) for head in worker.heads(rows, penalties)]


def judge_out_of_fold(
    worker: Worker, penalties: tuple[float, ...], progress: Callable[[int, int], None]
) -> OutOfFold:
    """Heads on the features of all folds but one judge that one; near-duplicates share a fold.

    Args:
        worker: with the features of the pretrained backbone.
        penalties: a head for each, the strongest first.
        progress: called with folds done and in all.
    """
    config = worker.job.config
    folds = assign_folds(*worker.groups, config.folds, config.seed)
    used = min(config.folds, int(folds.max()) + 1)
    found = OutOfFold(torch.zeros(len(penalties), len(folds), len(worker.job.classes)), folds, used)
    for fold, (aside, rest) in enumerate(found.parts(), start=1):
        for number, head in enumerate(probe_heads(worker, rest, penalties)):
            found.logits[number, aside] = head(worker.features[aside])
        progress(fold, used)
    return found
