"""What a new model gains and loses against an old one, on photos that neither has learnt from."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from catalog.errors import InvalidRun
from catalog.metrics import f1_scores
from train.report.photos import SHOWN, SIDE, small_jpeg
from train.report.templates import TEMPLATES
from train.run import HeldOut, Run

_Z: Final = 1.96  # of a normal distribution, 95% lie within


@dataclass(frozen=True)
class Comparison:
    """Two models on the same N photos.

    Attributes:
        images: paths or URIs.
        truth: category paths.
        old: what the old model guessed, category paths.
        new: what the new one did.
        relabelled: photos that have another category since, which are left out.
    """

    images: tuple[str, ...]
    truth: NDArray[np.str_]
    old: NDArray[np.str_]
    new: NDArray[np.str_]
    relabelled: int = 0

    @property
    def gained(self) -> NDArray[np.bool_]:
        """Photos that only the new model has right, bool [N]."""
        return (self.new == self.truth) & (self.old != self.truth)

    @property
    def lost(self) -> NDArray[np.bool_]:
        """Photos that only the old model has right, bool [N]."""
        return (self.old == self.truth) & (self.new != self.truth)

    @property
    def gain(self) -> tuple[float, float, float]:
        """Share of photos gained less those lost, and its 95% interval.

        Of paired proportions, right for few changes too (Bonett & Price 2012, Br. J. Math. Stat.
        Psychol. 65: a half is added to either share).
        """
        photos, won, lost = len(self.truth), int(self.gained.sum()), int(self.lost.sum())
        more, less = (won + 1) / (photos + 2), (lost + 1) / (photos + 2)
        spread = _Z * float(np.sqrt((more + less - (more - less) ** 2) / (photos + 2)))
        return (won - lost) / photos, more - less - spread, more - less + spread

    @cached_property
    def f1(self) -> tuple[Mapping[str, tuple[float, int]], Mapping[str, tuple[float, int]]]:
        """By category, F1 of the old and of the new model, and how many photos it has."""
        truth = list(self.truth)
        return f1_scores(truth, list(self.old)), f1_scores(truth, list(self.new))


@dataclass(frozen=True)
class ChangedPhoto:
    """A photo that the models judge otherwise, as a base64 JPEG."""

    photo: str
    image: str
    truth: str
    old: str
    new: str


@dataclass(frozen=True)
class ChangedCategory:
    """A category on which the models differ: photos, those gained and lost, F1 of each."""

    path: str
    photos: int
    gained: int
    lost: int
    old_f1: float
    new_f1: float


def compare_runs(old: Run, new: Run) -> Comparison:
    """Two runs on the photos that were held out, or judged out of fold, in both.

    Raises:
        InvalidRun: there is no such photo.
    """
    before, after = _guesses(old), _guesses(new)
    both = [image for image in before if image in after]
    images = tuple(image for image in both if before[image][1] == after[image][1])
    if not images:
        raise InvalidRun(
            "no photo was set aside in both runs.",
            where=str(new.directory),
            fix="Train both from one manifest with one --seed, or with --recipe probe.",
        )
    return Comparison(
        images,
        np.array([after[image][1] for image in images]),
        np.array([before[image][0] for image in images]),
        np.array([after[image][0] for image in images]),
        len(both) - len(images),
    )


def write_comparison(old: Run, new: Run, page: Path) -> Comparison:
    """Write the comparison as a page that needs nothing else.

    Raises:
        InvalidRun: no photo was set aside in both.
    """
    found = compare_runs(old, new)
    gain, low, high = found.gain
    old_f1, new_f1 = (float(np.mean([f1 for f1, _ in one.values()])) for one in found.f1)
    text = TEMPLATES.get_template("comparison.html.j2").render(
        old=old.document,
        new=new.document,
        old_directory=str(old.directory),
        new_directory=str(new.directory),
        photos=len(found.images),
        old_right=float((found.old == found.truth).mean()),
        new_right=float((found.new == found.truth).mean()),
        old_f1=old_f1,
        new_f1=new_f1,
        relabelled=found.relabelled,
        gain=gain,
        low=low,
        high=high,
        categories=changed_categories(found),
        gained=_shown(found, found.gained),
        lost=_shown(found, found.lost),
        gained_photos=int(found.gained.sum()),
        lost_photos=int(found.lost.sum()),
        only_new=sorted(set(new.document.classes) - set(old.document.classes)),
        only_old=sorted(set(old.document.classes) - set(new.document.classes)),
    )
    page.write_text(text, encoding="utf-8")
    return found


def changed_categories(found: Comparison) -> list[ChangedCategory]:
    """Categories with photos gained or lost, the largest change first."""
    old, new = found.f1
    gained, lost = Counter(found.truth[found.gained]), Counter(found.truth[found.lost])
    rows = [
        ChangedCategory(path, photos, gained[path], lost[path], score, new[path][0])
        for path, (score, photos) in old.items()
        if gained[path] or lost[path]
    ]
    return sorted(rows, key=lambda row: (-abs(row.gained - row.lost), -row.gained, row.path))


def _guesses(run: Run) -> dict[str, tuple[str, str]]:
    """By photo, what was guessed of it and what it is."""
    held_out: HeldOut = run.held_out()
    classes: Sequence[str] = run.document.classes
    best = held_out.logits.argmax(axis=1).tolist()
    return {
        image: (classes[place], truth)
        for image, place, truth in zip(held_out.images, best, held_out.truth, strict=True)
    }


def _shown(found: Comparison, which: NDArray[np.bool_]) -> list[ChangedPhoto]:
    shown = []
    for row in np.flatnonzero(which)[:SHOWN].tolist():
        photo = small_jpeg(found.images[row], SIDE)
        if photo:
            words = (str(one[row]) for one in (found.truth, found.old, found.new))
            shown.append(ChangedPhoto(photo, found.images[row], *words))
    return shown
