"""The head from class means: a linear discriminant on the features of the finished backbone.

A head that was learnt, in fine-tuning or by regression, fits the photos it learnt from too well.
Class means and one covariance err otherwise, and less on photos of another visit to the shop. Both
are linear, so their sum is one head: it costs nothing where it is served.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

import torch
from sklearn.covariance import ledoit_wolf_shrinkage
from torch import Tensor

from catalog.tree import ancestors
from train.probe import Head

# Towards equal variances, as a multiple of what estimates the covariance best (Ledoit & Wolf 2004):
# for telling classes apart in a shop's next photos, more is better.
_SHRINKAGE: Final = 2.5
_MOST: Final = 0.9
# The mean of a class is drawn to its parent's as if so many photos of the class lay there: photos
# of one visit, or one session, err together. From 4 to 16 all help.
_PARENT_PHOTOS: Final = 6
# And the mean of an inner category to that of its own parent, as if so many classes below had it.
_PARENT_CLASSES: Final = 1


def fit_discriminant(
    features: Tensor, targets: Tensor, classes: Sequence[str], views: Sequence[Tensor] = ()
) -> Head:
    """Linear discriminant analysis (Fisher 1936) with equal priors, shrunk covariance and means.

    The covariance is drawn to equal variances (Friedman 1989; Ledoit & Wolf 2004), the means along
    the category tree to those of their parents (McCallum et al. 1998, ICML).

    Args:
        features: float32 [N, features].
        targets: int64 [N].
        classes: paths; one without a photo has the mean of its parent.
        views: features of the same photos augmented. What varies between the views of a photo
            says nothing of its class, and counts less.
    """
    stacked = torch.cat([features, *views]).double()
    again = targets.repeat(1 + len(views))
    means = torch.zeros(len(classes), stacked.shape[1], dtype=torch.float64)
    means.index_add_(0, again, stacked)
    means /= torch.bincount(again, minlength=len(classes)).clamp(min=1)[:, None]
    within = stacked - means[again]
    covariance = within.T @ within / len(within)
    shrinkage = _shrinkage(within[: len(features)])
    shrunk = (1 - shrinkage) * covariance
    shrunk.diagonal().add_(shrinkage * covariance.diagonal().mean() + 1e-12)
    means = _towards_parents(means, torch.bincount(targets, minlength=len(classes)), classes)
    weight = torch.linalg.solve(shrunk, means.T).T
    bias = -0.5 * (weight * means).sum(1)
    return Head(weight.float(), bias.float())


def joined(learnt: Head, discriminant: Head, features: Tensor, share: float) -> Head:
    """One head of two, which spread alike on features float32 [N, features].

    Args:
        learnt: counts as ``share``.
        discriminant: counts as 1.
        features: of the photos that both were fitted to.
        share: of the learnt head.
    """
    first, second = learnt.of_spread_one(features), discriminant.of_spread_one(features)
    return Head(share * first.weight + second.weight, share * first.bias + second.bias)


def _shrinkage(within: Tensor) -> float:
    best = ledoit_wolf_shrinkage(within.numpy(), assume_centered=True)
    return min(_MOST, _SHRINKAGE * float(best))


def _towards_parents(means: Tensor, photos: Tensor, classes: Sequence[str]) -> Tensor:
    """Class means float64 [C, F], the fewer photos int64 [C] the nearer to their parents' means."""
    below: dict[str, list[int]] = defaultdict(list)
    for number, path in enumerate(classes):
        if photos[number]:
            for node in ("", *ancestors(path)[:-1]):
                below[node].append(number)
    parents = {"": means[below[""]].mean(0)}

    def mean_of(node: str) -> Tensor:
        if node not in parents:
            members = means[below[node]]
            above = _PARENT_CLASSES * mean_of(node.rpartition("/")[0])
            parents[node] = (members.sum(0) + above) / (len(members) + _PARENT_CLASSES)
        return parents[node]

    expected = torch.stack([mean_of(path.rpartition("/")[0]) for path in classes])
    counts = photos[:, None]
    return (means * counts + expected * _PARENT_PHOTOS) / (counts + _PARENT_PHOTOS)
