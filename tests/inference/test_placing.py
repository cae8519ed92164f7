import numpy as np
import pytest

from catalog.categorise import Neighbour
from inference.bundle import Bundle
from inference.placing import place

RED = np.array([0.02, 0.03, 0.9, 0.05], dtype=np.float32)
FLAT = np.full(4, 0.25, dtype=np.float32)


def near(path: str, image: float | None, name: float | None) -> Neighbour:
    return Neighbour("p1", "Red paint", path, image, name)


def test_without_a_catalog_the_photo_decides(bundle: Bundle) -> None:
    found = place(bundle.document, bundle.match_model, [], RED, None)
    assert found.path == "Warm/Red"
    assert found.evidence == ()


def test_neighbours_speak_where_the_photo_does_not(bundle: Bundle) -> None:
    neighbours = [near("Warm/Yellow", 0.9, 0.95)]
    found = place(bundle.document, bundle.match_model, neighbours, FLAT, "Yellow paint")
    assert found.path == "Warm/Yellow"
    assert found.evidence[0].id == "p1"


def test_the_certainty_is_the_bundles(bundle: Bundle) -> None:
    document, model = bundle.document, bundle.match_model
    shares = RED + np.array([0.2, 0, -0.2, 0], dtype=np.float32)
    score = place(document, model, [], shares, None).score
    for certainty, decision in ((score - 0.01, "auto"), (score + 0.01, "review")):
        thresholds = document.thresholds.model_copy(update={"certainty": certainty})
        asked = document.model_copy(update={"thresholds": thresholds})
        assert place(asked, model, [], shares, None).decision == decision


@pytest.mark.parametrize("name", ["red paint", "Warm red"])
def test_a_name_with_nothing_near_it_still_speaks_by_its_words(bundle: Bundle, name: str) -> None:
    found = place(bundle.document, bundle.match_model, [], None, name)
    assert (found.path, found.decision) == (None, "unknown")
    assert found.alternatives[0].path == "Warm/Red"
