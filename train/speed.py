"""How fast this machine trains, found by training for some seconds."""

from typing import Final

import numpy as np
import torch

from train.backbones import SMALLEST
from train.config import TrainConfig
from train.distributed import Ranks
from train.finetune import FineTuning, Learning, Task
from train.folding import fold_normalisation
from train.network import new_network
from train.photos import CANVAS, Photos

# Milliseconds per photo and epoch of the smallest backbone, on 2 cores with bfloat16.
STEP_MS: Final = 13.0
_GPU: Final = 100.0
_PHOTOS: Final = 64


def measure_speed(device: str) -> float:
    """Training steps in the time of one on the machine that ``STEP_MS`` was measured on.

    Two epochs of a few photos on the CPU, of which the first finds the kernels; a GPU is taken for
    a hundred such machines.

    Args:
        device: auto, cpu or cuda, as in the settings.
    """
    gpus = 0 if device == "cpu" else torch.cuda.device_count()
    if gpus:
        return _GPU * gpus
    network = new_network(SMALLEST, classes=2, embedding=2).to(memory_format=torch.channels_last)
    side = network.architecture.image.size
    fold_normalisation(network.backbone, side)
    canvas = round(CANVAS * side)
    photos = Photos(
        (),
        np.zeros((_PHOTOS, side, side, 3), np.uint8),
        np.zeros((_PHOTOS, canvas, canvas, 3), np.uint8),
        "",
    )
    train, nothing = np.arange(_PHOTOS), np.arange(0)
    task = Task(photos, torch.arange(_PHOTOS) % 2, train, nothing, torch.ones(2))
    config = TrainConfig(epochs=2)
    learning = Learning.start(network, config)
    FineTuning(task, config, Ranks(), torch.device("cpu")).run(learning)
    seconds: float = learning.records[-1]["seconds"]
    return STEP_MS / (1000 * seconds / _PHOTOS)
