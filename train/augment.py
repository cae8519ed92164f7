"""Augmentation of a batch in one go: crop, mirror, brightness, CutMix."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

_SMALLEST_CROP = 0.25
_ASPECT = math.log(4 / 3)
_BRIGHTNESS = 0.3
_CUTMIX_SHARE = 0.5


@dataclass(frozen=True)
class Draw:
    """The random numbers of one global batch, drawn once so that they do not depend on workers.

    Attributes:
        crop: float32 [N, 4], uniform: area, aspect, left, top.
        mirror: bool [N].
        brightness: float32 [N], -1 to 1.
        cut: float32 [4], uniform: whether, area, left, top.
    """

    crop: Tensor
    mirror: Tensor
    brightness: Tensor
    cut: Tensor

    def part(self, rows: slice) -> "Draw":
        """The draw for one rank's photos."""
        return Draw(self.crop[rows], self.mirror[rows], self.brightness[rows], self.cut)


def draw(count: int, seed: int) -> Draw:
    """Random numbers for a batch of ``count`` photos."""
    generator = torch.Generator().manual_seed(seed)
    return Draw(
        torch.rand(count, 4, generator=generator),
        torch.rand(count, generator=generator) < 0.5,
        torch.rand(count, generator=generator) * 2 - 1,
        torch.rand(4, generator=generator),
    )


def augment(images: Tensor, size: int, drawn: Draw) -> Tensor:
    """Random resized crop, mirror and brightness, a different one for each photo.

    Resized as the decode does it, bicubic with antialiasing: photos resampled otherwise would look
    unlike all that is served.

    Args:
        images: uint8 [N, H, H, 3], on the CPU, where uint8 is resized fastest.
        size: side of the result, px.
        drawn: the random numbers.

    Returns:
        float32 [N, 3, size, size] on 0..255, channels last.
    """
    side = images.shape[1]
    area = _SMALLEST_CROP + (1 - _SMALLEST_CROP) * drawn.crop[:, 0]
    aspect = torch.exp((drawn.crop[:, 1] * 2 - 1) * _ASPECT / 2)
    width = ((area.sqrt() * aspect).clamp(max=1.0) * side).round().long()
    height = ((area.sqrt() / aspect).clamp(max=1.0) * side).round().long()
    left = (drawn.crop[:, 2] * (side - width)).round().long()
    top = (drawn.crop[:, 3] * (side - height)).round().long()
    boxes = torch.stack([left, top, left + width, top + height], dim=1).tolist()
    resized = torch.empty((len(images), 3, size, size), memory_format=torch.channels_last)
    for row, (x0, y0, x1, y1) in enumerate(boxes):
        crop = images[row, y0:y1, x0:x1].permute(2, 0, 1)[None]
        resized[row] = F.interpolate(crop, size=(size, size), mode="bicubic", antialias=True)[0]
    resized[drawn.mirror] = resized[drawn.mirror].flip(3)
    brightness = 1 + _BRIGHTNESS * drawn.brightness
    return (resized * brightness.view(-1, 1, 1, 1)).clamp(0, 255)


def cut_and_mix(images: Tensor, targets: Tensor, drawn: Draw) -> tuple[Tensor, Tensor]:
    """CutMix (Yun et al. 2019, arXiv:1905.04899) of each photo with its neighbour.

    The first with the second, the third with the fourth, so that a batch shared out in pairs is
    mixed as the whole would be; the last of an odd number stays as it is.

    Args:
        images: float32 [N, 3, S, S].
        targets: float32 [N, classes], rows sum to 1.
        drawn: the random numbers.
    """
    whether, area, left, top = drawn.cut.tolist()
    if whether >= _CUTMIX_SHARE:
        return images, targets
    size = images.shape[-1]
    side = round(size * math.sqrt(area))
    x, y = round(left * (size - side)), round(top * (size - side))
    neighbour = (torch.arange(len(images)) ^ 1).clamp(max=len(images) - 1)
    mixed = images.clone()
    mixed[:, :, y : y + side, x : x + side] = images[neighbour, :, y : y + side, x : x + side]
    share = side * side / (size * size)
    return mixed, targets * (1 - share) + targets[neighbour] * share
