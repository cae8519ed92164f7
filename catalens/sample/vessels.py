"""Vessels: mug, teapot, bottle, can and jar."""

import numpy as np

from catalens.sample.look import Look
from catalens.sample.pen import Colour, Pen, Point, arc, darker, lighter, mix, smooth


def _turned(outline: list[Point], cx: float = 0.5) -> list[Point]:
    """Mirrors a right-hand outline (half-width, y), from top to bottom, into a closed one."""
    right = [(cx + half, y) for half, y in outline]
    return [*right, *[(cx - half, y) for half, y in outline[::-1]]]


def _band(
    pen: Pen, half: float, top: float, bottom: float, bend: float, colour: Colour, opacity: float
) -> None:
    """Lays a label round a cylinder seen slightly from above."""
    edge = arc(0.5, top, half, bend, 180, 0) + arc(0.5, bottom, half, bend, 0, 180)
    pen.fill(edge, colour, "tube", across=True, opacity=opacity)


def mug(pen: Pen, look: Look, rng: np.random.Generator) -> None:
    """Draws a mug: straight or tapered, with a handle on the right."""
    top, bottom = rng.uniform(0.2, 0.32), 0.8
    half = rng.uniform(0.2, 0.26)
    foot = half * rng.uniform(0.68, 1.02)
    bend = rng.uniform(0.03, 0.055)
    belly = rng.uniform(0.97, 1.1)
    cx = 0.43
    h = bottom - top
    handle = look.second if rng.random() < 0.35 else look.main
    reach, thick = rng.uniform(0.13, 0.18), rng.uniform(0.032, 0.048)
    loop = arc(cx + half * 0.93, top + h * 0.45, reach, h * rng.uniform(0.24, 0.33), -100, 100)
    pen.line(loop, darker(handle, 0.22), thick)
    pen.line([(x - 0.003, y - 0.004) for x, y in loop], handle, thick * 0.7)
    mid = (half + foot) / 2 * belly
    side = [(cx + half, top), (cx + mid, top + h * 0.5), (cx + foot, bottom - 0.03)]
    side += [(cx + foot * 0.93, bottom)]
    left = [(2 * cx - x, y) for x, y in side[::-1]]
    curve = smooth(side, closed=False) + smooth(left, closed=False)
    pen.fill(curve, look.main, "tube", across=True)
    pen.fill(
        arc(cx, bottom, foot * 0.93, bend * 0.6, 0, 180), darker(look.main, 0.15), "tube", True
    )
    if rng.random() < 0.3:
        pen.box(cx - half, top + h * 0.72, cx + half, top + h * 0.86, look.second, opacity=0.9)
    look.decal(pen, cx - half * 0.65, top + h * 0.25, cx + half * 0.65, top + h * 0.72)
    pen.oval(cx, top, half, bend, lighter(look.main, 0.25))
    inside = look.second if rng.random() < 0.5 else (240, 238, 232)
    pen.oval(cx, top + 0.003, half * 0.93, bend * 0.82, darker(inside, 0.25), "down")
    if rng.random() < 0.4:
        pen.oval(cx, top + bend * 0.3, half * 0.8, bend * 0.5, (74, 44, 26))


def teapot(pen: Pen, look: Look, rng: np.random.Generator) -> None:
    """Draws a teapot: round belly, spout on the left, handle on the right, lid with a knob."""
    cy, ry = 0.56, rng.uniform(0.18, 0.23)
    rx = rng.uniform(0.21, 0.26)
    neck = rx * rng.uniform(0.42, 0.6)
    squat = rng.uniform(0.2, 0.5)
    handle = look.second if rng.random() < 0.4 else look.main
    if rng.random() < 0.25:
        loop = arc(0.5, cy - ry * 0.6, rx * 0.95, ry * 1.15, 185, 355)
    else:
        loop = arc(0.5 + rx * 0.92, cy - ry * 0.1, rng.uniform(0.13, 0.17), ry * 0.75, -110, 110)
    pen.line(loop, darker(handle, 0.25), 0.036)
    pen.line([(x, y - 0.005) for x, y in loop], handle, 0.024)
    tip = rng.uniform(0.1, 0.15)
    spout = [(0.5 - rx * 0.8, cy - 0.04), (0.5 - rx - 0.05, cy - 0.04), (tip + 0.03, cy - ry * 0.9)]
    spout += [(tip - 0.03, cy - ry * 0.86), (tip + 0.01, cy), (0.5 - rx * 0.75, cy + ry * 0.6)]
    pen.fill(smooth(spout), darker(look.main, 0.1), "down")
    body = [(neck, cy - ry), (rx * 0.85, cy - ry * squat), (rx, cy + ry * 0.15)]
    body += [(rx * 0.82, cy + ry * 0.75), (rx * 0.5, cy + ry)]
    right = smooth(body, closed=False)
    pen.fill(_turned(right), look.main, "tube", across=True)
    pen.box(0.5 - rx * 0.52, cy + ry - 0.012, 0.5 + rx * 0.52, cy + ry + 0.02, look.second, 0.01)
    if rng.random() < 0.4:
        pen.box(0.5 - rx, cy + ry * 0.3, 0.5 + rx, cy + ry * 0.5, look.second, opacity=0.9)
    look.decal(pen, 0.5 - rx * 0.55, cy - ry * 0.5, 0.5 + rx * 0.55, cy + ry * 0.4)
    lid = look.second if rng.random() < 0.4 else lighter(look.main, 0.1)
    pen.fill(arc(0.5, cy - ry, neck * 1.08, rng.uniform(0.05, 0.1), 180, 360), lid, "tube", True)
    pen.box(
        0.5 - neck * 1.1, cy - ry - 0.006, 0.5 + neck * 1.1, cy - ry + 0.012, darker(lid), 0.006
    )
    pen.oval(0.5, cy - ry - 0.09, 0.026, 0.026, look.accent, "down")


def bottle(pen: Pen, look: Look, rng: np.random.Generator) -> None:
    """Draws a drinks bottle: slim neck, cap, label."""
    half = rng.uniform(0.105, 0.135)
    neck = rng.uniform(0.036, 0.05)
    shoulder = rng.uniform(0.36, 0.46)
    length = rng.uniform(0.06, 0.12)
    glass = mix(look.main, (225, 235, 235), rng.uniform(0, 0.45))
    waist = rng.uniform(0.9, 1.0)
    side = [(neck, 0.09), (neck, shoulder - 0.18 + length * 0.4), (half * 0.8, shoulder - 0.05)]
    side += [(half, shoulder + 0.02), (half * waist, 0.66), (half, 0.86), (half * 0.93, 0.93)]
    pen.fill(_turned(smooth(side, closed=False)), glass, "tube", across=True)
    top, bottom = shoulder + rng.uniform(0.03, 0.08), rng.uniform(0.74, 0.84)
    _band(pen, half, top, bottom, 0.012, look.second, 0.97)
    if rng.random() < 0.4:
        pen.box(0.5 - half, top + 0.02, 0.5 + half, top + 0.05, look.accent, opacity=0.9)
    look.decal(pen, 0.5 - half * 0.8, top + 0.06, 0.5 + half * 0.8, bottom - 0.04)
    cap = rng.uniform(0.05, 0.08)
    pen.box(0.5 - neck * 1.2, 0.06, 0.5 + neck * 1.2, 0.06 + cap, look.accent, 0.01, "tube", True)
    pen.box(
        0.5 - half * 0.72,
        shoulder + 0.01,
        0.5 - half * 0.56,
        0.9,
        (255, 255, 255),
        0.02,
        opacity=0.4,
    )


def can(pen: Pen, look: Look, rng: np.random.Generator) -> None:
    """Draws a drinks can: a printed cylinder with narrowed metal ends."""
    half = rng.uniform(0.15, 0.23)
    top, bottom = rng.uniform(0.16, 0.22), rng.uniform(0.8, 0.86)
    bend = half * rng.uniform(0.12, 0.2)
    lip = half * rng.uniform(0.8, 0.88)
    metal = lighter(look.metal, 0.25)
    side = [(lip, top), (half, top + 0.055), (half, bottom - 0.04), (lip, bottom)]
    pen.fill(_turned(side), metal, "tube", across=True)
    pen.fill(arc(0.5, bottom, lip, bend * 0.8, 0, 180), darker(metal, 0.2), "tube", True)
    _band(pen, half, top + 0.055, bottom - 0.04, bend, look.main, 0.99)
    style = rng.random()
    if style < 0.35:
        _band(pen, half, bottom - 0.2, bottom - 0.08, bend, look.second, 0.97)
    elif style < 0.65:
        cut = [(0.5 - half, 0.5), (0.5 + half, 0.34), (0.5 + half, 0.5), (0.5 - half, 0.68)]
        pen.fill(cut, look.second, "tube", True, opacity=0.95)
    look.decal(pen, 0.5 - half * 0.75, top + 0.16, 0.5 + half * 0.75, bottom - 0.2)
    pen.oval(0.5, top, lip, bend, lighter(metal, 0.35))
    pen.oval(0.5, top + 0.003, lip * 0.9, bend * 0.8, darker(metal, 0.12), "down")
    pen.oval(0.5, top + bend * 0.25, lip * 0.3, bend * 0.35, look.metal)
    pen.oval(0.5, top + bend * 0.4, lip * 0.14, bend * 0.15, darker(metal, 0.5))


def jar(pen: Pen, look: Look, rng: np.random.Generator) -> None:
    """Draws a preserving jar: a wide glass with its content, a label and a screw lid."""
    half = rng.uniform(0.2, 0.27)
    top = rng.uniform(0.28, 0.38)
    mouth = half * rng.uniform(0.74, 0.9)
    glass = mix(look.main, (232, 240, 240), 0.62)
    side = [(mouth, top - 0.02), (mouth, top), (half, top + 0.07), (half, 0.74), (half * 0.9, 0.84)]
    pen.fill(_turned(smooth(side, closed=False)), glass, "soft", across=True)
    level = top + rng.uniform(0.03, 0.1)
    inner = [
        (half * 0.9, level),
        (half * 0.93, top + 0.1),
        (half * 0.93, 0.74),
        (half * 0.84, 0.82),
    ]
    pen.fill(_turned(inner), look.main, "tube", across=True)
    pen.oval(0.5, level, half * 0.9, 0.014, lighter(look.main, 0.2))
    if rng.random() < 0.5:
        for _ in range(14):
            x, y = 0.5 + rng.uniform(-0.75, 0.75) * half, rng.uniform(level + 0.04, 0.79)
            pen.oval(x, y, 0.02, 0.018, darker(look.main, 0.25), opacity=0.8)
    if rng.random() < 0.5:
        pen.oval(0.5, 0.6, half * 0.62, 0.12, look.second, opacity=0.98)
    else:
        _band(pen, half * 0.99, 0.5, 0.7, 0.012, look.second, 0.98)
    look.decal(pen, 0.5 - half * 0.48, 0.52, 0.5 + half * 0.48, 0.69)
    tall = rng.uniform(0.07, 0.11)
    lid = look.accent
    pen.box(
        0.5 - mouth * 1.08, top - tall, 0.5 + mouth * 1.08, top - 0.005, lid, 0.014, "tube", True
    )
    pen.oval(0.5, top - tall + 0.006, mouth * 1.06, 0.018, lighter(lid, 0.2))
    for x in np.linspace(-0.95, 0.95, 13):
        at = 0.5 + mouth * float(x)
        pen.line([(at, top - tall + 0.03), (at, top - 0.014)], darker(lid, 0.2), 0.004)
    pen.box(
        0.5 - half * 0.84, top + 0.08, 0.5 - half * 0.74, 0.76, (255, 255, 255), 0.02, opacity=0.45
    )
