"""What people wear and carry: boot, sneaker, handbag, backpack, watch and headphones."""

from math import cos, radians, sin

import numpy as np

from catalens.sample.look import Look
from catalens.sample.pen import Pen, arc, darker, lighter, smooth


def boot(pen: Pen, look: Look, rng: np.random.Generator) -> None:
    """Draws a boot from the side: a high shaft, a heel, laces or a zip."""
    top = rng.uniform(0.14, 0.3)
    back, front = 0.28, rng.uniform(0.5, 0.55)
    toe = rng.uniform(0.78, 0.84)
    sole = rng.uniform(0.03, 0.06)
    heel = rng.uniform(0.03, 0.08)
    upper = [(back - 0.01, top), (front, top + rng.uniform(-0.01, 0.03)), (front + 0.005, 0.5)]
    upper += [(front + 0.06, 0.6), (toe - 0.09, 0.655), (toe, 0.715), (toe + 0.015, 0.79)]
    upper += [(0.55, 0.81), (back - 0.02, 0.81), (back - 0.035, 0.7), (back + 0.01, 0.5)]
    pen.fill(smooth(upper), look.main, "soft", across=True)
    if rng.random() < 0.5:
        cap = [(toe - 0.12, 0.81), (toe - 0.1, 0.67), (toe, 0.7), (toe + 0.03, 0.81)]
        pen.fill(cap, look.second, "down", opacity=0.95)
    if rng.random() < 0.5:
        pen.box(back - 0.05, 0.62, back + 0.1, 0.81, look.second, 0.04, "down", opacity=0.95)
    pen.box(back - 0.03, top - 0.006, front + 0.01, top + 0.045, look.second, 0.018, "down")
    look.decal(pen, back + 0.02, top + 0.08, front - 0.06, 0.46)
    if rng.random() < 0.7:
        for v in np.linspace(top + 0.08, 0.58, 6):
            x = front + max(0.0, float(v) - 0.5) * 0.6
            pen.line(
                [(x - 0.075, float(v) - 0.012), (x - 0.005, float(v) + 0.012)], look.accent, 0.011
            )
            pen.oval(x - 0.075, float(v) - 0.012, 0.009, 0.009, look.metal)
    else:
        pen.line([(back + 0.1, top + 0.05), (back + 0.12, 0.72)], look.metal, 0.009)
    pen.box(back - 0.045, 0.8, toe + 0.03, 0.8 + sole, look.dark, 0.015)
    pen.box(back - 0.04, 0.8, back + 0.15, 0.8 + sole + heel, look.dark, 0.008)
    pen.line([(back - 0.03, 0.803), (toe + 0.015, 0.803)], look.accent, 0.006)


def sneaker(pen: Pen, look: Look, rng: np.random.Generator) -> None:
    """Draws a sneaker from the side: low, a thick pale sole, laces and side stripes."""
    collar = rng.uniform(0.38, 0.45)
    sole = rng.uniform(0.05, 0.085)
    tongue = rng.uniform(0.42, 0.47)
    upper = [(0.1, collar), (0.2, collar + 0.05), (0.32, collar + 0.02), (tongue, collar - 0.05)]
    upper += [(0.54, 0.5), (0.7, 0.57), (0.86, 0.61), (0.93, 0.68), (0.93, 0.74)]
    upper += [(0.5, 0.76), (0.09, 0.75), (0.075, 0.6)]
    pen.fill(smooth(upper), look.main, "down")
    heel = [(0.06, collar + 0.05), (0.19, collar + 0.1), (0.22, 0.74), (0.06, 0.76)]
    pen.fill(heel, look.second, "down", opacity=0.97)
    toe = [(0.74, 0.74), (0.78, 0.62), (0.9, 0.6), (0.97, 0.76)]
    pen.fill(smooth(toe), look.second if rng.random() < 0.6 else look.main, "down", opacity=0.97)
    pen.line([(0.12, collar + 0.02), (0.2, collar + 0.055), (0.31, collar + 0.03)], look.dark, 0.02)
    style = rng.random()
    if style < 0.4:
        for k in range(3):
            x = 0.36 + 0.065 * k
            bar = [(x, 0.73), (x + 0.035, 0.73), (x + 0.1, 0.56), (x + 0.075, 0.54)]
            pen.fill(bar, look.accent, opacity=0.97)
    elif style < 0.7:
        swoop = [(0.26, 0.66), (0.36, 0.73), (0.66, 0.6), (0.4, 0.68)]
        pen.fill(smooth(swoop), look.accent, opacity=0.97)
    else:
        look.decal(pen, 0.28, 0.58, 0.54, 0.72)
    for k in range(5):
        x, y = tongue + 0.015 + 0.052 * k, collar + 0.005 + 0.034 * k
        pen.line([(x - 0.035, y + 0.06), (x + 0.03, y)], lighter(look.accent, 0.5), 0.014)
    pale = (240, 238, 232) if rng.random() < 0.6 else look.accent
    base = [(0.065, 0.73), (0.5, 0.75), (0.94, 0.72), (0.965, 0.75), (0.94, 0.75 + sole)]
    pen.fill([*base, (0.08, 0.75 + sole), (0.05, 0.76)], pale, "down")
    pen.box(0.08, 0.745 + sole, 0.94, 0.762 + sole, look.dark, 0.006)
    if rng.random() < 0.5:
        pen.line([(0.07, 0.775), (0.95, 0.77)], look.second, 0.008)


def handbag(pen: Pen, look: Look, rng: np.random.Generator) -> None:
    """Draws a handbag: a stiff body under an arched handle, with a flap or a zip."""
    top, bottom = rng.uniform(0.42, 0.5), rng.uniform(0.8, 0.86)
    upper, lower = rng.uniform(0.24, 0.32), rng.uniform(0.29, 0.37)
    rise = rng.uniform(0.16, 0.3)
    strap = look.second if rng.random() < 0.5 else darker(look.main, 0.25)
    reach = upper * rng.uniform(0.45, 0.75)
    pen.line(arc(0.5, top + 0.02, reach * 0.94, rise * 0.88, 180, 360), darker(strap, 0.4), 0.022)
    pen.line(arc(0.5, top + 0.04, reach, rise, 180, 360), strap, 0.026)
    body = [
        (0.5 - upper, top),
        (0.5, top - 0.008),
        (0.5 + upper, top),
        (0.5 + lower, bottom - 0.03),
    ]
    body += [
        (0.5 + lower - 0.03, bottom),
        (0.5 - lower + 0.03, bottom),
        (0.5 - lower, bottom - 0.03),
    ]
    pen.fill(body, look.main, "down")
    style = str(rng.choice(["flap", "zip", "pocket"]))
    if style == "flap":
        drop = top + (bottom - top) * rng.uniform(0.4, 0.6)
        flap = [(0.5 - upper - 0.006, top - 0.004), (0.5 + upper + 0.006, top - 0.004)]
        flap += [(0.5 + upper, drop - 0.06), (0.5, drop), (0.5 - upper, drop - 0.06)]
        pen.fill(flap, look.second, "down")
        pen.box(0.475, drop - 0.035, 0.525, drop + 0.02, look.metal, 0.008, "down")
        look.decal(pen, 0.36, drop + 0.03, 0.64, bottom - 0.03)
    else:
        pen.line(
            [(0.5 - upper + 0.02, top + 0.025), (0.5 + upper - 0.02, top + 0.025)],
            look.metal,
            0.009,
        )
        if style == "pocket":
            pen.box(0.33, top + 0.14, 0.67, bottom - 0.03, darker(look.main, 0.16), 0.03, "down")
        look.decal(pen, 0.5 - upper * 0.6, top + 0.1, 0.5 + upper * 0.6, bottom - 0.08)
    for sign in (-1, 1):
        pen.oval(0.5 + sign * reach, top + 0.045, 0.021, 0.021, look.metal, "down")
        if style == "zip":
            x = 0.5 + sign * reach
            pen.box(x - 0.016, top + 0.05, x + 0.016, bottom, strap, opacity=0.95)


def backpack(pen: Pen, look: Look, rng: np.random.Generator) -> None:
    """Draws a backpack from the front: domed body, front pocket, straps, a loop on top."""
    half, top = rng.uniform(0.21, 0.26), rng.uniform(0.17, 0.22)
    bottom = rng.uniform(0.84, 0.89)
    dome = rng.uniform(0.1, 0.2)
    strap = darker(look.second, 0.2)
    for sign in (-1, 1):
        side = [(0.5 + sign * half * 0.7, top + 0.06), (0.5 + sign * (half + 0.06), top + 0.25)]
        side += [(0.5 + sign * (half + 0.045), 0.62), (0.5 + sign * half * 0.95, bottom - 0.04)]
        pen.line(smooth(side, closed=False), strap, 0.04)
        if rng.random() < 0.6:
            x = 0.5 + sign * half
            pen.box(x - 0.05, 0.62, x + 0.05, bottom - 0.03, look.second, 0.03, "down")
    pen.line(arc(0.5, top + 0.01, 0.06, 0.055, 180, 360), strap, 0.022)
    body = arc(0.5, top + dome, half, dome, 180, 360)
    body += arc(0.5 + half - 0.05, bottom - 0.05, 0.05, 0.05, 0, 90)
    body += arc(0.5 - half + 0.05, bottom - 0.05, 0.05, 0.05, 90, 180)
    pen.fill(body, look.main, "tube", across=True)
    pen.line(
        arc(0.5, top + dome + 0.05, half * 0.86, dome, 185, 355), darker(look.main, 0.5), 0.011
    )
    pocket = rng.uniform(0.54, 0.62)
    tone = look.second if rng.random() < 0.5 else darker(look.main, 0.14)
    pen.box(0.5 - half * 0.76, pocket, 0.5 + half * 0.76, bottom - 0.045, tone, 0.045, "down")
    pen.line(
        [(0.5 - half * 0.62, pocket + 0.04), (0.5 + half * 0.62, pocket + 0.04)], look.metal, 0.009
    )
    pen.box(0.5 + half * 0.5, pocket + 0.035, 0.5 + half * 0.56, pocket + 0.09, look.accent, 0.006)
    look.decal(pen, 0.5 - half * 0.55, top + dome + 0.04, 0.5 + half * 0.55, pocket - 0.03)
    if rng.random() < 0.4:
        for k in (-0.4, 0.4):
            x = 0.5 + k * half
            pen.box(x - 0.014, top + dome * 0.7, x + 0.014, bottom, strap, opacity=0.95)


def watch(pen: Pen, look: Look, rng: np.random.Generator) -> None:
    """Draws a wristwatch: strap up and down, a round or square dial, two hands."""
    r = rng.uniform(0.17, 0.22)
    width = r * rng.uniform(0.52, 0.68)
    square = bool(rng.random() < 0.25)
    end = rng.uniform(0.02, 0.07)
    for sign in (-1, 1):
        tip, near = 0.5 + sign * (0.5 - end), 0.5 + sign * r * 0.8
        taper = width * 0.74
        side = [(0.5 - taper, tip), (0.5 + taper, tip), (0.5 + width, near), (0.5 - width, near)]
        pen.fill(side, look.main, "tube", across=True)
        if rng.random() < 0.5:
            for v in np.linspace(near, tip, 8)[1:-1]:
                pen.box(0.3, float(v), 0.7, float(v) + 0.006, darker(look.main), opacity=0.9)
    for k in range(4):
        pen.oval(0.5, 0.9 - 0.035 * k, 0.008, 0.008, darker(look.main, 0.6))
    pen.box(0.5 + r * 0.95, 0.475, 0.5 + r + 0.035, 0.525, look.metal, 0.008, "down")
    face = look.second
    for size, colour in ((1.0, look.metal), (0.86, darker(look.metal, 0.5)), (0.82, face)):
        if square:
            pen.box(
                0.5 - r * size,
                0.5 - r * size,
                0.5 + r * size,
                0.5 + r * size,
                colour,
                r * 0.3,
                "down",
            )
        else:
            pen.oval(0.5, 0.5, r * size, r * size, colour, "down")
    ink = (25, 25, 30) if sum(face) > 330 else (240, 240, 240)
    for k in range(12):
        a = radians(30 * k)
        inner, outer = r * (0.6 if k % 3 == 0 else 0.66), r * 0.74
        ends = [(0.5 + s * cos(a), 0.5 + s * sin(a)) for s in (inner, outer)]
        pen.line(ends, ink, 0.011 if k % 3 == 0 else 0.006)
    if rng.random() < 0.4:
        pen.oval(0.5, 0.5 + r * 0.36, r * 0.18, r * 0.18, darker(face, 0.25))
    look.decal(pen, 0.5 - r * 0.25, 0.5 - r * 0.5, 0.5 + r * 0.25, 0.5 - r * 0.2)
    for length, thick in ((0.42, 0.014), (0.62, 0.009)):
        a = radians(rng.uniform(0, 360))
        pen.line([(0.5, 0.5), (0.5 + r * length * cos(a), 0.5 + r * length * sin(a))], ink, thick)
    pen.oval(0.5, 0.5, 0.012, 0.012, look.accent)


def headphones(pen: Pen, look: Look, rng: np.random.Generator) -> None:
    """Draws headphones from the front: a band over two ear cups."""
    rx, ry = rng.uniform(0.27, 0.33), rng.uniform(0.32, 0.4)
    cy = rng.uniform(0.56, 0.62)
    thick = rng.uniform(0.03, 0.05)
    pen.line(arc(0.5, cy, rx, ry, 175, 365), look.main, thick)
    pen.line(arc(0.5, cy, rx, ry, 225, 315), look.second, thick * 1.3)
    pen.line(arc(0.5, cy + 0.012, rx - 0.012, ry - 0.012, 230, 310), look.dark, thick * 0.5)
    width, tall = rng.uniform(0.07, 0.1), rng.uniform(0.11, 0.16)
    oval = bool(rng.random() < 0.6)
    for sign in (-1, 1):
        x = 0.5 + sign * rx
        pen.line([(x, cy - 0.09), (x, cy + 0.02)], look.metal, 0.024)
        pad = x - sign * width * 0.6
        pen.box(
            pad - 0.045,
            cy + 0.03 - tall * 0.9,
            pad + 0.045,
            cy + 0.03 + tall * 0.9,
            look.dark,
            0.045,
        )
        if oval:
            pen.oval(x, cy + 0.03, width, tall, look.main, "tube", across=True)
            pen.oval(x, cy + 0.03, width * 0.6, tall * 0.62, look.second, "down")
        else:
            pen.box(
                x - width,
                cy + 0.03 - tall,
                x + width,
                cy + 0.03 + tall,
                look.main,
                0.05,
                "tube",
                True,
            )
            pen.box(
                x - width * 0.55,
                cy + 0.03 - tall * 0.6,
                x + width * 0.55,
                cy + 0.03 + tall * 0.6,
                look.second,
                0.03,
            )
        look.decal(pen, x - width * 0.5, cy - tall * 0.25, x + width * 0.5, cy + 0.06 + tall * 0.25)
    if rng.random() < 0.4:
        x = 0.5 - rx
        pen.line(
            smooth(
                [(x, cy + tall), (x + 0.03, 0.86), (x + 0.16, 0.92), (x + 0.3, 0.9)], closed=False
            ),
            look.dark,
            0.011,
        )
