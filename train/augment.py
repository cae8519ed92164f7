"""Augmentation of a batch in one go: crop, mirror, brightness, colour, erasing, CutMix."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from train.photos import Pixels

_SMALLEST_CROP = 0.25
_ASPECT = math.log(4 / 3)
_BRIGHTNESS = 0.3
_ERASED = (0.02, 0.33)  # share of the photo
_ERASED_ASPECT = math.log(3)


@dataclass(frozen=True)
class Augmentation:
    """How strong.

    Attributes:
        colour: contrast and saturation change by up to this share, each channel by half of it.
        erase: share of photos of which a part is erased.
        cutmix: share of batches that are mixed.
    """

    colour: float = 0.0
    erase: float = 0.0
    cutmix: float = 0.0


@dataclass(frozen=True)
class Draw:
    """The random numbers of one global batch, drawn once so that they do not depend on workers.

    Attributes:
        crop: float32 [N, 4], uniform: area, aspect, left, top.
        mirror: bool [N].
        brightness: float32 [N], -1 to 1.
        colour: float32 [N, 5], -1 to 1: contrast, saturation, each channel.
        erase: float32 [N, 5], uniform: whether, area, aspect, left, top.
        cut: float32 [4], uniform: whether, area, left, top.
    """

    crop: Tensor
    mirror: Tensor
    brightness: Tensor
    colour: Tensor
    erase: Tensor
    cut: Tensor

    def part(self, rows: slice | NDArray[np.int64]) -> "Draw":
        """The draw for some of the photos."""
        return Draw(
            self.crop[rows],
            self.mirror[rows],
            self.brightness[rows],
            self.colour[rows],
            self.erase[rows],
            self.cut,
        )


def draw(count: int, seed: int) -> Draw:
    """Random numbers for a batch of ``count`` photos."""
    generator = torch.Generator().manual_seed(seed)
    return Draw(
        torch.rand(count, 4, generator=generator),
        torch.rand(count, generator=generator) < 0.5,
        torch.rand(count, generator=generator) * 2 - 1,
        torch.rand(count, 5, generator=generator) * 2 - 1,
        torch.rand(count, 5, generator=generator),
        torch.rand(4, generator=generator),
    )


def augment(images: Tensor, size: int, drawn: Draw, strength: Augmentation) -> Tensor:
    """Random resized crop, mirror, brightness, colour and erasing, different for each photo.

    Resized as the decode does it, bicubic with antialiasing: photos resampled otherwise would look
    unlike all that is served.

    Args:
        images: uint8 [N, H, H, 3], on the CPU, where uint8 is resized fastest.
        size: side of the result, px.
        drawn: the random numbers.
        strength: of what can be set.

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
    resized *= brightness.view(-1, 1, 1, 1)
    if strength.colour:
        _shift_colours(resized, strength.colour * drawn.colour)
    resized.clamp_(0, 255)
    _erase(resized, drawn.erase, strength.erase)
    return resized


def _shift_colours(images: Tensor, shift: Tensor) -> None:
    """Contrast, saturation and channels of float32 [N, 3, S, S], in place, by float32 [N, 5]."""
    contrast, saturation, channels = shift[:, 0], shift[:, 1], shift[:, 2:] / 2
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    images.sub_(mean).mul_((1 + contrast).view(-1, 1, 1, 1)).add_(mean)
    grey = images.mean(dim=1, keepdim=True)
    images.sub_(grey).mul_((1 + saturation).view(-1, 1, 1, 1)).add_(grey)
    images.mul_((1 + channels).view(-1, 3, 1, 1))


def _erase(images: Tensor, drawn: Tensor, share: float) -> None:
    """Random erasing (Zhong et al. 2020, arXiv:1708.04896) to the photo's mean colour, in place."""
    size = images.shape[-1]
    least, most = _ERASED
    for image, (whether, area, aspect, left, top) in zip(images, drawn.tolist(), strict=True):
        if whether < share:
            side = size * math.sqrt(least + (most - least) * area)
            stretch = math.exp((aspect * 2 - 1) * _ERASED_ASPECT / 2)
            height, width = min(size, round(side * stretch)), min(size, round(side / stretch))
            y, x = round(top * (size - height)), round(left * (size - width))
            image[:, y : y + height, x : x + width] = image.mean(dim=(1, 2))[:, None, None]


def cut_and_mix(
    images: Tensor, targets: Tensor, drawn: Draw, share: float
) -> tuple[Tensor, Tensor]:
    """CutMix (Yun et al. 2019, arXiv:1905.04899) of each photo with its neighbour.

    The first with the second, the third with the fourth, so that a batch shared out in pairs is
    mixed as the whole would be; the last of an odd number stays as it is.

    Args:
        images: float32 [N, 3, S, S].
        targets: float32 [N, classes], rows sum to 1.
        drawn: the random numbers.
        share: of batches that are mixed.
    """
    whether, area, left, top = drawn.cut.tolist()
    if whether >= share:
        return images, targets
    size = images.shape[-1]
    side = round(size * math.sqrt(area))
    x, y = round(left * (size - side)), round(top * (size - side))
    neighbour = (torch.arange(len(images)) ^ 1).clamp(max=len(images) - 1)
    mixed = images.clone()
    mixed[:, :, y : y + side, x : x + side] = images[neighbour, :, y : y + side, x : x + side]
    part = side * side / (size * size)
    return mixed, targets * (1 - part) + targets[neighbour] * part


@dataclass(frozen=True)
class View:
    """Photos augmented when they are read, each time in the same way.

    Attributes:
        canvas: uint8 [N, C, C, 3], what is cropped from.
        size: side of the result, px.
        drawn: random numbers of all N photos.
        strength: of the augmentation; none is mixed with another.
    """

    canvas: Pixels
    size: int
    drawn: Draw
    strength: Augmentation

    @property
    def shape(self) -> tuple[int, ...]:
        """[N, size, size, 3]."""
        return (len(self), self.size, self.size, 3)

    def __len__(self) -> int:
        return len(self.canvas)

    def __getitem__(self, rows: slice | NDArray[np.int64]) -> NDArray[np.uint8]:
        canvas = torch.from_numpy(self.canvas[rows])
        images = augment(canvas, self.size, self.drawn.part(rows), self.strength)
        pixels: NDArray[np.uint8] = images.permute(0, 2, 3, 1).round().byte().numpy()
        return pixels
