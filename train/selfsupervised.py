"""Adapting the backbone to a shop's photos without their labels: SimSiam.

Chen & He 2021, arXiv:2011.10566. Two augmented views of a photo go through the backbone and a
projection; a predictor on one is to find the other, whose gradient is stopped. Batch normalisation
keeps its statistics in the backbone, as in fine-tuning; the projection has its own.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel

from train.augment import Augmentation, augment, draw
from train.budget import epochs_that_fit
from train.distributed import Ranks
from train.machine import has_bfloat16
from train.network import Network, freeze_normalisation
from train.photos import Photos
from train.progress import Step
from train.schedule import rate_share

_WIDTH: Final = 512
_BOTTLENECK: Final = 128
_RATE: Final = 1e-4
_HEAD_RATE: Final = 1e-3
_WEIGHT_DECAY: Final = 0.02
_BATCH: Final = 32


class SimSiam(nn.Module):
    """A network's backbone with a projection and a predictor on top."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network
        features = network.architecture.features
        self.projection = nn.Sequential(
            nn.Linear(features, _WIDTH, bias=False),
            nn.BatchNorm1d(_WIDTH),
            nn.ReLU(inplace=True),
            nn.Linear(_WIDTH, _WIDTH, bias=False),
            nn.BatchNorm1d(_WIDTH, affine=False),
        )
        self.predictor = nn.Sequential(
            nn.Linear(_WIDTH, _BOTTLENECK, bias=False),
            nn.BatchNorm1d(_BOTTLENECK),
            nn.ReLU(inplace=True),
            nn.Linear(_BOTTLENECK, _WIDTH),
        )

    def forward(self, left: Tensor, right: Tensor, *, bfloat16: bool) -> Tensor:
        """Loss of two views, each float32 [N, 3, S, S]: -1 where they agree, 0 where not at all."""
        with torch.autocast(left.device.type, torch.bfloat16, enabled=bfloat16):
            features = self.network.features(torch.cat([left, right]))
        first, second = (self.projection(part) for part in features.float().chunk(2))
        loss: Tensor = -0.5 * (
            F.cosine_similarity(self.predictor(first), second.detach()).mean()
            + F.cosine_similarity(self.predictor(second), first.detach()).mean()
        )
        return loss


def adapt_backbone(
    network: Network,
    photos: Photos,
    ranks: Ranks,
    device: torch.device,
    *,
    seed: int,
    epochs: int,
    seconds: float | None,
    progress: Callable[[Step], None],
) -> list[dict[str, Any]]:
    """Train the network's backbone on photos whose labels are not looked at.

    Args:
        network: changed in place.
        photos: with a canvas to crop from.
        ranks: every rank computes the loss of its part of each batch.
        device: of this rank.
        seed: of the order and the augmentation.
        epochs: at most.
        seconds: wall time to end within, or None.
        progress: told of every step.

    Returns:
        one record per epoch: mean loss, seconds.
    """
    pair = SimSiam(network).to(device)
    network.head.requires_grad_(False)  # DDP would wait for its gradients
    model = DistributedDataParallel(pair) if ranks.world > 1 else pair
    optimizer = _optimizer(pair)
    records: list[dict[str, Any]] = []
    started, planned = time.perf_counter(), epochs
    while len(records) < planned:
        epoch = _Epoch(len(records), planned, seed)
        loss = _train_epoch(model, pair, optimizer, photos, ranks, device, epoch, progress)
        spent = ranks.longest(time.perf_counter() - started)
        records.append({"phase": "adapt", "epoch": epoch.number + 1, "loss": round(loss, 4)})
        done = len(records)
        planned = epochs_that_fit(seconds, spent, done, spent / done, epochs)
    network.head.requires_grad_(True)
    return records


@dataclass(frozen=True)
class _Epoch:
    number: int
    planned: int
    seed: int


def _optimizer(pair: SimSiam) -> torch.optim.Optimizer:
    heads = [*pair.projection.parameters(), *pair.predictor.parameters()]
    groups = [
        {"params": list(pair.network.backbone.parameters()), "peak": _RATE},
        {"params": heads, "peak": _HEAD_RATE},
    ]
    return torch.optim.AdamW(groups, lr=_RATE, weight_decay=_WEIGHT_DECAY)


def _train_epoch(
    model: nn.Module,
    pair: SimSiam,
    optimizer: torch.optim.Optimizer,
    photos: Photos,
    ranks: Ranks,
    device: torch.device,
    epoch: _Epoch,
    progress: Callable[[Step], None],
) -> float:
    """Mean loss over the epoch's steps."""
    pair.train()
    freeze_normalisation(pair.network.backbone)
    size = photos.plain.shape[1]
    rng = np.random.default_rng([epoch.seed, epoch.number])
    order = rng.permutation(len(photos.plain))
    steps = max(1, len(order) // _BATCH)
    total = torch.zeros(())
    for step, batch in enumerate(np.array_split(order, steps)):
        share = rate_share((epoch.number + step / steps) / epoch.planned)
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * share
        part = ranks.part(len(batch))
        canvas = torch.from_numpy(photos.canvas[batch[part]])
        drawn = (draw(len(batch), int(rng.integers(2**31))).part(part) for _ in range(2))
        left, right = (
            augment(canvas, size, one, Augmentation())
            .to(device)
            .contiguous(memory_format=torch.channels_last)
            for one in drawn
        )
        loss = model(left, right, bfloat16=has_bfloat16(device.type))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.detach().cpu()
        note = f"epoch {epoch.number + 1}/{epoch.planned}  loss {total / (step + 1):.3f}"
        done = epoch.number * steps + step + 1
        progress(Step("adapt", done, epoch.planned * steps, note))
    return float(ranks.sum(total)) / steps / ranks.world
