"""Labels for photos that have none, where a trained network is sure of them."""

import math
from typing import Final

import torch
from torch import Tensor

_PRECISION: Final = 0.95


def confident(
    held_out: Tensor, truth: Tensor, logits: Tensor, precision: float = _PRECISION
) -> tuple[Tensor, Tensor]:
    """The photos whose likeliest class can be taken for their label.

    They are at least as likely as those of the photos set aside that are right often enough.

    Args:
        held_out: float32 [M, classes], logits of photos set aside.
        truth: int64 [M], their classes.
        logits: float32 [N, classes] of photos without labels.
        precision: share of the photos set aside that must be right.

    Returns:
        int64 [K], rows of those photos; int64 [N], the likeliest class of every photo.
    """
    likely, guess = held_out.softmax(1).max(1)
    order = likely.argsort(descending=True)
    right = (guess == truth)[order].float().cumsum(0) / torch.arange(1, len(order) + 1)
    enough = torch.nonzero(right >= precision)
    least = float(likely[order][enough[-1]]) if len(enough) else math.inf
    probability, classes = logits.softmax(1).max(1)
    return torch.nonzero(probability >= least).flatten(), classes
