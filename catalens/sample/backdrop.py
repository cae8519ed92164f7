"""What lies behind a product: a plain or blended colour, a room, cloth, wood, tiles or clutter."""

import colorsys

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from catalens.sample.pen import Colour

_KINDS = ("plain", "blend", "room", "cloth", "wood", "tiles", "lights", "clutter")
_CHANCES = (0.2, 0.13, 0.16, 0.12, 0.11, 0.08, 0.08, 0.12)
_COARSE = 32  # knots a side for what changes slowly over a photo


def _colour(rng: np.random.Generator) -> Colour:
    """Mostly pale or greyish, at times strong: what people photograph products on."""
    strong = rng.random() < 0.3
    s = rng.uniform(0.3, 0.75) if strong else rng.uniform(0.0, 0.25)
    v = rng.uniform(0.25, 0.85) if strong else rng.uniform(0.45, 0.99)
    red, green, blue = colorsys.hsv_to_rgb(rng.random(), s, v)
    return round(255 * red), round(255 * green), round(255 * blue)


def _spread(values: npt.ArrayLike, size: int) -> Image.Image:
    """Stretches an array of 0 to 255, [rows, columns] or [rows, columns, 3], over a photo."""
    image = Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))
    return image.resize((size, size), Image.Resampling.BILINEAR)


def _ramp(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """A ramp from 0 to 1 in any direction, float64 [32, 32, 1]."""
    angle = rng.uniform(0, 2 * np.pi)
    along = np.linspace(-0.5, 0.5, _COARSE)
    field = (along * np.cos(angle))[None, :] + (along * np.sin(angle))[:, None]
    field -= field.min()
    ramp: npt.NDArray[np.float64] = field[..., None] / field.max()
    return ramp


def _noise(rng: np.random.Generator, size: int, rows: int, columns: int) -> Image.Image:
    """Smooth noise of so many knots down and across."""
    return _spread(rng.integers(0, 256, (rows, columns), dtype=np.uint8), size)


def _textured(ground: Image.Image, grey: Image.Image, depth: float) -> Image.Image:
    """Darkens the ground by up to `depth` where the texture `grey` is dark."""
    table = [round(255 * (1 - depth * (1 - v / 255))) for v in range(256)]
    return ImageChops.multiply(ground, grey.point(table).convert("RGB"))


def _room(rng: np.random.Generator, size: int) -> Image.Image:
    line = int(size * rng.uniform(0.45, 0.8))
    column = np.empty((size, 1, 3))
    column[:] = _colour(rng)
    column[line:] = _colour(rng)
    fall = np.linspace(1.08, 0.9, size)
    fall[line:] = np.linspace(0.8, 1.1, size - line)
    return _spread(column * fall[:, None, None], size)


def _wood(rng: np.random.Generator, size: int) -> Image.Image:
    many = int(rng.integers(3, 9))
    boards = np.arange(size) * many // size
    tones = rng.uniform(0.85, 1.1, many)[boards]
    tones[1:][np.diff(boards) > 0] = 0.5
    base = np.array((rng.uniform(110, 215), rng.uniform(85, 165), rng.uniform(50, 125)))
    ground = _spread((base * tones[:, None])[:, None], size)
    ground = _textured(ground, _noise(rng, size, 60, 4), 0.14)
    ground = _textured(ground, _noise(rng, size, max(size // 3, 8), 8), 0.1)
    return ground if rng.random() < 0.6 else ground.transpose(Image.Transpose.TRANSPOSE)


def _tiles(rng: np.random.Generator, size: int) -> Image.Image:
    many = rng.uniform(3, 9)
    step, start = size / many, rng.random()
    ground = Image.new("RGB", (size, size), _colour(rng))
    draw = ImageDraw.Draw(ground)
    edges = [float((k - start) * step) for k in range(int(many) + 3)]
    if rng.random() < 0.3:
        second = _colour(rng)
        for k, y in enumerate(edges):
            for x in edges[k % 2 :: 2]:
                draw.rectangle((x, y, x + step, y + step), fill=second)
    joint = _colour(rng)
    for at in edges:
        draw.line((at, 0, at, size), fill=joint, width=max(1, size // 100))
        draw.line((0, at, size, at), fill=joint, width=max(1, size // 100))
    return ground


def strew(rng: np.random.Generator, ground: Image.Image, many: int) -> None:
    """Strews discs, cards and sticks over an image, in place."""
    draw = ImageDraw.Draw(ground)
    for _ in range(many):
        x, y = rng.uniform(0, ground.width, 2)
        r = ground.width * rng.uniform(0.04, 0.18)
        fill, shape, turn = _colour(rng), rng.integers(3), rng.uniform(0, 2 * np.pi)
        if shape == 0:
            draw.ellipse((x - r, y - r, x + r, y + r), fill=fill)
            continue
        angles = np.pi * np.array(
            (0.25, 0.75, 1.25, 1.75) if shape == 1 else (0.05, 0.95, 1.05, 1.95)
        )
        reach = r if shape == 1 else 2 * r
        corners = [
            (float(x + reach * np.cos(turn + a)), float(y + reach * np.sin(turn + a)))
            for a in angles
        ]
        draw.polygon(corners, fill=fill)


def backdrop(rng: np.random.Generator, size: int) -> Image.Image:
    """Returns a background drawn from `rng`: RGB, size x size pixels."""
    kind = str(rng.choice(_KINDS, p=_CHANCES))
    if kind == "room":
        return _room(rng, size)
    if kind == "wood":
        return _wood(rng, size)
    if kind == "tiles":
        return _tiles(rng, size)
    first = (250, 250, 250) if kind == "plain" and rng.random() < 0.4 else _colour(rng)
    if kind == "blend":
        second = np.array(_colour(rng))
        return _spread(first + _ramp(rng) * (second - first), size)
    ground = Image.new("RGB", (size, size), first)
    if kind == "cloth":
        fine = size // int(rng.integers(2, 6)) + 2
        ground = _textured(ground, _noise(rng, size, 6, 6), 0.25)
        return _textured(ground, _noise(rng, size, fine, fine), 0.2)
    if kind == "lights":
        small = Image.new("RGB", (max(size // 4, 8),) * 2, first)
        strew(rng, small, int(rng.integers(4, 11)))
        small = small.filter(ImageFilter.GaussianBlur(small.width * 0.03))
        return small.resize((size, size), Image.Resampling.BILINEAR)
    if kind == "clutter":
        strew(rng, ground, int(rng.integers(4, 11)))
    return ground


def light(rng: np.random.Generator, size: int) -> tuple[Image.Image, float]:
    """Draws the light that falls on a scene.

    Returns:
        How much of it reaches each pixel in each colour (RGB, 255 is all of it), and how strong
        the whole is: a factor round 1.
    """
    field = 1 - rng.uniform(0.0, 0.4) * _ramp(rng)
    if rng.random() < 0.3:
        across = np.linspace(-1, 1, _COARSE) ** 2
        field -= rng.uniform(0.05, 0.2) * (across[None, :] + across[:, None])[..., None]
    cast = rng.uniform(0.0, 0.22, 3) if rng.random() < 0.6 else np.zeros(3)
    return _spread(255 * field * (1 - cast), size), float(rng.uniform(0.92, 1.45))
