"""The probe's out-of-fold answers: every labelled photo judged by a head that did not see it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from catalog.calibration import best_temperature
from train.discriminant import fit_discriminant
from train.split import assign_folds
from train.worker import Worker

# Of a learnt head beside the discriminant, which counts as 1.
SHARES: Final = (0.125, 0.25, 0.5, 1.0)
_NEXT_TO_NOTHING: Final = 0.05


@dataclass(frozen=True)
class Blend:
    """How a learnt head and the discriminant make one.

    Attributes:
        penalty: number of the learnt head's penalty among those tried.
        share: of the learnt head, where the discriminant's is 1 and both spread alike.
        temperature: of the sum.
        logits: float32 [N, classes], out of fold, divided by it.
    """

    penalty: int
    share: float
    temperature: float
    logits: Tensor


@dataclass(frozen=True)
class OutOfFold:
    """Answers on all labelled photos.

    Attributes:
        learnt: float32 [penalties, N, classes], logits of the regression's heads, of spread 1 on
            the photos learnt from.
        discriminant: float32 [N, classes], the discriminant's.
        folds: intp [N], the fold in which each photo was judged.
        used: how many folds there were; 1 where there are too few products to leave any out, and
            the photos were then judged by heads that saw them.
    """

    learnt: Tensor
    discriminant: Tensor
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

    def blend(self, targets: Tensor) -> Blend:
        """The penalty with the least loss, and the least share that loses next to nothing.

        That is, at most 5% or a standard error (Breiman et al. 1984) behind the best: a shop's next
        photos are less like those it learns from than these are, and there the discriminant gains.

        Args:
            targets: int64 [N].
        """
        penalty = int(np.argmin([float(_losses(one, targets).mean()) for one in self.learnt]))
        blends = [share * self.learnt[penalty] + self.discriminant for share in SHARES]
        losses = torch.stack([_losses(one, targets) for one in blends])
        least = losses[losses.mean(1).argmin()]
        behind = losses - least
        allowed = torch.maximum(
            behind.std(1) / len(targets) ** 0.5, _NEXT_TO_NOTHING * least.mean()
        )
        chosen = 0 if self.used == 1 else int(torch.nonzero(behind.mean(1) <= allowed)[0])
        temperature = best_temperature(blends[chosen].numpy(), targets.numpy())
        return Blend(penalty, SHARES[chosen], temperature, blends[chosen] / temperature)


def judge_out_of_fold(
    worker: Worker, penalties: tuple[float, ...], progress: Callable[[int, int], None]
) -> OutOfFold:
    """Heads on the features of all folds but one judge that one; near-duplicates share a fold.

    Args:
        worker: with the features of the pretrained backbone.
        penalties: a head for each, the strongest first.
        progress: called with folds done and in all.
    """
    config, classes = worker.job.config, worker.job.classes
    folds = assign_folds(*worker.groups, config.folds, config.seed)
    used = min(config.folds, int(folds.max()) + 1)
    logits = torch.zeros(len(penalties) + 1, len(folds), len(classes))
    found = OutOfFold(logits[:-1], logits[-1], folds, used)
    for fold, (aside, rest) in enumerate(found.parts(), start=1):
        features = worker.features[rest]
        heads = [
            *worker.heads(rest, penalties),
            fit_discriminant(features, worker.targets[rest], classes),
        ]
        for number, head in enumerate(heads):
            logits[number, aside] = head.of_spread_one(features)(worker.features[aside])
        progress(fold, used)
    return found


def _losses(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy of each photo, float32 [N], at the best temperature."""
    temperature = best_temperature(logits.numpy(), targets.numpy())
    return F.cross_entropy(logits / temperature, targets, reduction="none")
