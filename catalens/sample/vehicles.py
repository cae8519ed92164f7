"""Vehicles from the side, facing right: truck, van, car and bike."""

from math import cos, radians, sin

import numpy as np

from catalens.sample.look import Look
from catalens.sample.pen import Pen, arc, darker, lighter, mix, smooth

_GLASS = (158, 190, 206)
_TYRE = (34, 34, 38)


def _wheel(pen: Pen, look: Look, x: float, y: float, r: float, spokes: int) -> None:
    pen.oval(x, y, r, r, _TYRE)
    pen.oval(x, y, r * 0.66, r * 0.66, look.metal, "down")
    for k in range(spokes):
        a = radians(360 * k / spokes + 20)
        tip = (x + r * 0.6 * cos(a), y + r * 0.6 * sin(a))
        pen.line([(x, y), tip], darker(look.metal, 0.45), r * 0.12)
    pen.oval(x, y, r * 0.2, r * 0.2, darker(look.metal, 0.35))


def truck(pen: Pen, look: Look, rng: np.random.Generator) -> None:
    """Draws a lorry: a cab before a box, a ribbed container or a tank."""
    r = rng.uniform(0.062, 0.078)
    split = rng.uniform(0.64, 0.72)
    top, floor, ground = rng.uniform(0.24, 0.36), 0.685, 0.76
    cab_top = rng.uniform(max(top, 0.30), 0.42)
    spokes = int(rng.integers(5, 9))
    pen.box(0.05, floor - 0.01, 0.95, floor + 0.045, look.dark)
    cargo = str(rng.choice(["box", "ribbed", "tank"], p=[0.5, 0.3, 0.2]))
    load = look.main if rng.random() < 0.5 else look.second
    if cargo == "tank":
        pen.box(0.03, top + 0.05, split, floor, load, 0.12, "tube")
        for x in np.linspace(0.12, split - 0.08, 4):
            pen.box(x, top + 0.05, x + 0.008, floor, darker(load, 0.3), opacity=0.8)
    else:
        pen.box(0.03, top, split, floor, load, 0.012, "down")
        pen.box(0.03, floor - 0.02, split, floor, darker(load, 0.35))
        pen.box(0.03, top, split, top + 0.014, darker(load, 0.25))
    if cargo == "ribbed":
        for x in np.linspace(0.06, split - 0.03, 14):
            pen.box(x, top + 0.03, x + 0.014, floor - 0.03, darker(load, 0.16), opacity=0.9)
    look.decal(pen, 0.12, top + 0.11, split - 0.09, floor - 0.09)
    x0, x1 = split + 0.018, rng.uniform(0.94, 0.965)
    w = x1 - x0
    nose = rng.uniform(0.55, 0.95)
    cab = [(x0, cab_top), (x0 + w * nose * 0.8, cab_top), (x0 + w * nose, cab_top + 0.03)]
    cab += [(x1 - 0.006, 0.545), (x1, 0.58), (x1, floor + 0.04), (x0, floor + 0.04)]
    pen.fill(cab, look.main, "down")
    if rng.random() < 0.4:
        pen.fill([(x0, cab_top), (x0, top), (x0 + w * 0.5, cab_top)], look.main, "down")
    glass = [(x0 + w * 0.32, cab_top + 0.035), (x0 + w * nose * 0.84, cab_top + 0.035)]
    glass += [(x0 + w * (0.3 + nose * 0.66), 0.53), (x0 + w * 0.32, 0.53)]
    pen.fill(glass, _GLASS, "down")
    pen.line([(x0 + w * 0.25, cab_top + 0.03), (x0 + w * 0.25, 0.68)], darker(look.main), 0.005)
    pen.box(x0 + w * 0.3, 0.57, x0 + w * 0.45, 0.583, look.dark, 0.005)
    pen.box(x1 - 0.03, 0.60, x1 + 0.004, 0.632, (250, 236, 170), 0.008)
    pen.box(x1 - 0.06, floor + 0.01, x1 + 0.012, floor + 0.045, look.metal, 0.008, "down")
    rear = [0.14, 0.14 + 2.25 * r] if rng.random() < 0.7 else [0.2]
    for x in (*rear, x0 + w * 0.5):
        pen.oval(x, ground, r * 1.18, r * 1.12, darker(look.dark, 0.4), opacity=0.9)
        _wheel(pen, look, x, ground, r, spokes)


def van(pen: Pen, look: Look, rng: np.random.Generator) -> None:
    """Draws a delivery van: one rounded body with a short sloping bonnet."""
    r = rng.uniform(0.066, 0.08)
    top, floor, ground = rng.uniform(0.30, 0.38), 0.70, 0.715
    screen = rng.uniform(0.66, 0.72)
    bonnet = rng.uniform(0.51, 0.55)
    spokes = int(rng.integers(5, 11))
    body = [(0.055, top + 0.05), (0.09, top + 0.008), (0.2, top - 0.006), (0.45, top - 0.01)]
    body += [(screen - 0.06, top + 0.004), (screen, top + 0.03), (screen + 0.12, bonnet - 0.02)]
    body += [(0.93, bonnet + 0.045), (0.955, 0.62), (0.95, floor), (0.5, floor + 0.006)]
    body += [(0.06, floor), (0.045, 0.6)]
    pen.fill(smooth(body), look.main, "down")
    pen.box(0.06, floor - 0.03, 0.95, floor, look.dark, 0.01, opacity=0.9)
    glass = [(screen - 0.11, top + 0.05), (screen - 0.015, top + 0.055)]
    glass += [(screen + 0.085, bonnet - 0.015), (screen - 0.11, bonnet - 0.015)]
    pen.fill(glass, _GLASS, "down")
    pen.line([(screen - 0.03, top + 0.05), (screen + 0.02, bonnet - 0.01)], look.main, 0.012)
    seam = darker(look.main, 0.35)
    for x in (screen - 0.13, screen - 0.37):
        pen.line([(x, top + 0.03), (x, floor - 0.03)], seam, 0.005)
    pen.line([(screen - 0.37, 0.5), (0.08, 0.5)], seam, 0.005)
    pen.box(screen - 0.1, 0.56, screen - 0.05, 0.572, look.dark, 0.004)
    left = 0.13
    if rng.random() < 0.4:
        pen.box(0.1, top + 0.05, screen - 0.4, top + 0.15, _GLASS, 0.02, "down")
        left = screen - 0.36
    if rng.random() < 0.5:
        pen.box(0.07, 0.6, 0.94, 0.63, look.second, opacity=0.95)
    look.decal(pen, left, top + 0.06, screen - 0.15, 0.6)
    pen.box(0.915, 0.575, 0.95, 0.612, (250, 236, 170), 0.012)
    pen.box(0.046, 0.54, 0.066, 0.61, (200, 44, 40), 0.006)
    for x in (0.22, 0.795):
        pen.oval(x, ground, r * 1.2, r * 1.2, darker(look.main, 0.6), opacity=0.95)
        _wheel(pen, look, x, ground, r, spokes)


def car(pen: Pen, look: Look, rng: np.random.Generator) -> None:
    """Draws a passenger car: saloon, hatchback or coupe by the slope of its tail."""
    r = rng.uniform(0.072, 0.086)
    roof = rng.uniform(0.385, 0.435)
    waist, floor = rng.uniform(0.515, 0.54), 0.68
    tail = rng.uniform(0.06, 0.24)
    front = rng.uniform(0.60, 0.66)
    spokes = int(rng.integers(5, 11))
    body = [(0.04, waist + 0.04), (0.06, waist), (tail + 0.02, waist - 0.015)]
    body += [(tail + 0.13, roof + 0.02), (tail + 0.24, roof - 0.005), (front - 0.1, roof)]
    body += [(front, roof + 0.035), (front + 0.11, waist - 0.01), (0.9, waist + 0.028)]
    body += [(0.955, waist + 0.07), (0.965, 0.64), (0.94, floor), (0.5, floor + 0.008)]
    body += [(0.07, floor), (0.035, 0.62)]
    pen.fill(smooth(body), look.main, "down")
    glass = [(tail + 0.075, waist - 0.012), (tail + 0.155, roof + 0.035)]
    glass += [(tail + 0.25, roof + 0.022), (front - 0.1, roof + 0.026), (front - 0.02, roof + 0.05)]
    glass += [(front + 0.075, waist - 0.005)]
    pen.fill(glass, mix(_GLASS, (60, 70, 80), rng.uniform(0, 0.6)), "down")
    pillar = (tail + 0.24 + front) / 2 - 0.06
    pen.line([(pillar, roof + 0.01), (pillar + 0.012, waist)], look.main, 0.016)
    seam = darker(look.main, 0.4)
    pen.line([(pillar + 0.012, waist), (pillar + 0.01, floor - 0.03)], seam, 0.004)
    pen.line([(front + 0.04, waist + 0.01), (front + 0.02, floor - 0.03)], seam, 0.004)
    pen.line([(0.07, waist + 0.055), (0.92, waist + 0.07)], lighter(look.main, 0.25), 0.006)
    pen.box(0.08, floor - 0.028, 0.94, floor, look.dark, 0.01, opacity=0.9)
    for x in (pillar + 0.03, tail + 0.19):
        pen.box(x, waist + 0.028, x + 0.04, waist + 0.038, look.metal, 0.004)
    look.decal(pen, 0.36, waist + 0.045, 0.64, floor - 0.035)
    pen.oval(0.925, waist + 0.062, 0.03, 0.018, (252, 244, 205), opacity=0.98)
    pen.box(0.03, waist + 0.04, 0.07, waist + 0.07, (205, 40, 38), 0.008, opacity=0.98)
    for x in (0.215, 0.775):
        pen.oval(x, 0.685, r * 1.18, r * 1.2, darker(look.main, 0.65), opacity=0.95)
        _wheel(pen, look, x, 0.69, r, spokes)


def bike(pen: Pen, look: Look, rng: np.random.Generator) -> None:
    """Draws a bicycle: diamond or step-through frame, flat or drop handlebar."""
    r = rng.uniform(0.175, 0.2)
    y, back, front = 0.66, 0.225, 0.775
    tyre = rng.uniform(0.014, 0.028)
    wall = look.second if rng.random() < 0.3 else _TYRE
    for x in (back, front):
        for k in range(14):
            a = radians(360 / 14 * k)
            pen.line([(x, y), (x + r * cos(a), y + r * sin(a))], look.metal, 0.0035)
        pen.line(arc(x, y, r - tyre * 0.9, r - tyre * 0.9, 0, 360), look.metal, 0.009)
        pen.line(arc(x, y, r, r, 0, 360), wall, tyre)
        pen.oval(x, y, 0.02, 0.02, look.dark)
    crank = (0.455, 0.675)
    seat = (rng.uniform(0.365, 0.39), rng.uniform(0.37, 0.42))
    head = (rng.uniform(0.665, 0.69), rng.uniform(0.37, 0.41))
    tube = rng.uniform(0.017, 0.028)
    pen.line([(back, y), crank], look.main, tube * 0.7)
    pen.line([(back, y), seat], look.main, tube * 0.7)
    pen.line([head, (head[0] + 0.03, head[1] + 0.1), (front, y)], look.second, tube * 0.85)
    pen.line([seat, crank], look.main, tube)
    if rng.random() < 0.3:
        low = [(0.43, 0.57), (0.55, 0.56), head]
        pen.line(smooth(low, closed=False), look.main, tube)
    else:
        pen.line([(seat[0] + 0.01, seat[1] + 0.03), head], look.main, tube)
    pen.line([crank, (head[0] + 0.01, head[1] + 0.04)], look.main, tube * 1.15)
    pen.line([(0.45, 0.64), (back, 0.645)], look.dark, 0.006)
    pen.line([(0.45, 0.71), (back, 0.675)], look.dark, 0.006)
    pen.oval(*crank, 0.042, 0.042, look.metal)
    pen.oval(*crank, 0.026, 0.026, look.dark)
    pen.line([crank, (0.5, 0.76)], look.dark, 0.012)
    pen.box(0.475, 0.755, 0.54, 0.773, look.dark, 0.006)
    post = (seat[0] - 0.022, seat[1] - 0.06)
    pen.line([seat, post], look.metal, 0.014)
    saddle = [(post[0] - 0.08, post[1] - 0.022), (post[0], post[1] - 0.02)]
    saddle += [(post[0] + 0.075, post[1] - 0.008), (post[0] - 0.02, post[1] + 0.014)]
    pen.fill(smooth(saddle), look.dark)
    stem = (head[0] - 0.018, head[1] - 0.07)
    pen.line([head, stem], look.metal, 0.016)
    if rng.random() < 0.45:
        bend = [stem, (stem[0] + 0.08, stem[1] - 0.005), (stem[0] + 0.105, stem[1] + 0.05)]
        pen.line(smooth([*bend, (stem[0] + 0.04, stem[1] + 0.09)], closed=False), look.dark, 0.017)
    else:
        grip = (stem[0] - 0.06, stem[1] - 0.035)
        pen.line(
            smooth([(stem[0] + 0.03, stem[1] + 0.005), stem, grip], closed=False), look.dark, 0.019
        )
    if rng.random() < 0.5:
        for x in (back, front):
            pen.line(arc(x, y, r + 0.022, r + 0.022, 195, 320), look.second, 0.013)
    if rng.random() < 0.3:
        pen.box(head[0] + 0.035, head[1] - 0.04, head[0] + 0.16, head[1] + 0.07, look.accent, 0.012)
        for k in range(4):
            x = head[0] + 0.05 + k * 0.03
            pen.line([(x, head[1] - 0.035), (x, head[1] + 0.065)], darker(look.accent), 0.004)
