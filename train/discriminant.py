"""The head's second opinion: a linear discriminant on the features of the finished backbone.

Fine-tuning fits backbone and head to augmented photos together; the head is the part that fits them
too well, and so does the probe's where photos are few. Class means and one covariance, estimated on
the photos as they are, err otherwise. Both are linear, so their sum is one head: it costs nothing
where it is served.
"""

from typing import Final

import torch
from torch import Tensor

from train.probe import Head

# Towards equal variances. From 0.1 to 0.6 all help.
_SHRINKAGE: Final = 0.3


def fit_discriminant(features: Tensor, targets: Tensor, classes: int) -> Head:
    """Linear discriminant analysis (Fisher 1936) with shrinkage (Friedman 1989) and equal priors.

    Args:
        features: float32 [N, features].
        targets: int64 [N].
        classes: how many there are; one without a photo has the mean of all.
    """
    exact = features.double()
    counts = torch.bincount(targets, minlength=classes)
    means = torch.zeros(classes, exact.shape[1], dtype=torch.float64)
    means.index_add_(0, targets, exact)
    means = means / counts.clamp(min=1)[:, None]
    means[counts == 0] = exact.mean(0)
    within = exact - means[targets]
    covariance = within.T @ within / len(within)
    shrunk = (1 - _SHRINKAGE) * covariance
    shrunk.diagonal().add_(_SHRINKAGE * covariance.diagonal().mean() + 1e-12)
    weight = torch.linalg.solve(shrunk, means.T).T
    bias = -0.5 * (weight * means).sum(1)
    return Head(weight.float(), bias.float())


def joined(first: Head, second: Head, features: Tensor) -> Head:
    """The sum of two heads, the second scaled so that its logits spread as the first's do.

    Args:
        first: its scale is kept.
        second: the other.
        features: float32 [N, features] on which the spread is measured.
    """
    own, other = _centred(first), _centred(second)
    scale = own(features).std() / other(features).std().clamp(min=1e-12)
    return Head(own.weight + scale * other.weight, own.bias + scale * other.bias)


def _centred(head: Head) -> Head:
    """Without what is equal for all classes, which no softmax sees."""
    return Head(head.weight - head.weight.mean(0), head.bias - head.bias.mean())
