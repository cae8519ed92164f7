from dataclasses import replace

import numpy as np
import pytest

from catalog.categorise import Neighbour
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


def test_the_certainty_is_the_bundles(bundle: Bundle) -> None:
    shares = RED + np.array([0.2, 0, -0.2, 0], dtype=np.float32)
    score = Categoriser.of(bundle).categorise([], shares, None, None).score
    for certainty, decision in ((score - 0.01, "auto"), (score + 0.01, "review")):
        asked = replace(Categoriser.of(bundle), certainty=certainty)
        assert asked.categorise([], shares, None, None).decision == decision


@pytest.mark.parametrize("name", ["red paint", "Warm red"])
def test_a_name_with_nothing_near_it_still_speaks_by_its_words(bundle: Bundle, name: str) -> None:
    found = Categoriser.of(bundle).categorise([], None, None, name)
    assert (found.path, found.decision) == (None, "unknown")
    assert found.alternatives[0].path == "Warm/Red"
