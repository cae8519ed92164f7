"""One training worker: its photos, its network, and what every recipe asks of it."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import ray.train
import torch
from numpy.typing import NDArray
from torch import Tensor

from train.config import TrainConfig
from train.distributed import Ranks
from train.near_duplicates import group_photos
from train.network import Network
from train.photos import Photos
from train.probe import DECAYS, Head, fit_path
from train.progress import ProgressWriter

PREPARED = "prepared"
UNLABELLED = "unlabelled"
OTHER_SPLITS = "other_splits"
PROGRESS = "progress.ndjson"
RESULT = "result.json"
_CHECKPOINT = "checkpoint.pt"


@dataclass(frozen=True)
class Job:
    """What the driver asks of every worker.

    Attributes:
        directory: the run's directory, seen by every worker.
        config: the settings, recipe resolved.
        classes: category paths in the order of the head's outputs.
        threads: CPU threads per worker.
        started: when the run started, seconds since the epoch.
    """

    directory: Path
    config: TrainConfig
    classes: tuple[str, ...]
    threads: int
    started: float


@dataclass(frozen=True)
class Worker:
    """This process among those that train.

    Attributes:
        job: what is asked.
        ranks: this worker among the workers.
        device: of this worker.
        photos: with labels.
        unlabelled: photos without, where the run has any.
        targets: int64 [N] classes of ``photos``.
        network: with the pretrained backbone.
        features: float32 [N, features] of ``photos`` by that backbone, on the CPU.
        progress: told of every step.
    """

    job: Job
    ranks: Ranks
    device: torch.device
    photos: Photos
    unlabelled: Photos | None
    targets: Tensor
    network: Network
    features: Tensor
    progress: ProgressWriter

    @cached_property
    def groups(self) -> tuple[list[str], list[int]]:
        """Category and group of each photo."""
        rows = self.photos.rows
        categories = [row.category or "" for row in rows]
        groups = group_photos(self.features.numpy(), categories, [row.id for row in rows])
        return categories, groups.tolist()

    def class_weights(self, targets: Tensor) -> Tensor:
        """Frequency to the power of -balance, mean 1 over the photos of these classes."""
        counts = torch.bincount(targets, minlength=len(self.job.classes)).float()
        weights = counts.clamp(min=1) ** -self.job.config.balance
        return weights * counts.sum() / (weights * counts).sum()

    def heads(self, rows: NDArray[np.int64], decays: tuple[float, ...] = DECAYS) -> list[Head]:
        """A linear head on the features of these photos for each penalty."""
        targets = self.targets[rows]
        weights = self.class_weights(targets)
        return fit_path(self.features[rows], targets, weights, self.ranks, decays)

    def once(self, name: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """What ``make`` gave, also after a restart: the first worker keeps it in a file.

        Tensors, plain values, and lists and dicts of them.
        """
        file = self.job.directory / PREPARED / name
        if not file.exists():
            made = make()
            if self.ranks.first:
                unfinished = file.with_suffix(".unfinished")
                torch.save(made, unfinished)
                unfinished.rename(file)
            self.ranks.wait()
        loaded: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
        return loaded


def checkpoint(state: dict[str, Any], metrics: dict[str, Any], ranks: Ranks) -> None:
    """Report an epoch to Ray; the first worker's ``state`` is what a restart goes on from."""
    if not ranks.first:
        ray.train.report(metrics)
        return
    with tempfile.TemporaryDirectory() as scratch:
        torch.save(state, Path(scratch) / _CHECKPOINT)
        ray.train.report(metrics, checkpoint=ray.train.Checkpoint.from_directory(scratch))


def last_checkpoint(device: torch.device) -> dict[str, Any] | None:
    """The state of the last checkpoint of this run, if there is one."""
    found = ray.train.get_checkpoint()
    if found is None:
        return None
    with found.as_directory() as directory:
        state: dict[str, Any] = torch.load(
            Path(directory) / _CHECKPOINT, map_location=device, weights_only=True
        )
    return state
