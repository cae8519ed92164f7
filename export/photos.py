"""Photos that an export needs: those a variant is judged on, and others it is calibrated on."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from catalog.errors import CatalensError, InvalidRun
from catalog.images import ImageSpec, decode
from catalog.manifest import ManifestConfig, read_manifest
from catalog.tables import read_bytes
from inference.session import cores
from train.run import HeldOut, Run

_T = TypeVar("_T")
_JUDGED = 1000
_CALIBRATED_ON = 256


@dataclass(frozen=True)
class ExportPhotos:
    """Decoded photos of a run.

    Attributes:
        judged: held-out photos, uint8 [N, S, S, 3].
        rows: which of the run's held-out predictions they are, intp [N].
        calibration: other training photos, uint8 [M, S, S, 3].
    """

    judged: NDArray[np.uint8]
    rows: NDArray[np.intp]
    calibration: NDArray[np.uint8]


def export_photos(run: Run, held_out: HeldOut, spec: ImageSpec) -> ExportPhotos:
    """Choose and decode, evenly over the categories.

    Where every training photo was held out once, by folds, half of them at most are judged on.

    Raises:
        InvalidRun: none of the held-out photos can be read any more.
    """
    others = _other_photos(run, set(held_out.images))
    limit = _JUDGED if others else min(_JUDGED, (len(held_out.images) + 1) // 2)
    order = sorted(range(len(held_out.truth)), key=lambda row: held_out.truth[row])
    chosen = _spread(order, limit)
    if not others:
        taken = set(chosen)
        others = [held_out.images[row] for row in order if row not in taken]
    decoded = _decode([held_out.images[row] for row in chosen], spec)
    if not decoded:
        raise InvalidRun(
            "none of its photos can be read any more, so the graph cannot be checked.",
            where=str(run.directory),
            fix=f"Put the photos back, for example {held_out.images[0]}.",
        )
    calibration = list(_decode(_spread(others, _CALIBRATED_ON), spec).values())
    return ExportPhotos(
        np.stack(list(decoded.values())),
        np.array([chosen[number] for number in decoded], dtype=np.intp),
        np.stack(calibration) if calibration else np.zeros((0, spec.size, spec.size, 3), np.uint8),
    )


def _other_photos(run: Run, held_out: set[str]) -> list[str]:
    """Photos that were trained on and not held out, sorted by category."""
    settings = dict(run.document.manifest)
    source = settings.pop("source")
    try:
        rows = read_manifest(source, ManifestConfig(**settings)).rows
    except CatalensError:
        return []
    if any(row.split for row in rows):
        rows = tuple(row for row in rows if row.split == "train")
    found = sorted((row.category or "", row.image) for row in rows if row.image is not None)
    return [image for _, image in found if image not in held_out]


def _spread(values: Sequence[_T], count: int) -> list[_T]:
    """At most ``count`` of them, evenly."""
    step = max(1.0, len(values) / count)
    return [values[int(number * step)] for number in range(min(count, len(values)))]


def _decode(images: list[str], spec: ImageSpec) -> dict[int, NDArray[np.uint8]]:
    """Pixels by position; photos that cannot be read any more are left out, others will do."""

    def load(image: str) -> NDArray[np.uint8] | None:
        try:
            return decode(read_bytes(image), spec, where=image)
        except CatalensError:
            return None

    with ThreadPoolExecutor(cores()) as pool:
        found = enumerate(pool.map(load, images))
        return {number: pixels for number, pixels in found if pixels is not None}
