"""What a finished backbone makes of the photos, from which the head is fitted anew.

Of the photos as they are served, and of augmented views of them: what varies between the views of a
photo says nothing of its category, and the discriminant learns to look past it.
"""

from typing import Final

from torch import Tensor

from train.augment import Augmentation, View, draw
from train.features import shared_features
from train.photos import Photos
from train.progress import Step
from train.worker import PREPARED, Worker

# Views of each photo, where in all they are no more than so many.
_VIEWS: Final = 2
_VIEWED: Final = 6_000


def view_count(photos: int) -> int:
    """Augmented views of each of so many photos."""
    return min(_VIEWS, _VIEWED // photos)


def finished_features(worker: Worker, photos: Photos) -> tuple[Tensor, list[Tensor]]:
    """Features of the photos by the worker's network as it is now, and of each view of them.

    Each float32 [N, features].
    """
    config = worker.job.config
    strength = Augmentation(config.colour)
    count, size = len(photos.rows), photos.plain.shape[1]
    views = [
        View(photos.canvas, size, draw(count, config.seed + number), strength)
        for number in range(view_count(count))
    ]
    plain, *viewed = [
        shared_features(
            worker.network,
            pixels,
            worker.device,
            worker.ranks,
            worker.job.directory / PREPARED / f"finished_features{number}.npy",
            lambda done, total: worker.progress(Step("head", done, total)),
        )
        for number, pixels in enumerate((photos.plain, *views))
    ]
    return plain, viewed
