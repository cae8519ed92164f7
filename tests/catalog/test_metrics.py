import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score, top_k_accuracy_score

from catalog.metrics import (
    classification_report,
    expected_calibration_error,
    f1_scores,
    top_k,
)
from catalog.tree import CategoryTree

TREE = CategoryTree(("a/x", "a/y", "b", "c/z/q"))
labels = st.lists(st.sampled_from(TREE.classes), min_size=1, max_size=60)


def shares(*rows: tuple[float, ...]) -> np.ndarray:
    return np.array(rows, dtype=np.float32)


@given(st.data())
def test_f1_agrees_with_scikit_learn(data: st.DataObject) -> None:
    truth = data.draw(labels)
    guess = data.draw(
        st.lists(st.sampled_from(TREE.classes), min_size=len(truth), max_size=len(truth))
    )
    occurring = sorted(set(truth))
    expected = f1_score(truth, guess, labels=occurring, average=None, zero_division=0)
    found = f1_scores(truth, guess)
    assert list(found) == occurring
    assert [score for score, _ in found.values()] == pytest.approx(expected)

    probabilities = shares(*((np.array(TREE.classes) == name) * 0.7 + 0.1 for name in guess))
    report = classification_report(TREE, probabilities, truth)
    for key, average in (("macro_f1", "macro"), ("weighted_f1", "weighted")):
        expected_one = f1_score(truth, guess, labels=occurring, average=average, zero_division=0)
        assert report[key] == pytest.approx(expected_one)
    assert report["top1"] == pytest.approx(np.mean(np.array(truth) == np.array(guess)))


def test_top_k_agrees_with_scikit_learn() -> None:
    random = np.random.default_rng(0)
    probabilities = random.dirichlet(np.ones(6), 200).astype(np.float32)
    truth = random.integers(0, 6, 200)
    for k in (1, 2, 5):
        expected = top_k_accuracy_score(truth, probabilities, k=k, labels=range(6))
        assert top_k(probabilities, truth, k) == pytest.approx(expected)


def test_a_category_the_model_does_not_know_is_a_mistake_but_its_ancestors_count() -> None:
    report = classification_report(TREE, shares((0.9, 0.1, 0.0, 0.0)), ["a/new"])
    assert report["top1"] == report["top5"] == report["macro_f1"] == 0
    assert report["depth"] == {"1": 1.0, "2": 0.0, "3": 0.0}


def test_truth_deeper_than_the_model_gets_its_own_depth() -> None:
    report = classification_report(TREE, shares((0, 0, 0, 1.0)), ["c/z/q/r"])
    assert report["depth"] == {"1": 1.0, "2": 1.0, "3": 1.0, "4": 0.0}


def test_depth_is_the_best_prefix_not_the_prefix_of_the_best() -> None:
    report = classification_report(TREE, shares((0.3, 0.3, 0.4, 0.0)), ["a/x"])
    assert report["top1"] == 0
    assert report["depth"] == {"1": 1.0, "2": 0.0, "3": 0.0}


def test_depth_counts_a_shorter_path_as_itself() -> None:
    assert classification_report(TREE, shares((0, 0, 1.0, 0)), ["b"])["depth"] == {
        "1": 1.0,
        "2": 1.0,
        "3": 1.0,
    }


def test_macro_f1_is_over_classes_that_occur() -> None:
    probabilities = shares((1, 0, 0, 0), (0, 0, 1, 0))
    assert classification_report(TREE, probabilities, ["a/x", "a/x"])["macro_f1"] == (
        pytest.approx(2 / 3)
    )


def test_honest_probabilities_have_hardly_any_calibration_error() -> None:
    random = np.random.default_rng(1)
    confidence = random.uniform(0.2, 1.0, 40_000).astype(np.float32)
    correct = random.uniform(size=40_000) < confidence
    assert expected_calibration_error(confidence, correct) < 0.02
    assert expected_calibration_error(np.minimum(confidence + 0.3, 1), correct) > 0.15


def test_calibration_error_of_one_bin_is_its_gap() -> None:
    confidence = np.array([0.9, 0.7], dtype=np.float32)
    correct = np.array([True, False])
    assert expected_calibration_error(confidence, correct, bins=1) == pytest.approx(0.3)
    assert expected_calibration_error(confidence, correct, bins=15) == pytest.approx(0.4)


def test_calibration_bins_hold_equal_numbers_of_rows() -> None:
    random = np.random.default_rng(2)
    confidence = random.uniform(size=31).astype(np.float32)
    correct = random.uniform(size=31) < 0.5
    order = np.argsort(confidence)
    expected = sum(
        abs(confidence[part].sum() - correct[part].sum())
        for part in np.array_split(order, 15)
    ) / 31  # fmt: skip
    assert expected_calibration_error(confidence, correct) == pytest.approx(expected)


def test_every_figure_is_a_fraction() -> None:
    random = np.random.default_rng(3)
    probabilities = random.dirichlet(np.ones(4), 50).astype(np.float32)
    report = classification_report(TREE, probabilities, list(random.choice(TREE.classes, 50)))
    depth = report.pop("depth")
    assert isinstance(depth, dict)
    assert all(0 <= float(value) <= 1 for value in (*report.values(), *depth.values()))  # type: ignore[arg-type]
