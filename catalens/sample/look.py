"""A product's look: its colours and the decal by which its photos can be told from others'."""

import colorsys
from dataclasses import dataclass

import numpy as np

from catalens.sample.pen import Colour, Pen, darker, lighter, mix

# Colour names as a shop writes them, with hue, saturation and value.
COLOURS: dict[str, tuple[float, float, float]] = {
    "Red": (0.99, 0.82, 0.80),
    "Orange": (0.07, 0.85, 0.92),
    "Yellow": (0.13, 0.82, 0.93),
    "Olive": (0.18, 0.55, 0.52),
    "Green": (0.36, 0.66, 0.58),
    "Mint": (0.43, 0.36, 0.84),
    "Turquoise": (0.49, 0.68, 0.74),
    "Blue": (0.58, 0.76, 0.78),
    "Navy": (0.63, 0.66, 0.40),
    "Purple": (0.76, 0.52, 0.62),
    "Pink": (0.92, 0.46, 0.90),
    "Brown": (0.06, 0.58, 0.46),
    "Beige": (0.10, 0.24, 0.82),
    "White": (0.12, 0.04, 0.93),
    "Grey": (0.60, 0.06, 0.56),
    "Black": (0.62, 0.14, 0.20),
}
_MARKS = ("stripe", "stripes", "disc", "ring", "dots", "diamond", "zigzag", "word", "word", "none")


@dataclass(frozen=True)
class Look:
    """What one product looks like, besides its proportions.

    Attributes:
        main: the colour its name tells.
        second: the colour of its smaller parts.
        accent: the colour of its decal.
        dark: the colour of rubber, seams and other dark parts.
        metal: the colour of its bare metal.
        mark: the decal's kind.
        word: the word printed on it, its brand.
    """

    main: Colour
    second: Colour
    accent: Colour
    dark: Colour
    metal: Colour
    mark: str
    word: str

    def decal(self, pen: Pen, left: float, top: float, right: float, bottom: float) -> None:
        """Draws the product's decal inside a box."""
        cx, cy = (left + right) / 2, (top + bottom) / 2
        w, h = right - left, bottom - top
        r = min(w, h) / 2
        if self.mark == "stripe":
            pen.box(left, cy - h * 0.16, right, cy + h * 0.16, self.accent, opacity=0.95)
        elif self.mark == "stripes":
            for k in (-0.3, 0.0, 0.3):
                x = cx + k * w
                slant = [(x, top), (x + w * 0.12, top), (x, bottom), (x - w * 0.12, bottom)]
                pen.fill(slant, self.accent, opacity=0.95)
        elif self.mark in ("disc", "ring"):
            pen.oval(cx, cy, r * 0.9, r * 0.9, self.accent, opacity=0.95)
            if self.mark == "ring":
                pen.oval(cx, cy, r * 0.55, r * 0.55, self.second, opacity=0.95)
        elif self.mark == "dots":
            for k in range(6):
                x, y = left + w * (k % 3 + 0.5) / 3, top + h * (k // 3 + 0.5) / 2
                pen.oval(x, y, r * 0.26, r * 0.26, self.accent, opacity=0.95)
        elif self.mark == "diamond":
            corners = [(cx, cy - r), (cx + r, cy), (cx, cy + r), (cx - r, cy)]
            pen.fill(corners, self.accent, opacity=0.95)
        elif self.mark == "zigzag":
            xs = np.linspace(left, right, 9)
            up = [(float(x), cy + h * (0.12 if k % 2 else -0.28)) for k, x in enumerate(xs)]
            pen.fill([*up, *[(x, y + h * 0.2) for x, y in up[::-1]]], self.accent, opacity=0.95)
        elif self.mark == "word":
            pen.text(self.word, cx, cy, min(h * 0.7, 1.7 * w / len(self.word)), self.accent)


def _shade_of(name: str, rng: np.random.Generator) -> Colour:
    h, s, v = COLOURS[name]
    h = (h + rng.uniform(-0.015, 0.015)) % 1
    s = min(1.0, s * rng.uniform(0.85, 1.15))
    v = min(1.0, v * rng.uniform(0.9, 1.08))
    red, green, blue = colorsys.hsv_to_rgb(h, s, v)
    return round(255 * red), round(255 * green), round(255 * blue)


def make_look(colour: str, word: str, rng: np.random.Generator) -> Look:
    """Returns a look of the main colour `colour`, one of `COLOURS`; `rng` draws the rest."""
    main = _shade_of(colour, rng)
    second = _shade_of(str(rng.choice(list(COLOURS))), rng)
    if sum(abs(a - b) for a, b in zip(main, second, strict=True)) < 120:
        second = lighter(second, 0.55) if sum(main) < 380 else darker(second, 0.5)
    accent = _shade_of(str(rng.choice(list(COLOURS))), rng)
    if sum(abs(a - b) for a, b in zip(main, accent, strict=True)) < 160:
        accent = (245, 243, 238) if sum(main) < 380 else (38, 38, 44)
    tint = mix(main, (30, 30, 34), float(rng.uniform(0.72, 1.0)))
    grey = int(rng.integers(150, 205))
    return Look(
        main=main,
        second=second,
        accent=accent,
        dark=tint if sum(tint) < 230 else darker(tint, 0.4),
        metal=mix((grey, grey, grey + 6), second, float(rng.uniform(0, 0.25))),
        mark=str(rng.choice(_MARKS)),
        word=word,
    )
