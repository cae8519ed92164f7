"""How far two photos are one picture: their small copies, pixel by pixel."""

import io
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_SIDE: Final = 48
_CELLS: Final = 16  # of a side, that are compared: finer ones differ when a photo is saved again
_LOOK: Final = 8
_SHIFTS: Final = (-1, 0, 1)

Thumbnail = NDArray[np.float32]


def thumbnail(photo: bytes) -> Thumbnail | None:
    """What is compared of a JPEG copy: float32 [48, 48, 3], 0 to 1, without its background.

    The median colour, that of a plain background, is taken off, so that two photos are not alike
    for being mostly white. None where the copy is damaged.
    """
    try:
        with Image.open(io.BytesIO(photo)) as image:
            small = image.convert("RGB").resize((_SIDE, _SIDE), Image.Resampling.BOX)
    except (OSError, ValueError, SyntaxError):
        return None
    pixels = np.asarray(small, np.float32) / 255
    return np.asarray(pixels - np.median(pixels, axis=(0, 1)), np.float32)


def look(picture: Thumbnail) -> NDArray[np.float32]:
    """What one picture in many is found by: float32 [192] of unit length, or zero for a blank."""
    cells = _averaged(picture, _LOOK).ravel()
    return np.asarray(cells / (np.linalg.norm(cells) + 1e-6), np.float32)


def difference(left: Thumbnail, right: Thumbnail) -> float:
    """Squared difference of two thumbnails as a share of what they show, at the best small shift.

    Returns:
        0 for one picture, 1 for pictures that have nothing in common.
    """
    own = _averaged(left, _CELLS)
    return min(
        _apart(own, _averaged(np.roll(right, (down, across), axis=(0, 1)), _CELLS))
        for down in _SHIFTS
        for across in _SHIFTS
    )


def _apart(left: NDArray[np.float32], right: NDArray[np.float32]) -> float:
    shown = float((left**2).sum() + (right**2).sum()) + 1e-6
    return float(((left - right) ** 2).sum()) / shown


def _averaged(picture: Thumbnail, side: int) -> NDArray[np.float32]:
    each = _SIDE // side
    return np.asarray(picture.reshape(side, each, side, each, 3).mean((1, 3)))
