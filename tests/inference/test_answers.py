import numpy as np
import pytest

from catalog.errors import InvalidRequest
from catalog.tags import TagModel
from catalog.tree import CategoryTree
from inference.answers import AnswerPolicy
from inference.bundle import Thresholds
from inference.session import Prediction

TREE = CategoryTree(["Toys/Car", "Toys/Truck", "Food/Pear"])
THRESHOLDS = Thresholds(certainty=0.8, unknown=0.35)


def answer(*shares: float, level: int | None = None) -> dict[str, object]:
    row = np.array([shares], np.float32)
    found = AnswerPolicy(TREE, THRESHOLDS).answers(Prediction(row, row), 2, level)
    return found[0]["answer"]  # type: ignore[return-value]


def test_a_certain_class_needs_no_person() -> None:
    found = answer(0.9, 0.06, 0.04)
    assert (found["path"], found["decision"]) == ("Toys/Car", "auto")


def test_where_only_an_ancestor_is_certain_a_person_looks() -> None:
    found = answer(0.5, 0.45, 0.05)
    assert (found["path"], found["decision"]) == ("Toys", "review")
    assert found["probability"] == pytest.approx(0.95)


def test_where_nothing_is_certain_the_likeliest_root_is_reviewed() -> None:
    found = answer(0.4, 0.2, 0.4)
    assert (found["path"], found["decision"]) == ("Toys", "review")


def test_a_photo_like_nothing_learnt_is_unknown() -> None:
    assert answer(0.34, 0.33, 0.33)["decision"] == "unknown"


def test_a_photo_far_from_all_training_photos_is_unknown_however_sure_the_class() -> None:
    thresholds = Thresholds(certainty=0.8, unknown=0.35, unfamiliar=0.5)
    shares = np.array([[0.97, 0.02, 0.01]] * 2, np.float32)
    embeddings = np.array([[1.0, 0.0], [-0.6, 0.8]], np.float32)
    prototypes = np.array([[0.8, 0.6], [1.0, 0.0]], np.float32)
    near, far = AnswerPolicy(TREE, thresholds, prototypes).answers(
        Prediction(shares, embeddings), 2
    )
    assert near["answer"]["decision"] == "auto"
    assert far["answer"]["decision"] == "unknown"
    assert far["answer"]["path"] == "Toys/Car"


def test_a_level_is_answered_with_its_own_certainty() -> None:
    found = answer(0.5, 0.45, 0.05, level=1)
    assert (found["path"], found["decision"]) == ("Toys", "auto")
    found = answer(0.5, 0.45, 0.05, level=2)
    assert (found["path"], found["decision"]) == ("Toys/Car", "review")


def test_categories_are_ranked_and_cut() -> None:
    row = np.array([[0.2, 0.7, 0.1]], np.float32)
    found = AnswerPolicy(TREE, THRESHOLDS).answers(Prediction(row, row), 2)
    assert [one["path"] for one in found[0]["categories"]] == ["Toys/Truck", "Toys/Car"]  # type: ignore[attr-defined]


def test_a_level_the_tree_does_not_have_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="no level 3"):
        answer(0.9, 0.06, 0.04, level=3)


def test_an_inner_class_is_automatic_only_by_its_own_probability() -> None:
    tree = CategoryTree(["Toys", "Toys/Car", "Food"])
    row = np.array([[0.5, 0.45, 0.05]], np.float32)
    found = AnswerPolicy(tree, THRESHOLDS).answers(Prediction(row, row), 1)
    assert found[0]["answer"]["decision"] == "review"  # type: ignore[index]


def test_tags_are_answered_beside_the_category_the_likeliest_first() -> None:
    row = np.array([[0.9, 0.06, 0.04]], np.float32)
    tags = TagModel(("a", "b", "c"), 9 * np.eye(3, dtype=np.float32), np.zeros(3, np.float32))
    with_tags, without = (
        AnswerPolicy(TREE, THRESHOLDS, tags=model).answers(Prediction(row, row), 2)[0]
        for model in (tags, None)
    )
    assert [one["tag"] for one in with_tags["tags"]] == ["a", "b"]
    assert with_tags["tags"][0]["probability"] > 0.99
    assert "tags" not in without
