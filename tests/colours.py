"""A shop of plain colours: photos that even an untrained head can tell apart."""

import io

import numpy as np
from PIL import Image

COLOURS: dict[str, tuple[int, int, int]] = {
    "Cool/Blue": (30, 60, 200),
    "Cool/Green": (30, 160, 60),
    "Warm/Red": (200, 30, 40),
    "Warm/Yellow": (230, 210, 40),
}


def colour_photo(category: str, seed: int = 0, side: int = 64) -> bytes:
    """A JPEG in the category's colour with the seed's noise: no two photos are alike."""
    noise = np.random.default_rng(seed).normal(0, 12, (side, side, 3))
    pixels = np.clip(np.array(COLOURS[category]) + noise, 0, 255).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=90)
    return out.getvalue()
