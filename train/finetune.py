"""Fine-tuning: from the probe's head on, the backbone at a lower rate, its first layers not at all.

Batch normalisation keeps its pretrained statistics: those of a small batch of shop photos are far
enough from them that the first steps would undo what the backbone and the probe's head know. The
first layers stay whole: edges and colours are the same in every shop, and these layers, few weights
on large maps, are a quarter of a step's time.

On a CPU that frozen normalisation comes folded into the convolutions, and where it has bfloat16
the backbone runs in it: together, on 2 cores, a step of EfficientNet-Lite0 2.6 times as fast, of
Lite2 2.3 times.
"""

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel

from train.augment import Augmentation, augment, cut_and_mix, draw
from train.averaging import WeightAverage
from train.backbones import freeze_first_layers
from train.budget import epochs_that_fit
from train.config import TrainConfig
from train.distributed import Ranks
from train.features import compute_features
from train.machine import has_bfloat16
from train.network import Network, freeze_normalisation
from train.photos import Photos, Pixels
from train.progress import Step
from train.schedule import WARM_UP, rate_share

_AVERAGE_DECAY = 0.995
_GRADIENT_NORM = 5.0
# Of the time of a training step.
_FORWARD = 0.5
# Share of the backbone's weights in the layers that stay as pretrained: the stem and the first two
# of seven stages of EfficientNet-Lite0, the stem and a block of ResNet-50.
_FROZEN = 0.005


@dataclass
class Learning:
    """Everything that changes while fine-tuning; a checkpoint holds it whole.

    Attributes:
        network: the weights being trained.
        optimizer: AdamW over them.
        average: their moving average, from which the weights come that are judged and kept.
        epoch: epochs done.
        seconds: wall time of those epochs.
        best: the weights to keep after the last epoch whose held-out top-1 was within a standard
            error of the highest.
        best_top1: the highest.
        best_epoch: the epoch of ``best``.
        progress: share of the schedule done; never goes back when the plan gets shorter.
        records: one per epoch, for run.json.
    """

    network: Network
    optimizer: torch.optim.Optimizer
    average: WeightAverage
    epoch: int = 0
    seconds: float = 0.0
    best: dict[str, Tensor] = field(default_factory=dict)
    best_top1: float = 0.0
    best_epoch: int = 0
    progress: float = 0.0
    records: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def start(cls, network: Network, config: TrainConfig) -> "Learning":
        """Before the first epoch; the network has the pretrained backbone and the probe's head."""
        freeze_first_layers(network.backbone, _FROZEN)
        optimizer = torch.optim.AdamW(_groups(network, config), betas=(0.9, 0.999))
        average = WeightAverage(network, _AVERAGE_DECAY, config.pretrained_share)
        return cls(network, optimizer, average)

    def state(self) -> dict[str, Any]:
        """Plain values and tensors for a checkpoint."""
        return {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average.weights,
            "average_steps": self.average.steps,
            "epoch": self.epoch,
            "seconds": self.seconds,
            "best": self.best,
            "best_top1": self.best_top1,
            "best_epoch": self.best_epoch,
            "progress": self.progress,
            "records": self.records,
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.average.weights = state["average"]
        self.average.steps = state["average_steps"]
        for key in (
            "epoch", "seconds", "best", "best_top1", "best_epoch", "progress", "records",
        ):  # fmt: skip
            setattr(self, key, state[key])


@dataclass(frozen=True)
class Task:
    """What is learnt: photos, their classes, and which are set aside.

    Attributes:
        photos: of the run; unlabelled ones, if any, stand last.
        targets: int64 [N], of the labelled ones.
        train: int64 indices of the photos that are trained on.
        held_out: int64 indices of the photos that are only judged.
        class_weights: float32 [classes].
    """

    photos: Photos
    targets: Tensor
    train: NDArray[np.int64]
    held_out: NDArray[np.int64]
    class_weights: Tensor


@dataclass(frozen=True)
class FineTuning:
    """One worker's fine-tuning of a network.

    Attributes:
        task: what to learn.
        config: how.
        ranks: this worker among the workers.
        device: of this worker.
        budget: seconds after which to end, counted as ``elapsed`` is; None for all epochs.
        elapsed: seconds of the run used before the first epoch.
        progress: told of every step.
        checkpoint: called after every epoch, on every rank.
        afterwards: passes over the photos, forward only, that the budget must leave time for.
    """

    task: Task
    config: TrainConfig
    ranks: Ranks
    device: torch.device
    budget: float | None = None
    elapsed: float = 0.0
    progress: Callable[[Step], None] = lambda step: None
    checkpoint: Callable[[Learning], None] = lambda now: None
    afterwards: int = 0

    def run(self, learning: Learning) -> None:
        """Train until the plan, the budget or patience ends; ``learning.best`` is the result."""
        network = learning.network
        model = DistributedDataParallel(network) if self.ranks.world > 1 else network
        planned = self._planned_epochs(learning)
        while learning.epoch < planned:
            started = time.perf_counter()
            record = self._train_epoch(learning, model, planned) | self._judge(learning)
            seconds = self.ranks.longest(time.perf_counter() - started)
            learning.epoch += 1
            learning.seconds += seconds
            learning.records.append({**record, "seconds": round(seconds, 2)})
            planned = self._planned_epochs(learning)
            if learning.epoch >= WARM_UP * planned:
                self._keep_if_best(learning, record["held_out_top1"])
            self.checkpoint(learning)
            if learning.best and learning.epoch - learning.best_epoch >= self.config.patience:
                return

    def _keep_if_best(self, learning: Learning, top1: float) -> None:
        # Not the loss: it rises with confidence, which the temperature takes back (Guo et al.
        # 2017, arXiv:1706.04599), while the answers still get better. Photos set aside resemble
        # those trained on more than a shop's next photos will, so they tell a real decline but
        # not the better of two close epochs: there the lower rate of the later one decides.
        learning.best_top1 = max(learning.best_top1, top1)
        share = learning.best_top1
        error = math.sqrt(share * (1 - share) / max(1, len(self.task.held_out)))
        if top1 >= share - error:
            learning.best_epoch = learning.epoch
            learning.best = learning.average.kept()

    def _planned_epochs(self, learning: Learning) -> int:
        if learning.epoch == 0 or self.budget is None:
            return self.config.epochs
        return epochs_that_fit(
            self.budget,
            self.elapsed + learning.seconds,
            learning.epoch,
            learning.seconds / learning.epoch,
            self.config.epochs,
            self.afterwards * _FORWARD,
        )

    def _train_epoch(self, learning: Learning, model: nn.Module, planned: int) -> dict[str, Any]:
        learning.network.train()
        freeze_normalisation(learning.network.backbone)
        rng = np.random.default_rng([self.config.seed, learning.epoch])
        order = rng.permutation(self.task.train)
        steps = max(1, math.ceil(len(order) / self.config.batch_size))
        loss_sum, seen = torch.zeros(()), torch.zeros(self.ranks.world)
        for step, batch in enumerate(np.array_split(order, steps)):
            learning.progress = max(learning.progress, (learning.epoch + step / steps) / planned)
            scale = rate_share(learning.progress)
            for group in learning.optimizer.param_groups:
                group["lr"] = group["peak"] * scale
            part = self.ranks.part_in_pairs(len(batch), turn=step)
            loss_sum += self._step(learning, model, batch, part, seed=int(rng.integers(2**31)))
            seen[self.ranks.rank] += part.stop - part.start
            rate = self.config.rate * scale
            note = (
                f"epoch {learning.epoch + 1}/{planned}  rate {rate:.1e}  "
                f"loss {loss_sum * self.ranks.world / (step + 1):.3f}  {_last_top1(learning)}"
            )
            done = learning.epoch * steps + step + 1
            self.progress(Step("finetune", done, planned * steps, note))
        return {
            "phase": "finetune",
            "epoch": learning.epoch + 1,
            "rate": rate,
            "train_loss": round(float(self.ranks.sum(loss_sum)) / steps, 4),
            "photos_per_rank": [int(count) for count in self.ranks.sum(seen)],
        }

    def _step(
        self,
        learning: Learning,
        model: nn.Module,
        batch: NDArray[np.int64],
        part: slice,
        seed: int,
    ) -> Tensor:
        """One update on a global batch of which this rank has a part.

        Which photos meet and how they are augmented does not depend on the number of ranks.

        Returns:
            this rank's share of the batch's mean loss, on the CPU; over all ranks they add up.
        """
        own = batch[part]
        drawn = draw(len(batch), seed).part(part)
        canvas = torch.from_numpy(self.task.photos.canvas[own])
        config = self.config
        strength = Augmentation(config.colour, config.erase, config.cutmix)
        images = augment(canvas, self.task.photos.plain.shape[1], drawn, strength)
        images = images.to(self.device)
        labels = self.task.targets[own].to(self.device)
        classes = len(self.task.class_weights)
        images, targets = cut_and_mix(
            images, F.one_hot(labels, classes).float(), drawn, strength.cutmix
        )
        logits = model(
            images.contiguous(memory_format=torch.channels_last),
            bfloat16=has_bfloat16(self.device.type),
        )
        loss: Tensor = F.cross_entropy(
            logits,
            targets,
            weight=self.task.class_weights.to(self.device),
            label_smoothing=config.label_smoothing,
            reduction="sum",
        ) / len(batch)
        learning.optimizer.zero_grad()
        (loss * self.ranks.world).backward()  # DDP takes the mean over ranks
        nn.utils.clip_grad_norm_(model.parameters(), _GRADIENT_NORM)
        learning.optimizer.step()
        learning.average.update(learning.network)
        return loss.detach().cpu()

    def _judge(self, learning: Learning) -> dict[str, float]:
        """Loss and top-1 of the weights to keep on the photos set aside, shared over ranks."""
        network = copy.deepcopy(learning.network)
        network.load_state_dict(learning.average.kept(), strict=False)
        own = self.task.held_out[self.ranks.part(len(self.task.held_out))]
        logits = predict(network, self.task.photos.plain[own], self.device)
        targets = self.task.targets[own]
        sums = torch.stack(
            [
                F.cross_entropy(logits, targets, reduction="sum"),
                (logits.argmax(1) == targets).sum().float(),
            ]
        )
        loss, right = (self.ranks.sum(sums) / max(1, len(self.task.held_out))).tolist()
        return {"held_out_loss": round(loss, 4), "held_out_top1": round(right, 4)}


def predict(network: Network, photos: Pixels, device: torch.device) -> Tensor:
    """Logits float32 [N, classes] of photos uint8 [N, S, S, 3], on the CPU."""
    features = compute_features(network, photos, device)
    with torch.inference_mode():
        logits: Tensor = network.head(features.to(device))
    return logits.float().cpu()


def _groups(network: Network, config: TrainConfig) -> list[dict[str, Any]]:
    """Head and backbone at their rates; no decay on biases and normalisation."""
    groups = []
    for module, rate in (
        (network.head, config.rate),
        (network.backbone, config.rate * config.backbone_rate),
    ):
        parameters = [value for value in module.parameters() if value.requires_grad]
        for decay, chosen in (
            (config.weight_decay, [value for value in parameters if value.ndim > 1]),
            (0.0, [value for value in parameters if value.ndim <= 1]),
        ):
            groups.append({"params": chosen, "lr": rate, "peak": rate, "weight_decay": decay})
    return groups


def _last_top1(learning: Learning) -> str:
    if not learning.records:
        return ""
    return f"held-out top-1 {learning.records[-1]['held_out_top1']:.3f}"
