from dataclasses import replace

import numpy as np
import pytest

from catalog.categorise import CategoriseWeights, Neighbour
from inference.bundle import Bundle
from inference.categoriser import Categoriser

RED = np.array([0.02, 0.03, 0.9, 0.05], dtype=np.float32)
FLAT = np.full(4, 0.25, dtype=np.float32)


def near(path: str, image: float | None, name: float | None) -> Neighbour:
    return Neighbour("p1", "Red paint", path, image, name)


def test_without_a_catalog_the_photo_decides(bundle: Bundle) -> None:
    found = Categoriser.of(bundle).categorise([], RED, None, None)
    assert found.path == "Warm/Red"
    assert found.evidence == ()


def test_neighbours_speak_where_the_photo_does_not(bundle: Bundle) -> None:
    neighbours = [near("Warm/Yellow", 0.9, None)]
    found = Categoriser.of(bundle).categorise(neighbours, FLAT, None, "Yellow paint")
    assert found.path == "Warm/Yellow"
    assert found.evidence[0].id == "p1"


def test_the_precision_asked_for_decides_from_which_probability_no_person_looks(
    bundle: Bundle,
) -> None:
    learnt = {"classifier": {"classifier": 1.0}}
    certain = {"classifier": ((0.9, 0.5), (0.98, 0.7))}
    weights = CategoriseWeights(learnt=learnt, certain=certain)
    categoriser = replace(Categoriser.of(bundle), weights=weights)
    shares = np.array([0.1, 0.1, 0.65, 0.15], dtype=np.float32)

    def decision(precision: float) -> str:
        return categoriser.categorise([], shares, None, None, precision=precision).decision

    assert [decision(wanted) for wanted in (0.6, 0.9, 0.95, 0.98)] == [
        "auto", "auto", "review", "review",
    ]  # fmt: skip
    assert decision(0.6) == "auto"


def test_a_precision_that_was_not_learnt_asks_for_that_probability(bundle: Bundle) -> None:
    score = Categoriser.of(bundle).categorise([], RED, None, None).score
    for precision, decision in ((score - 0.01, "auto"), (score + 0.001, "review")):
        found = Categoriser.of(bundle).categorise([], RED, None, None, precision=precision)
        assert found.decision == decision


@pytest.mark.parametrize("name", ["red paint", "Warm red"])
def test_a_name_with_nothing_near_it_still_speaks_by_its_words(bundle: Bundle, name: str) -> None:
    found = Categoriser.of(bundle).categorise([], None, None, name)
    assert (found.path, found.decision) == (None, "unknown")
    assert found.alternatives[0].path == "Warm/Red"
