"""Furniture: lamp, chair and stool."""

import numpy as np

from catalens.sample.look import Look
from catalens.sample.pen import Pen, Point, arc, darker, lighter, mix, smooth


def lamp(pen: Pen, look: Look, rng: np.random.Generator) -> None:
    """Draws a table lamp: a shade over a stem or a bulbous body."""
    top, rim = rng.uniform(0.1, 0.18), rng.uniform(0.42, 0.5)
    wide = rng.uniform(0.22, 0.3)
    narrow = wide * rng.uniform(0.45, 0.85)
    foot = rng.uniform(0.12, 0.18)
    if rng.random() < 0.5:
        pen.box(0.485, rim - 0.04, 0.515, 0.86, look.second, 0, "tube", True)
        pen.oval(0.5, rng.uniform(0.55, 0.75), 0.03, 0.03, look.accent, "down")
    else:
        belly = rng.uniform(0.09, 0.15)
        right = smooth(
            [(0.025, rim), (0.03, 0.55), (belly, 0.66), (belly * 0.8, 0.8), (0.06, 0.86)],
            closed=False,
        )
        body = [(0.5 + w, y) for w, y in right] + [(0.5 - w, y) for w, y in right[::-1]]
        pen.fill(body, look.second, "tube", across=True)
    pen.box(0.5 - foot, 0.85, 0.5 + foot, 0.89, look.second, 0.02, "tube", True)
    pen.oval(0.5, 0.852, foot * 0.98, 0.018, lighter(look.second, 0.15))
    glow = mix(look.main, (255, 244, 200), 0.25 if rng.random() < 0.5 else 0.0)
    pen.oval(0.5, rim, wide, 0.035, darker(glow, 0.4))
    shade = [(0.5 - narrow, top), (0.5 + narrow, top), (0.5 + wide, rim)]
    shade += [*arc(0.5, rim, wide, 0.035, 0, 180), (0.5 - wide, rim)]
    pen.fill(shade, glow, "tube", across=True)
    pen.oval(0.5, top, narrow, 0.016, lighter(glow, 0.25))
    style = rng.random()
    if style < 0.3:
        for k in np.linspace(-0.85, 0.85, 11):
            ends = [(0.5 + narrow * k, top + 0.01), (0.5 + wide * k, rim + 0.02)]
            pen.line([(float(x), float(y)) for x, y in ends], darker(glow, 0.15), 0.004)
    elif style < 0.6:
        pen.box(0.5 - wide, rim - 0.03, 0.5 + wide, rim, look.accent, opacity=0.9)
    look.decal(pen, 0.5 - narrow * 0.7, top + 0.08, 0.5 + narrow * 0.7, rim - 0.06)
    if rng.random() < 0.4:
        pen.line([(0.5 + wide * 0.5, rim + 0.02), (0.5 + wide * 0.5, rim + 0.1)], look.metal, 0.005)
        pen.oval(0.5 + wide * 0.5, rim + 0.11, 0.012, 0.012, look.metal)


def _seat(
    pen: Pen, look: Look, y: float, half: float, deep: float, round_seat: bool
) -> list[Point]:
    """Draws a seat seen from slightly above; returns where its legs begin, the far ones first."""
    skew = half * 0.22
    if round_seat:
        pen.oval(0.5, y + 0.03, half, deep * 0.55, darker(look.main, 0.35))
        pen.oval(0.5, y, half, deep * 0.55, look.main, "down")
    else:
        far, near = y - deep / 2, y + deep / 2
        corners = [(0.5 - half + skew, far), (0.5 + half - skew, far)]
        corners += [(0.5 + half, near), (0.5 - half, near)]
        pen.fill([(x, v + 0.03) for x, v in corners], darker(look.main, 0.35))
        pen.fill(corners, look.main, "down")
    inner = half * 0.8 - skew * 0.5
    back = [(0.5 - inner * 0.8, y - deep * 0.2), (0.5 + inner * 0.8, y - deep * 0.2)]
    return [*back, (0.5 - half * 0.86, y + deep * 0.4), (0.5 + half * 0.86, y + deep * 0.4)]


def _legs(
    pen: Pen, look: Look, y: float, half: float, deep: float, rng: np.random.Generator
) -> None:
    thick, splay = rng.uniform(0.016, 0.032), rng.uniform(0.0, 0.06)
    wood = look.second if rng.random() < 0.7 else look.metal
    back, front = 0.83, 0.92
    for sign in (-1, 1):
        x = 0.5 + sign * half * 0.62
        pen.line([(x, y), (x + sign * splay * 0.6, back)], darker(wood, 0.3), thick * 0.85)
    for sign in (-1, 1):
        x = 0.5 + sign * half * 0.86
        pen.line([(x, y + deep * 0.3), (x + sign * splay, front)], wood, thick)
    if rng.random() < 0.6:
        bar = rng.uniform(0.74, 0.82)
        share = (bar - y) / (front - y)
        reach = half * 0.86 + splay * share
        pen.line([(0.5 - reach, bar), (0.5 + reach, bar)], wood, thick * 0.7)


def chair(pen: Pen, look: Look, rng: np.random.Generator) -> None:
    """Draws a chair: seat, four legs and a backrest of slats, a panel or a ladder."""
    half, deep = rng.uniform(0.19, 0.23), rng.uniform(0.11, 0.15)
    y, top = rng.uniform(0.54, 0.6), rng.uniform(0.1, 0.18)
    _legs(pen, look, y, half, deep, rng)
    wide = half * rng.uniform(0.76, 0.92)
    wood = look.second if rng.random() < 0.5 else darker(look.main, 0.12)
    foot = y - deep * 0.35
    style = str(rng.choice(["slats", "panel", "ladder"]))
    if style == "panel":
        pen.box(0.5 - wide, top, 0.5 + wide, foot - 0.05, look.main, 0.05, "down")
        look.decal(pen, 0.5 - wide * 0.6, top + 0.07, 0.5 + wide * 0.6, foot - 0.12)
    else:
        pen.box(0.5 - wide, top, 0.5 + wide, top + 0.06, wood, 0.02, "down")
        many = int(rng.integers(3, 6))
        for k in range(many):
            if style == "slats":
                x = 0.5 - wide + 2 * wide * (k + 1) / (many + 1)
                pen.line([(x, top + 0.05), (x, foot)], wood, 0.018)
            else:
                v = top + (foot - top) * (k + 1) / (many + 1)
                pen.box(0.5 - wide, v, 0.5 + wide, v + 0.035, wood, 0.012, "down")
    for sign in (-1, 1):
        x = 0.5 + sign * wide * 0.97
        pen.line([(x, top + 0.01), (x, foot + 0.02)], darker(wood, 0.12), 0.028)
    _seat(pen, look, y, half, deep, round_seat=bool(rng.random() < 0.25))


def stool(pen: Pen, look: Look, rng: np.random.Generator) -> None:
    """Draws a stool: a seat on four legs or on one column, without a backrest."""
    half, deep = rng.uniform(0.16, 0.22), rng.uniform(0.09, 0.14)
    y = rng.uniform(0.3, 0.48)
    if rng.random() < 0.3:
        pen.oval(0.5, 0.9, half * 0.9, 0.045, darker(look.second, 0.3))
        pen.oval(0.5, 0.885, half * 0.9, 0.042, look.second, "down")
        pen.box(0.478, y, 0.522, 0.885, look.metal, 0.0, "tube", True)
        pen.line(arc(0.5, 0.72, half * 0.6, 0.035, 0, 360), look.metal, 0.014)
    else:
        _legs(pen, look, y, half, deep, rng)
    _seat(pen, look, y, half, deep, round_seat=bool(rng.random() < 0.65))
    look.decal(pen, 0.5 - half * 0.4, y - deep * 0.3, 0.5 + half * 0.4, y + deep * 0.3)
