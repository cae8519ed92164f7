from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from catalog.manifest import Row
from train.data_issues import (
    doubtful_labels,
    leaks,
    read_issues,
    twins_of_two_labels,
    write_issues,
)

_CLASSES = ("a", "b", "c")


def _rows(categories: list[str], split: str = "train") -> list[Row]:
    return [
        Row(number, f"{split}{number}.jpg", category, None, f"{split}{number}", split)
        for number, category in enumerate(categories)
    ]


def _sure(targets: NDArray[np.int64]) -> NDArray[np.float32]:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(len(targets), len(_CLASSES))) + 4 * np.eye(len(_CLASSES))[targets]
    shares = np.exp(logits)
    return (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)


def _features(photos: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=(photos, 64)).astype(np.float32)


def test_photos_with_a_swapped_label_are_doubted_first_and_their_own_suggested() -> None:
    truth = np.repeat(np.arange(3), 40)
    labelled = truth.copy()
    labelled[[3, 50, 100]] = [1, 2, 0]
    rows = _rows([_CLASSES[label] for label in labelled])
    found = doubtful_labels(rows, _sure(truth), labelled, _CLASSES)
    worst = {issue.image: issue.suggestion for issue in found[:3]}
    assert worst == {"train3.jpg": "a", "train50.jpg": "b", "train100.jpg": "c"}
    assert [issue.score for issue in found] == sorted(issue.score for issue in found)


def test_nothing_is_said_of_a_category_of_few_photos() -> None:
    targets = np.array([0] * 40 + [1] * 40 + [2] * 2)
    answers = _sure(np.array([0] * 40 + [1] * 40 + [0] * 2))
    rows = _rows([_CLASSES[label] for label in targets])
    assert all(issue.category != "c" for issue in doubtful_labels(rows, answers, targets, _CLASSES))


def test_one_photo_under_two_categories_is_told_once() -> None:
    features = _features(30)
    features[20] = features[4] + 0.02 * features[20]
    features[11] = features[10]  # twins of one category are no issue
    found = twins_of_two_labels(_rows(["a"] * 15 + ["b"] * 15), features)
    assert [(one.image, one.twin, one.suggestion) for one in found] == [
        ("train4.jpg", "train20.jpg", "b")
    ]


def test_a_photo_aside_that_was_nearly_trained_on_is_a_leak() -> None:
    features, aside = _features(30), _features(5, seed=1)
    aside[2] = features[7] + 0.02 * aside[2]
    found = leaks(_rows(["a"] * 30), features, _rows(["a"] * 5, "val"), aside)
    assert [(one.image, one.twin, one.split) for one in found] == [
        ("val2.jpg", "train7.jpg", "val")
    ]


def test_issues_are_read_as_they_were_written(tmp_path: Path) -> None:
    features = _features(30)
    features[20] = features[4]
    found = twins_of_two_labels(_rows(["a, b"] * 15 + ['b"'] * 15), features)
    write_issues(tmp_path / "issues.csv", found)
    read = read_issues(tmp_path / "issues.csv")
    assert [(one.image, one.category, one.suggestion, round(one.score, 3)) for one in read] == [
        ("train4.jpg", "a, b", 'b"', 1.0)
    ]
