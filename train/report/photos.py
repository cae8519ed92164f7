"""The report's photos: mistakes with their neighbours, and what to mend in the data."""

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from catalog.errors import CatalensError
from catalog.images import jpeg_copy
from catalog.tables import read_bytes
from train.data_issues import DataIssue, Kind
from train.run import HeldOut

SHOWN = 24
SIDE = 200
_SMALL = 90


@dataclass(frozen=True)
class Mistake:
    """A held-out photo that was judged wrong with confidence; photos are base64 JPEGs."""

    photo: str
    image: str
    truth: str
    guess: str
    probability: float
    nearest: tuple[str, ...]


@dataclass(frozen=True)
class ShownIssue:
    """An issue of the data with its photos, base64 JPEGs; ``twin`` is empty where there is none."""

    issue: DataIssue
    photo: str
    twin: str


def worst_mistakes(
    held_out: HeldOut, probabilities: NDArray[np.float32], classes: NDArray[Any]
) -> list[Mistake]:
    """The surest of the wrong answers.

    Args:
        held_out: photos that were judged.
        probabilities: float32 [N, classes].
        classes: category paths.
    """
    guesses = classes[probabilities.argmax(axis=1)]
    confidence = probabilities.max(axis=1)
    wrong = np.flatnonzero(guesses != np.array(held_out.truth))
    mistakes = []
    for row in wrong[np.argsort(-confidence[wrong])][:SHOWN]:
        photo = small_jpeg(held_out.images[row], SIDE)
        if photo:
            near = held_out.nearest[row] if held_out.nearest else ()
            mistakes.append(
                Mistake(
                    photo,
                    held_out.images[row],
                    held_out.truth[row],
                    str(guesses[row]),
                    float(confidence[row]),
                    tuple(filter(None, (small_jpeg(image, _SMALL) for image in near))),
                )
            )
    return mistakes


def show_issues(issues: Iterable[DataIssue], kind: Kind) -> list[ShownIssue]:
    """The first issues of one kind, with photos."""
    chosen = [issue for issue in issues if issue.kind == kind][:SHOWN]
    shown = (
        ShownIssue(
            issue, small_jpeg(issue.image, SIDE), small_jpeg(issue.twin, SIDE) if issue.twin else ""
        )
        for issue in chosen
    )
    return [one for one in shown if one.photo]


@lru_cache(maxsize=256)
def small_jpeg(image: str, side: int) -> str:
    """A small JPEG as base64; empty where the photo has moved: the rest still tells the story."""
    try:
        return base64.b64encode(jpeg_copy(read_bytes(image), side, where=image)).decode()
    except CatalensError:
        return ""
