"""Frozen batch normalisation, folded into the convolution before it while training goes on.

With its statistics frozen, normalisation only scales and shifts each channel, and so can the
convolution's own weights: one pass over the maps less, forward and backward. The parameters stay
those of the unfolded layers, with the same gradients and names.
"""

from itertools import pairwise
from typing import Final

import torch
from timm.layers import BatchNormAct2d, Conv2dSame, pad_same
from torch import Tensor, nn

from train.depthwise import depthwise, is_depthwise

_CLOSE: Final = 1e-3


def fold_normalisation(backbone: nn.Module, size: int) -> int:
    """Fold each batch normalisation into the convolution that comes right before it.

    Args:
        backbone: changed in place; its normalisation must stay frozen from here on.
        size: side of the photos it takes, px.

    Returns:
        layers folded; 0 where the backbone has none, or applies them in another order.
    """
    layers = [layer for pair in _pairs(backbone) for layer in pair]
    photo = torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(0))
    before = _features(backbone, photo)
    for convolution, norm in _pairs(backbone):
        convolution.__dict__["folded"] = (norm,)  # in a tuple it is not registered a second time
    for layer in layers:
        layer.__class__ = _FOLDED[type(layer)]
    after = _features(backbone, photo)
    if (after - before).norm() > _CLOSE * before.norm():
        for layer in layers:
            layer.__class__ = _WHOLE[type(layer)]
        return 0
    return len(layers) // 2


def _pairs(backbone: nn.Module) -> list[tuple[nn.Module, nn.Module]]:
    """Convolutions and the normalisations that follow them, in the order of registration."""
    layers = [module for module in backbone.modules() if type(module) in _FOLDED]
    return [
        (first, second)
        for first, second in pairwise(layers)
        if isinstance(first, nn.Conv2d)
        and isinstance(second, nn.BatchNorm2d)
        and first.out_channels == second.num_features
    ]


def _features(backbone: nn.Module, photo: Tensor) -> Tensor:
    backbone.eval()
    with torch.no_grad():
        features: Tensor = backbone(photo)
    return features


class _Folded(nn.Conv2d):
    """A convolution that does the work of its normalisation too."""

    folded: tuple[nn.BatchNorm2d]

    def forward(self, images: Tensor) -> Tensor:
        (norm,) = self.folded
        assert norm.running_mean is not None
        assert norm.running_var is not None
        scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
        shift = -norm.running_mean if self.bias is None else self.bias - norm.running_mean
        weight, bias = self.weight * scale.view(-1, 1, 1, 1), norm.bias + shift * scale
        if torch.is_grad_enabled() and is_depthwise(self):
            if torch.is_autocast_enabled("cpu"):
                images, weight, bias = images.bfloat16(), weight.bfloat16(), bias.bfloat16()
            return depthwise(images, weight, bias, self.stride[0], int(self.padding[0]))
        return self._conv_forward(images, weight, bias)


class _FoldedSame(_Folded, Conv2dSame):
    """With TensorFlow's padding, which may be wider on one side."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(
            pad_same(images, list(self.kernel_size), list(self.stride), list(self.dilation))
        )


class _Passed(nn.BatchNorm2d):
    """A normalisation that was folded away."""

    def forward(self, images: Tensor) -> Tensor:
        return images


class _PassedAct(BatchNormAct2d):
    """The same where timm made one layer of normalisation and activation."""

    def forward(self, images: Tensor) -> Tensor:
        activated: Tensor = self.act(self.drop(images))
        return activated


_FOLDED: Final[dict[type[nn.Module], type[nn.Module]]] = {
    nn.Conv2d: _Folded,
    Conv2dSame: _FoldedSame,
    nn.BatchNorm2d: _Passed,
    BatchNormAct2d: _PassedAct,
}
_WHOLE: Final = {folded: whole for whole, folded in _FOLDED.items()}
