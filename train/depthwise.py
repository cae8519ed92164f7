"""Depthwise convolution in bfloat16 whose gradients are fast on a CPU.

oneDNN (in PyTorch 2.15) runs the forward pass of these layers twice as fast in bfloat16, but most
of their gradients 3 to 90 times as slow as in float32. Each gradient is itself a convolution that
has a fast kernel: of the input, one with the flipped filter; of a 5 x 5 filter, four overlapping
3 x 3 ones.
"""

from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_SIDES: Final = (3, 5)
_STRIDES: Final = (1, 2)


def is_depthwise(layer: nn.Conv2d) -> bool:
    """Whether `depthwise` can run this layer."""
    side, stride = layer.kernel_size[0], layer.stride[0]
    return (
        layer.groups == layer.in_channels == layer.out_channels
        and layer.kernel_size == (side, side)
        and side in _SIDES
        and layer.stride == (stride, stride)
        and stride in _STRIDES
        and layer.dilation == (1, 1)
        and layer.padding_mode == "zeros"
        and layer.padding in {(0, 0), (side // 2, side // 2)}
    )


def depthwise(images: Tensor, weight: Tensor, bias: Tensor, stride: int, padding: int) -> Tensor:
    """Each channel convolved with its own filter.

    Args:
        images: [N, C, H, W], bfloat16 where this is to be fast.
        weight: [C, 1, K, K] of the same dtype; K is 3 or 5.
        bias: [C] of the same dtype.
        stride: 1 or 2.
        padding: zeros on each side.

    Returns:
        [N, C, H', W'].
    """
    result: Tensor = _Depthwise.apply(images, weight, bias, stride, padding)
    return result


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, images: Tensor, weight: Tensor, bias: Tensor, stride: int, padding: int
    ) -> Tensor:
        ctx.save_for_backward(images, weight)
        ctx.stride, ctx.padding = stride, padding
        return F.conv2d(images, weight, bias, stride, padding, groups=images.shape[1])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        images, weight = ctx.saved_tensors
        gradient = gradients[0].contiguous(memory_format=torch.channels_last)
        return (
            _of_images(gradient, images, weight, ctx.stride, ctx.padding),
            _of_weight(gradient, images, weight, ctx.stride, ctx.padding),
            gradient.sum((0, 2, 3)),
            None,
            None,
        )


def _of_images(
    gradient: Tensor, images: Tensor, weight: Tensor, stride: int, padding: int
) -> Tensor:
    count, channels, height, width = images.shape
    side = weight.shape[-1]
    if stride > 1:
        # As if the stride were 1 and all results between had been ignored.
        dense = gradient.new_zeros(
            count, height + 2 * padding - side + 1, width + 2 * padding - side + 1, channels
        ).permute(0, 3, 1, 2)
        dense[:, :, ::stride, ::stride] = gradient
        gradient = dense
    return F.conv2d(gradient, weight.flip(2, 3), padding=side - 1 - padding, groups=channels)


def _of_weight(
    gradient: Tensor, images: Tensor, weight: Tensor, stride: int, padding: int
) -> Tensor:
    if weight.shape[-1] == 3:
        return _of_small_weight(gradient, images, stride, padding)
    padded = F.pad(images, (padding,) * 4)
    height = (gradient.shape[2] - 1) * stride + 3
    width = (gradient.shape[3] - 1) * stride + 3
    result = torch.empty_like(weight)
    for top in (0, 2):
        for left in (0, 2):
            seen = padded[:, :, top : top + height, left : left + width]
            result[:, :, top : top + 3, left : left + 3] = _of_small_weight(
                gradient, seen.contiguous(memory_format=torch.channels_last), stride, 0
            )
    return result


def _of_small_weight(gradient: Tensor, images: Tensor, stride: int, padding: int) -> Tensor:
    channels = images.shape[1]
    result: Tensor = torch.ops.aten.convolution_backward(
        gradient,
        images,
        images.new_empty(channels, 1, 3, 3),
        [channels],
        [stride, stride],
        [padding, padding],
        [1, 1],
        False,
        [0, 0],
        channels,
        [False, True, False],
    )[1]
    return result
