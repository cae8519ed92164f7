"""Runs without an export, asked through PyTorch."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import softmax

from catalog.calibration import fit_temperature
from catalog.images import ImageSpec, decode
from catalog.manifest import Row
from catalog.tables import read_bytes
from train.backbones import SMALLEST
from train.features import compute_features
from train.finetune import predict
from train.network import load_network, new_network
from train.run import Run

_CPU = torch.device("cpu")


def predict_run(run: Run, rows: Sequence[Row]) -> NDArray[np.float32]:
    """Calibrated probabilities float32 [N, classes], as an export would give them."""
    network = load_network(run.document.architecture, run.weights)
    logits = predict(network, decoded(rows, network.architecture.image), _CPU).numpy()
    held_out = run.held_out()
    temperature = fit_temperature(run.document.classes, held_out.logits, held_out.truth)
    return np.asarray(softmax(logits / temperature, axis=1), dtype=np.float32)


def guess(run: Run, rows: Sequence[Row]) -> list[str]:
    """The likeliest category of each photo."""
    best = predict_run(run, rows).argmax(axis=1)
    return [run.document.classes[number] for number in best]


def pretrained_features(rows: Sequence[Row]) -> NDArray[np.float32]:
    """Features of the smallest packaged backbone before any training, float32 [N, F]."""
    network = new_network(SMALLEST, classes=2, embedding=2).to(memory_format=torch.channels_last)
    pixels = decoded(rows, network.architecture.image)
    features: NDArray[np.float32] = compute_features(network, pixels, _CPU).numpy()
    return features


def decoded(rows: Sequence[Row], spec: ImageSpec) -> NDArray[np.uint8]:
    """Pixels uint8 [N, S, S, 3]."""
    return np.stack([decode(read_bytes(row.image or ""), spec) for row in rows])
