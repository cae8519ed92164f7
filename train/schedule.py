"""The learning rate over a training."""

import math
from typing import Final

WARM_UP: Final = 0.3


def rate_share(progress: float) -> float:
    """Share of the peak rate after ``progress``, 0 to 1, of a training.

    Linear warm-up, then cosine to nearly nothing (Loshchilov & Hutter 2017, arXiv:1608.03983).
    """
    if progress < WARM_UP:
        return 0.05 + 0.95 * progress / WARM_UP
    rest = (progress - WARM_UP) / (1 - WARM_UP)
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * rest))
