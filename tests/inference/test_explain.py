import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inference.explain import covered, importance, spotlight


def photo_with_a_dot(top: int, left: int) -> NDArray[np.uint8]:
    photo = np.full((70, 70, 3), 200, np.uint8)
    photo[top : top + 8, left : left + 8] = 0
    return photo


def dot_left(photos: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Probability that there is a dot: the share of its dark pixels that can be seen."""
    return np.asarray((photos < 50).all(axis=3).sum(axis=(1, 2)) / 64 * 0.9 + 0.05, np.float32)


def test_every_pixel_is_covered_by_some_window() -> None:
    photo = np.random.default_rng(0).integers(0, 255, (70, 70, 3), dtype=np.uint8)
    changed = (covered(photo) != photo).any(axis=3)
    assert len(changed) == 49
    assert changed.any(axis=0).mean() > 0.99  # but for those of the mean colour by chance


def test_the_part_that_the_answer_rests_on_is_the_most_important() -> None:
    for top, left in ((4, 4), (30, 30), (4, 58), (58, 30)):
        photo = photo_with_a_dot(top, left)
        parts = importance(float(dot_left(photo[None])[0]), dot_left(covered(photo)))
        light = np.asarray(Image.open(io.BytesIO(spotlight(np.full_like(photo, 255), parts))))
        row, column = np.unravel_index(light.mean(axis=2).argmax(), (70, 70))
        assert abs(row - top - 4) <= 12
        assert abs(column - left - 4) <= 12


def test_nothing_is_important_where_no_part_changes_the_answer() -> None:
    assert importance(0.5, np.full(49, 0.4999, np.float32)).max() < 0.02
    assert not importance(0.5, np.full(49, 0.9, np.float32)).any()
    assert np.isfinite(importance(0.0, np.zeros(49, np.float32))).all()
