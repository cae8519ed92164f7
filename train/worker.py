"""One training worker: what Ray Train runs in each process."""

import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import ray.train
import ray.train.torch
import torch
from numpy.typing import NDArray
from torch import Tensor

from train.config import TrainConfig
from train.distributed import Ranks
from train.embedding import embedding_width, fit_embedding
from train.features import compute_features, shared_features
from train.finetune import FineTuning, Learning, Task, predict
from train.near_duplicates import group_photos
from train.network import Network, new_network, save_network
from train.photos import Photos, open_photos
from train.probe import DECAYS, Head, fit_path
from train.progress import ProgressWriter, Step
from train.run import WEIGHTS, HeldOut, write_predictions
from train.split import assign_folds, hold_out

PREPARED = "prepared"
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


def train_worker(config: dict[str, Job]) -> None:
    """Train, and on rank 0 leave weights, predictions and records in the run's directory."""
    job = config["job"]
    torch.set_num_threads(job.threads)
    torch.manual_seed(job.config.seed)
    context = ray.train.get_context()
    ranks = Ranks(context.get_world_rank(), context.get_world_size())
    device = ray.train.torch.get_device()
    photos = open_photos(job.directory / PREPARED)
    index = {path: number for number, path in enumerate(job.classes)}
    targets = torch.tensor([index[row.category or ""] for row in photos.rows])
    network = (
        new_network(
            job.config.backbone,
            classes=len(job.classes),
            embedding=embedding_width(job.config.embedding, len(photos.rows)),
            size=job.config.size,
            weights=job.config.weights,
        )
        .to(device)
        .to(memory_format=torch.channels_last)
    )
    progress = ProgressWriter(job.directory / PROGRESS, active=ranks.first)
    features = shared_features(
        network,
        photos.plain,
        device,
        ranks,
        job.directory / PREPARED / "features.npy",
        lambda done, total: progress(Step("features", done, total)),
    )
    worker = _Worker(job, ranks, device, photos, targets, network, features, progress)
    if job.config.recipe == "probe":
        worker.probe()
    else:
        worker.finetune()


@dataclass(frozen=True)
class _Worker:
    job: Job
    ranks: Ranks
    device: torch.device
    photos: Photos
    targets: Tensor
    network: Network
    features: Tensor
    progress: ProgressWriter

    def probe(self) -> None:
        """Out-of-fold predictions choose the penalty; then one head on everything."""
        config = self.job.config
        folds = assign_folds(*self._groups(), config.folds, config.seed)
        used = min(config.folds, int(folds.max()) + 1)
        everything = np.arange(len(folds))
        logits = torch.zeros(len(DECAYS), len(folds), len(self.job.classes))
        for fold in range(used):
            aside = np.flatnonzero(folds == fold)
            rest = np.flatnonzero(folds != fold) if used > 1 else everything
            for number, head in enumerate(self._fit(rest)):
                logits[number, aside] = head(self.features[aside])
            self.progress(Step("probe", fold + 1, used + 1, f"fold {fold + 1}/{used}"))
        best = self._best_penalty(logits, everything)
        self._fit(everything)[best].load_into(self.network)
        self.progress(Step("probe", used + 1, used + 1, f"penalty {DECAYS[best]:g}"))
        fit_embedding(self.network, self.features)
        record = {"phase": "probe", "penalty": DECAYS[best], "folds": used}
        self._finish(everything, logits[best], [record], [])

    def finetune(self) -> None:
        """The probe's head first, then the network, judged on the photos set aside.

        The head with the strongest penalty: it is the least sure of itself, so its first gradients
        on augmented photos leave the backbone's features whole.
        """
        config = self.job.config
        aside = hold_out(*self._groups(), config.held_out, config.seed)
        train = np.flatnonzero(~aside)
        if not aside.any():
            aside = ~aside  # too few to spare one; the driver notes it
        task = Task(
            self.photos, self.targets, train, np.flatnonzero(aside), self._class_weights(train)
        )
        self._fit(train, DECAYS[:1])[0].load_into(self.network)
        learning = Learning.start(self.network, config)
        restarts = self._restore(learning)
        FineTuning(
            task,
            config,
            self.ranks,
            self.device,
            elapsed=max(0.0, time.time() - self.job.started - learning.seconds),
            progress=self.progress,
            checkpoint=lambda state: self._checkpoint(state, restarts),
        ).run(learning)
        self.network.load_state_dict(learning.best, strict=False)
        logits = predict(self.network, self.photos.plain[task.held_out], self.device)
        fit_embedding(self.network, compute_features(self.network, self.photos.plain, self.device))
        self._finish(task.held_out, logits, learning.records, restarts)

    def _groups(self) -> tuple[list[str], list[int]]:
        """Category and group of each photo."""
        rows = self.photos.rows
        categories = [row.category or "" for row in rows]
        groups = group_photos(self.features.numpy(), categories, [row.id for row in rows])
        return categories, groups.tolist()

    def _class_weights(self, rows: NDArray[np.int64]) -> Tensor:
        """Frequency to the power of -balance, mean 1 over the photos."""
        counts = torch.bincount(self.targets[rows], minlength=len(self.job.classes)).float()
        weights = counts.clamp(min=1) ** -self.job.config.balance
        return weights * counts.sum() / (weights * counts).sum()

    def _fit(self, rows: NDArray[np.int64], decays: tuple[float, ...] = DECAYS) -> list[Head]:
        weights = self._class_weights(rows)
        return fit_path(self.features[rows], self.targets[rows], weights, self.ranks, decays)

    def _best_penalty(self, logits: Tensor, rows: NDArray[np.int64]) -> int:
        """Index into `DECAYS` of the lowest loss on rows that were not trained on."""
        targets = self.targets[rows]
        losses = [float(torch.nn.functional.cross_entropy(one, targets)) for one in logits]
        return int(np.argmin(losses))

    def _checkpoint(self, learning: Learning, restarts: list[int]) -> None:
        metrics = {key: learning.records[-1][key] for key in ("epoch", "held_out_top1")}
        if not self.ranks.first:
            ray.train.report(metrics)
            return
        with tempfile.TemporaryDirectory() as scratch:
            torch.save({**learning.state(), "restarts": restarts}, Path(scratch) / _CHECKPOINT)
            ray.train.report(metrics, checkpoint=ray.train.Checkpoint.from_directory(scratch))

    def _restore(self, learning: Learning) -> list[int]:
        """Load the last checkpoint, if there is one; the epochs that training went on from."""
        checkpoint = ray.train.get_checkpoint()
        if checkpoint is None:
            return []
        with checkpoint.as_directory() as directory:
            state = torch.load(
                Path(directory) / _CHECKPOINT, map_location=self.device, weights_only=True
            )
        learning.load(state)
        return [*state["restarts"], learning.epoch]

    def _finish(
        self,
        rows: NDArray[np.int64],
        logits: Tensor,
        records: list[dict[str, Any]],
        restarts: list[int],
    ) -> None:
        if self.ranks.first:
            judged = [self.photos.rows[row] for row in rows]
            write_predictions(
                self.job.directory,
                HeldOut(
                    tuple(row.image or "" for row in judged),
                    tuple(row.category or "" for row in judged),
                    logits.numpy(),
                ),
            )
            self.network.cpu().to(memory_format=torch.contiguous_format)
            save_network(self.network, self.job.directory / WEIGHTS)
            result = {
                "architecture": self.network.architecture.to_json(),
                "records": records,
                "restarts": restarts,
            }
            (self.job.directory / PREPARED / RESULT).write_text(json.dumps(result))
        self.ranks.wait()
