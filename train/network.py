"""The network that is trained and exported: backbone, classifier head, embedding."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from catalog.images import ImageSpec
from train.backbones import create_backbone, feature_count


@dataclass(frozen=True)
class Architecture:
    """All that is needed to build a `Network` before its weights are read.

    Attributes:
        backbone: name, as `train.backbones.create_backbone` takes it.
        features: width of the backbone's features.
        classes: number of classes.
        embedding: width of the embedding.
        image: what the network sees.
        prototypes: embeddings kept of the training photos; 0 before they are fitted.
    """

    backbone: str
    features: int
    classes: int
    embedding: int
    image: ImageSpec
    prototypes: int = 0

    def to_json(self) -> dict[str, Any]:
        """Plain values for run.json."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Architecture":
        """The inverse of `to_json`."""
        image = values["image"]
        spec = ImageSpec(image["size"], image["crop"], tuple(image["mean"]), tuple(image["std"]))
        return cls(**{**values, "image": spec})


class Network(nn.Module):
    """Backbone, linear head, and a linear map of the features to the embedding."""

    def __init__(self, backbone: nn.Module, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        self.backbone = backbone
        self.head = nn.Linear(architecture.features, architecture.classes)
        # Fitted by train.embedding, not learnt: DDP must not wait for its gradients.
        self.embedding = nn.Linear(architecture.features, architecture.embedding)
        self.embedding.requires_grad_(False)
        self.prototypes: Tensor
        kept = torch.zeros(architecture.prototypes, architecture.embedding)
        self.register_buffer("prototypes", kept)
        # Buffers, so that they move with the module; not weights, so not saved.
        self.mean: Tensor
        self.std: Tensor
        for name, values in (("mean", architecture.image.mean), ("std", architecture.image.std)):
            self.register_buffer(name, torch.tensor(values).view(1, 3, 1, 1), persistent=False)

    def keep_prototypes(self, prototypes: Tensor) -> None:
        """Keep embeddings float32 [P, embedding] of the training photos with the weights."""
        self.architecture = replace(self.architecture, prototypes=len(prototypes))
        self.prototypes = prototypes

    def features(self, images: Tensor) -> Tensor:
        """Pooled features; ``images`` uint8 or float32 [N, 3, S, S] on 0..255 -> [N, features]."""
        pooled: Tensor = self.backbone((images.float() - self.mean) / self.std)
        return pooled

    def forward(self, images: Tensor, *, bfloat16: bool = False) -> Tensor:
        """Logits; ``images`` uint8 or float32 [N, 3, S, S] on 0..255 -> float32 [N, classes].

        ``bfloat16`` is for the backbone alone: logits need finer steps.
        """
        with torch.autocast(images.device.type, torch.bfloat16, enabled=bfloat16):
            features = self.features(images)
        logits: Tensor = self.head(features.float())
        return logits


def new_network(
    backbone: str,
    *,
    classes: int,
    embedding: int,
    size: int | None = None,
    weights: Path | None = None,
) -> Network:
    """A network with a pretrained backbone, a zero head and a random embedding.

    The embedding is ``embedding`` wide, or as wide as the backbone's features if those are fewer;
    photos are ``size`` px wide and high, or as the backbone was pretrained.
    """
    module, spec = create_backbone(backbone, size=size, weights=weights)
    features = feature_count(module, spec)
    architecture = Architecture(backbone, features, classes, min(embedding, features), spec)
    network = Network(module, architecture)
    nn.init.zeros_(network.head.weight)
    nn.init.zeros_(network.head.bias)
    return network


def freeze_normalisation(backbone: nn.Module) -> None:
    """Keep the statistics of batch normalisation while the rest trains."""
    for module in backbone.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.SyncBatchNorm):
            module.eval()


def load_network(architecture: Architecture, weights: Path) -> Network:
    """The network of a finished run, in evaluation mode."""
    module, _ = create_backbone(architecture.backbone, pretrained=False)
    network = Network(module, architecture)
    saved = load_file(weights)
    saved.setdefault("prototypes", network.prototypes)  # runs made before there were any
    network.load_state_dict(saved)
    return network.eval()


def save_network(network: Network, path: Path) -> None:
    """Write the weights as safetensors."""
    save_file({key: value.contiguous() for key, value in network.state_dict().items()}, path)
