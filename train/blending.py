"""Between the pretrained and the fine-tuned weights lie some that travel better.

WiSE-FT (Wortsman et al. 2022, arXiv:2109.01903): weights on the line between the two keep what
the backbone knew of other light and other shops. Photos set aside come from the same shop, so of
the blends that they cannot tell from the best, the one nearest to the pretrained weights is taken.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

SHARES = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


def blend(first: dict[str, Tensor], tuned: dict[str, Tensor], share: float) -> dict[str, Tensor]:
    """Weights at ``share`` of the way from ``first`` to ``tuned``."""
    return {key: torch.lerp(first[key], value, share) for key, value in tuned.items()}


def choose_share(top1: Callable[[float], float], photos: int) -> tuple[float, dict[float, float]]:
    """The smallest share whose top-1 lies within one standard error of the best.

    Args:
        top1: of a share, on photos set aside.
        photos: how many those are.

    Returns:
        the share, and the top-1 of each that was tried.
    """
    found = {share: top1(share) for share in SHARES}
    best = max(found.values())
    error = np.sqrt(best * (1 - best) / photos)
    return min(share for share, value in found.items() if value >= best - error), found
