"""From which probability answers need no person."""

import numpy as np
import pytest

from catalog.calibration import calibrate
from catalog.tree import CategoryTree

CLASSES = ("Shop/A", "Shop/B")


def certainty(right: list[bool], confidence: list[float]) -> float:
    shares = np.array([[share, 1 - share] for share in confidence])
    truth = tuple(CLASSES[0] if one else CLASSES[1] for one in right)
    # So many that are as sure as they are right that the temperature stays 1.
    return calibrate(CategoryTree(CLASSES), np.log(shares).astype(np.float32), truth).certainty


def test_answers_higher_up_in_the_tree_do_not_make_up_for_wrong_classes() -> None:
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.5, 1.0, 4_000)
    right = rng.random(4_000) < confidence
    found = certainty(right.tolist(), confidence.tolist())
    answered = confidence >= found
    assert found > 0.85  # all are right about Shop
    assert right[answered].mean() == pytest.approx(0.95, abs=0.01)


def test_few_photos_promise_little() -> None:
    assert certainty([True] * 10, [0.9] * 10) == 0.99
    assert certainty([True] * 200, [0.9] * 200) == 0.5
