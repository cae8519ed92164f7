"""A run's look at its own data, beside the training: what a person should mend."""

import torch
from torch import Tensor

from catalog.manifest import Row
from train.data_issues import DataIssue, doubtful_labels, leaks, twins_of_two_labels
from train.features import shared_features
from train.photos import open_photos
from train.progress import Step
from train.worker import OTHER_SPLITS, PREPARED, Worker


def other_splits(worker: Worker) -> tuple[tuple[Row, ...], Tensor] | None:
    """Rows of splits that are not trained on, with features of the pretrained backbone."""
    prepared = worker.job.directory / PREPARED / OTHER_SPLITS
    if not (prepared / "rows.json").exists():
        return None
    photos = open_photos(prepared)
    features = shared_features(
        worker.network,
        photos.plain,
        worker.device,
        worker.ranks,
        prepared / "features.npy",
        lambda done, total: worker.progress(Step("features, other splits", done, total)),
    )
    return photos.rows, features


def find_issues(
    worker: Worker, logits: Tensor, others: tuple[tuple[Row, ...], Tensor] | None
) -> list[DataIssue]:
    """Doubtful labels, photos in two categories, and leaks into other splits.

    Args:
        worker: with the features of the pretrained backbone.
        logits: float32 [N, classes] of all labelled photos, out of fold.
        others: of `other_splits`.
    """
    rows, features = worker.photos.rows, worker.features.numpy()
    probabilities = torch.softmax(logits, dim=1).numpy()
    issues = doubtful_labels(rows, probabilities, worker.targets.numpy(), worker.job.classes)
    issues += twins_of_two_labels(rows, features)
    if others is not None:
        issues += leaks(rows, features, others[0], others[1].numpy())
    return issues
