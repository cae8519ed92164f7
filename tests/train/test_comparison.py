"""Two runs compared, on real photos and made-up guesses."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from catalog.errors import InvalidRun
from tests.colours import COLOURS, colour_photo
from train.report.comparison import Comparison, changed_categories, compare_runs, write_comparison
from train.run import HeldOut, Run, write_predictions

CLASSES = tuple(COLOURS)


def a_run(directory: Path, guesses: list[int], images: list[str], truth: list[str]) -> Run:
    """A run whose held-out photos were guessed so."""
    directory.mkdir()
    logits = np.eye(len(CLASSES), dtype=np.float32)[guesses] * 5
    write_predictions(directory, HeldOut(tuple(images), tuple(truth), logits))
    architecture = SimpleNamespace(backbone="tf_efficientnet_lite0")
    document = SimpleNamespace(classes=CLASSES, recipe="probe", architecture=architecture)
    return Run(directory, document)  # type: ignore[arg-type]


def photos(directory: Path, count: int) -> list[str]:
    files = []
    for number in range(count):
        file = directory / f"{number}.jpg"
        file.write_bytes(colour_photo(CLASSES[number % 4], seed=number))
        files.append(str(file))
    return files


def test_gains_losses_and_categories_are_counted_photo_by_photo(tmp_path: Path) -> None:
    images = photos(tmp_path, 8)
    truth = [CLASSES[number % 4] for number in range(8)]
    right = [number % 4 for number in range(8)]
    old = a_run(tmp_path / "old", [right[0], 0, 0, *right[3:]], images, truth)
    new = a_run(tmp_path / "new", [*right[:0:-1], 1], images[::-1], truth[::-1])
    found = compare_runs(old, new)
    assert found.gained.tolist() == [False, True, True, *[False] * 5]
    assert found.lost.tolist() == [True, *[False] * 7]
    gain, low, high = found.gain
    assert gain == pytest.approx(1 / 8)
    assert low < 0 < gain < high
    rows = {row.path: (row.gained, row.lost) for row in changed_categories(found)}
    assert rows == {CLASSES[0]: (0, 1), CLASSES[1]: (1, 0), CLASSES[2]: (1, 0)}


def test_the_page_shows_what_changed_and_needs_nothing_else(tmp_path: Path) -> None:
    images = photos(tmp_path, 8)
    truth = [CLASSES[number % 4] for number in range(8)]
    right = [number % 4 for number in range(8)]
    old = a_run(tmp_path / "old", [3, *right[1:]], images, truth)
    new = a_run(tmp_path / "new", right, images, truth)
    page = tmp_path / "comparison.html"
    write_comparison(old, new, page)
    text = page.read_text()
    assert text.count("data:image/jpeg;base64,") == 1
    assert CLASSES[0] in text
    assert 'src="http' not in text
    assert "That may be chance" in text


def test_only_photos_of_both_count_and_without_any_it_says_what_to_do(tmp_path: Path) -> None:
    images = photos(tmp_path, 4)
    truth = [CLASSES[number] for number in range(4)]
    old = a_run(tmp_path / "old", [0, 1], images[:2], truth[:2])
    new = a_run(tmp_path / "new", [1, 2, 3], images[1:], truth[1:])
    assert compare_runs(old, new).images == (images[1],)
    other = a_run(tmp_path / "other", [3], images[3:], truth[3:])
    with pytest.raises(InvalidRun, match="no photo was set aside in both"):
        compare_runs(old, other)


def test_a_photo_that_was_relabelled_is_left_out(tmp_path: Path) -> None:
    images = photos(tmp_path, 4)
    truth = [CLASSES[number] for number in range(4)]
    old = a_run(tmp_path / "old", [0, 1, 2, 3], images, truth)
    new = a_run(tmp_path / "new", [1, 1, 2, 3], images, [CLASSES[1], *truth[1:]])
    found = compare_runs(old, new)
    assert (len(found.images), found.relabelled) == (3, 1)
    assert not found.gained.any()


def changed(photos: int, won: int, lost: int) -> Comparison:
    truth = np.array(["a"] * photos)
    old, new = truth.copy(), truth.copy()
    old[:won] = "b"
    new[won : won + lost] = "b"
    return Comparison((), truth, old, new)


@pytest.mark.parametrize(
    ("photos", "won", "lost"), [(1000, 4, 0), (5000, 4, 0), (1000, 7, 1), (3, 3, 0)]
)
def test_few_changes_may_be_chance(photos: int, won: int, lost: int) -> None:
    """McNemar's exact test gives each of them a p above 0.05."""
    _, low, high = changed(photos, won, lost).gain
    assert low < 0 < high


def test_many_changes_one_way_are_no_chance() -> None:
    gain, low, high = changed(1000, 60, 20).gain
    assert gain == pytest.approx(0.04)
    assert (low, high) == pytest.approx((0.0225, 0.0573), abs=1e-3)
