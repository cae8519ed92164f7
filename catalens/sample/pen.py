"""A pen that draws a product in unit coordinates: x to the right, y down, both in [0, 1]."""

from collections.abc import Iterable, Sequence

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFont

Colour = tuple[int, int, int]
Point = tuple[float, float]

# How bright a surface is across its width or height: a light comes from above and from the left.
_PROFILES = {
    "flat": np.array([1.0, 1.0]),
    "down": np.array([1.16, 1.0, 0.8]),
    "tube": np.array([0.72, 1.05, 1.24, 1.08, 0.95, 0.8, 0.6]),
    "soft": np.array([0.9, 1.08, 1.08, 1.0, 0.92, 0.8]),
}


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """Returns the colour that lies `share` of the way from `first` to `second`."""
    return (
        round(first[0] + (second[0] - first[0]) * share),
        round(first[1] + (second[1] - first[1]) * share),
        round(first[2] + (second[2] - first[2]) * share),
    )


def darker(colour: Colour, share: float = 0.3) -> Colour:
    """Returns the colour mixed with black."""
    return mix(colour, (0, 0, 0), share)


def lighter(colour: Colour, share: float = 0.3) -> Colour:
    """Returns the colour mixed with white."""
    return mix(colour, (255, 255, 255), share)


def smooth(points: Sequence[Point], closed: bool = True, steps: int = 8) -> list[Point]:
    """Returns a Catmull-Rom curve through the points, `steps` points from each to the next."""
    knots = np.asarray(points, float)
    if closed:
        knots = np.concatenate([knots[-1:], knots, knots[:2]])
    else:
        knots = np.concatenate([knots[:1], knots, knots[-1:]])
    t = np.linspace(0, 1, steps, endpoint=False)[None, :, None]
    a, b, c, d = (knots[i : len(knots) - 3 + i, None] for i in range(4))
    curve = 0.5 * (
        2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3
    )
    out = [(float(x), float(y)) for x, y in curve.reshape(-1, 2)]
    return out if closed else [*out, points[-1]]


def arc(cx: float, cy: float, rx: float, ry: float, start: float, end: float) -> list[Point]:
    """Returns 25 points of an ellipse's arc, from `start` to `end` degrees, clockwise from east."""
    angles = np.radians(np.linspace(start, end, 25))
    return [(cx + rx * float(np.cos(a)), cy + ry * float(np.sin(a))) for a in angles]


class Pen:
    """Draws opaque shapes on a transparent square.

    Args:
        side: the sprite's side in pixels; shapes are drawn twice as large and then reduced.
        mirror: draw everything the other way round, but for words and the fall of the light.
    """

    def __init__(self, side: int, mirror: bool = False) -> None:
        self._scale = 2 * side
        self._mirror = mirror
        self._image = Image.new("RGBA", (2 * side, 2 * side))
        self._draw = ImageDraw.Draw(self._image)

    def sprite(self) -> Image.Image:
        """Returns what was drawn, with premultiplied alpha (mode RGBa), cut to its outline."""
        # Every pixel is either opaque or zero in all channels, so it is premultiplied already.
        drawn = Image.frombytes("RGBa", self._image.size, self._image.tobytes())
        half = drawn.reduce(2)
        return half.crop(half.getbbox())

    def _pixels(self, points: Iterable[Point]) -> list[Point]:
        if self._mirror:
            return [((1 - x) * self._scale, y * self._scale) for x, y in points]
        return [(x * self._scale, y * self._scale) for x, y in points]

    def fill(
        self,
        points: Iterable[Point],
        colour: Colour,
        shade: str = "flat",
        across: bool = False,
        opacity: float = 1.0,
    ) -> None:
        """Fills a polygon.

        Args:
            points: its corners.
            colour: its colour before shading.
            shade: how bright it is from one side to the other: `flat`, `down`, `tube` or `soft`.
            across: shade from left to right instead of from top to bottom.
            opacity: below 1 it colours only what is already drawn, as a decal or a gleam does.
        """
        corners = self._pixels(points)
        if shade == "flat" and opacity == 1:
            self._draw.polygon(corners, fill=(*colour, 255))
            return
        xs, ys = [x for x, _ in corners], [y for _, y in corners]
        left, top = max(0, int(min(xs))), max(0, int(min(ys)))
        right = min(self._scale, int(max(xs)) + 2)
        bottom = min(self._scale, int(max(ys)) + 2)
        if right <= left or bottom <= top:
            return
        mask = Image.new("L", (right - left, bottom - top))
        ImageDraw.Draw(mask).polygon(
            [(x - left, y - top) for x, y in corners], fill=round(255 * opacity)
        )
        if opacity < 1:
            drawn = self._image.crop((left, top, right, bottom)).getchannel("A")
            mask = ImageChops.multiply(mask, drawn)
        profile = _PROFILES[shade]
        bright = np.interp(np.linspace(0, 1, 256), np.linspace(0, 1, len(profile)), profile)
        ramp = np.full((256, 4), 255, np.uint8)
        ramp[:, :3] = np.clip(np.array(colour) * bright[:, None], 0, 255)
        strip = Image.fromarray(ramp[None] if across else ramp[:, None])
        self._image.paste(strip.resize(mask.size, Image.Resampling.NEAREST), (left, top), mask)

    def box(
        self,
        left: float,
        top: float,
        right: float,
        bottom: float,
        colour: Colour,
        radius: float = 0.0,
        shade: str = "flat",
        across: bool = False,
        opacity: float = 1.0,
    ) -> None:
        """Fills a rectangle with round corners; the rest as in `fill`."""
        r = max(0.0, min(radius, (right - left) / 2, (bottom - top) / 2))
        if r == 0:
            points = [(left, top), (right, top), (right, bottom), (left, bottom)]
        else:
            points = [
                *arc(left + r, top + r, r, r, 180, 270),
                *arc(right - r, top + r, r, r, 270, 360),
                *arc(right - r, bottom - r, r, r, 0, 90),
                *arc(left + r, bottom - r, r, r, 90, 180),
            ]
        self.fill(points, colour, shade, across, opacity)

    def oval(
        self,
        cx: float,
        cy: float,
        rx: float,
        ry: float,
        colour: Colour,
        shade: str = "flat",
        across: bool = False,
        opacity: float = 1.0,
    ) -> None:
        """Fills an ellipse; the rest as in `fill`."""
        angles = np.linspace(0, 2 * np.pi, 60, endpoint=False)
        points = [(cx + rx * float(np.cos(a)), cy + ry * float(np.sin(a))) for a in angles]
        self.fill(points, colour, shade, across, opacity)

    def line(self, points: Sequence[Point], colour: Colour, width: float) -> None:
        """Draws a line with round joints and ends."""
        path = self._pixels(points)
        thick = max(1, round(width * self._scale))
        self._draw.line(path, fill=(*colour, 255), width=thick, joint="curve")
        if thick > 3:
            r = thick / 2 - 0.5
            for x, y in (path[0], path[-1]):
                self._draw.ellipse((x - r, y - r, x + r, y + r), fill=(*colour, 255))

    def text(self, words: str, cx: float, cy: float, height: float, colour: Colour) -> None:
        """Writes words round the point (cx, cy)."""
        font = ImageFont.load_default(max(8, height * self._scale))
        self._draw.text(
            self._pixels([(cx, cy)])[0], words, fill=(*colour, 255), font=font, anchor="mm"
        )
