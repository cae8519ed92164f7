"""A photo of a product: camera, light, what lies behind and before it, and the file's quality."""

from io import BytesIO

import numpy as np
from PIL import Image, ImageChops, ImageFilter

from catalens.sample.backdrop import backdrop, light, strew


def _rotation(rng: np.random.Generator) -> list[list[float]]:
    """A turn of the camera: mostly upright, seen a little from the side and from above."""
    tilted = rng.random() < 0.18
    roll = np.radians(rng.uniform(-40, 40) if tilted else rng.normal(0, 6))
    yaw, pitch = np.radians(rng.uniform(-42, 42)), np.radians(rng.uniform(-25, 25))
    cr, sr = float(np.cos(roll)), float(np.sin(roll))
    cy, sy = float(np.cos(yaw)), float(np.sin(yaw))
    cp, sp = float(np.cos(pitch)), float(np.sin(pitch))
    # Columns x and y of Rz(roll) @ Rx(pitch) @ Ry(yaw): a flat product needs no third one.
    return [[cr * cy - sr * sp * sy, -sr * cp], [sr * cy + cr * sp * sy, cr * cp], [-cp * sy, sp]]


def _camera(
    rng: np.random.Generator, width: int, height: int, size: int
) -> tuple[list[float], float]:
    """Chooses an angle, a distance and a place in the frame.

    Returns:
        Pillow's eight perspective coefficients (from the photo back to the sprite), and the row
        of the photo where the product stands.
    """
    turn = _rotation(rng)
    longest, distance = max(width, height), rng.uniform(1.6, 3.5)
    # Homography from sprite pixels to a plane of unit focal length, row by row.
    rows = []
    for k in range(3):
        a, b = turn[k][0] / longest, turn[k][1] / longest
        shift = -(a * width + b * height) / 2 + (distance if k == 2 else 0.0)
        rows.append(np.array([a, b, shift]))
    corners = np.array([(0, 0, 1), (width, 0, 1), (width, height, 1), (0, height, 1)], float)
    depth = (corners * rows[2]).sum(1)
    x, y = (corners * rows[0]).sum(1) / depth, (corners * rows[1]).sum(1) / depth
    zoom = size * rng.uniform(0.52, 0.98) / max(np.ptp(x), np.ptp(y))
    spare_x, spare_y = size - zoom * np.ptp(x), size - zoom * np.ptp(y)
    left = spare_x * rng.uniform(0.1, 0.9) - zoom * x.min()
    top = spare_y * rng.uniform(0.15, 0.95) - zoom * y.min()
    first, second, third = zoom * rows[0] + left * rows[2], zoom * rows[1] + top * rows[2], rows[2]
    # The inverse by cross products: plain arithmetic, so equal on every machine.
    inverse = np.stack(
        [np.cross(second, third), np.cross(third, first), np.cross(first, second)], 1
    )
    inverse /= inverse[2, 2]
    return [float(v) for v in inverse.reshape(-1)[:8]], float(top + zoom * y.max())


def _shadow(rng: np.random.Generator, alpha: Image.Image, foot: float) -> Image.Image:
    """The shade a product throws on what is behind it: L, as large as `alpha`."""
    size = alpha.width
    small = alpha.reduce(4)
    dx, dy = rng.uniform(-0.06, 0.06) * small.width, rng.uniform(0.0, 0.05) * small.width
    if rng.random() < 0.5:  # lying on the floor: squashed towards the product's foot
        flat, slant, row = rng.uniform(2.5, 5), rng.uniform(-1.2, 1.2), foot / 4
        back = (1, slant, -slant * row - dx, 0, flat, row - flat * row)
    else:
        back = (1, 0, -dx, 0, 1, -dy)
    small = small.transform(small.size, Image.Transform.AFFINE, back, Image.Resampling.BILINEAR)
    small = small.filter(ImageFilter.GaussianBlur(small.width * rng.uniform(0.015, 0.05)))
    return small.resize((size, size), Image.Resampling.BILINEAR)


def photograph(sprite: Image.Image, size: int, rng: np.random.Generator) -> bytes:
    """Takes one photo of a product.

    Args:
        sprite: the product, premultiplied alpha (mode RGBa), cut to its outline.
        size: the photo's side in pixels.
        rng: decides angle, light, surroundings and quality.

    Returns:
        A JPEG file of size x size pixels.
    """
    photo = backdrop(rng, size)
    coefficients, foot = _camera(rng, sprite.width, sprite.height, size)
    seen = sprite.transform(
        (size, size), Image.Transform.PERSPECTIVE, coefficients, Image.Resampling.BILINEAR
    )
    outline = seen.getchannel("a")
    if rng.random() < 0.85:
        depth = rng.uniform(0.25, 0.6)
        photo.paste((0, 0, 0), mask=_shadow(rng, outline, foot).point(lambda v: v * depth))
    photo.paste(seen.convert("RGBA").convert("RGB"), mask=outline)
    if rng.random() < 0.15:
        strew(rng, photo, int(rng.integers(1, 4)))
    if rng.random() < 0.35:
        photo = photo.filter(ImageFilter.GaussianBlur(size / 320 * rng.uniform(0.4, 1.7)))
    field, strength = light(rng, size)
    photo = ImageChops.multiply(photo.point(lambda v: v * strength), field)
    if rng.random() < 0.7:
        spread = rng.uniform(0.02, 0.22)
        grain = Image.frombytes("RGB", photo.size, rng.bytes(3 * size * size))
        photo = ImageChops.add(
            photo, grain.point(lambda v: v * spread), offset=round(-127 * spread)
        )
    out = BytesIO()
    photo.save(out, "JPEG", quality=int(rng.integers(30, 94)))
    return out.getvalue()
