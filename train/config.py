"""Every setting of a training; the command line is made from this dataclass."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Recipe = Literal["auto", "probe", "finetune", "transductive", "unsupervised"]


@dataclass(frozen=True)
class TrainConfig:
    """How to train.

    Attributes:
        recipe: probe trains a linear head on the frozen backbone; finetune goes on from there with
            all but the network's first layers; transductive does so, and lets the head learn from
            the photos of ``unlabelled`` that it is the surest of, too; unsupervised adapts the
            backbone to all photos without their labels before it fine-tunes; auto takes finetune
            where the budget allows it.
        unlabelled: photos without labels, a folder or a table as the manifest; transductive needs
            them, unsupervised takes them beside the labelled ones.
        budget: wall time for the whole run, such as 25m or 1h30m; epochs are chosen to fit. The
            recipe auto takes 30m where none is given.
        epochs: finetune epochs at most.
        backbone: a timm model name, or torchvision:NAME; auto takes the largest of
            tf_efficientnet_lite0 and 2 that the budget allows enough epochs of, for the probe the
            smallest.
        size: side of the square photos that the network sees, px; the backbone's own if not given,
            or 240 where auto chose tf_efficientnet_lite2.
        weights: pretrained weights from a file, instead of the package's or the hub's.
        embedding: width of the embedding at most; never more than there are photos.
        batch_size: photos per step over all workers together.
        rate: peak learning rate of the head in finetune.
        backbone_rate: the backbone's rate as a share of the head's.
        weight_decay: of finetune.
        label_smoothing: of finetune.
        colour: contrast and saturation of photos that finetune trains on change by up to this
            share, each colour channel by half of it; 0 where colours tell products apart.
        erase: share of those photos of which a part is erased.
        cutmix: share of their batches in which each photo gets a part of another.
        pretrained_share: of the pretrained weights, with the probe's head, in those that finetune
            keeps; the rest is what was learnt. More of them helps with photos taken otherwise than
            those trained on.
        soup: how often finetune trains at most, each time with another order and other crops; what
            it keeps is the mean of the weights. More than once only where the budget allows it.
        balance: class weights in the loss are frequency to the power of minus this; 0 leaves the
            classes as they are, 1 gives each class the same weight.
        patience: finetune stops after this many epochs with a held-out top-1 below the best by more
            than its standard error.
        held_out: share of the products set aside for early stopping and calibration; less where
            that is over 150 photos.
        folds: folds of the probe's out-of-sample predictions.
        workers: training processes; the result does not depend on it but for noise.
        device: cpu, cuda, or auto for a GPU where there is one.
        seed: of the split, the order and the augmentation.
    """

    recipe: Recipe = "auto"
    unlabelled: str | None = None
    budget: str | None = None
    epochs: int = 16
    backbone: str = "auto"
    size: int | None = None
    weights: Path | None = None
    embedding: int = 256
    batch_size: int = 32
    rate: float = 8e-4
    backbone_rate: float = 0.5
    weight_decay: float = 0.02
    label_smoothing: float = 0.1
    colour: float = 0.3
    erase: float = 0.25
    cutmix: float = 0.0
    pretrained_share: float = 0.2
    soup: int = 2
    balance: float = 0.0
    patience: int = 4
    held_out: float = 0.1
    folds: int = 5
    workers: int = 1
    device: Literal["auto", "cpu", "cuda"] = "auto"
    seed: int = 0
