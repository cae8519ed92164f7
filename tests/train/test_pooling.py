"""The pool's exponents follow what the parts are worth in the shop at hand."""

import json

import numpy as np
import pytest
from numpy.typing import NDArray

from catalog.errors import InvalidRequest
from catalog.manifest import Row
from catalog.pool import CategoriseWeights, log_smoothed
from train.pooling import learn_pooling

CLASSES = ("Home/Mug", "Vehicle/Bike", "Vehicle/Truck")
WORDS = ("mug", "bike", "truck")
PHOTOS = 240


def learn(
    sure_photos: float, telling_names: float, alike: float, seed: int = 0
) -> tuple[CategoriseWeights, NDArray[np.int64], NDArray[np.float64]]:
    """Photos, names and look-alikes are right that often, and else point anywhere."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(3, size=PHOTOS)

    def pointing(right: float) -> NDArray[np.int64]:
        return np.where(rng.random(PHOTOS) < right, truth, rng.integers(3, size=PHOTOS))

    shares = np.full((PHOTOS, 3), 0.05)
    shares[np.arange(PHOTOS), pointing(sure_photos)] = 0.9
    names = pointing(telling_names)
    rows = [
        Row(line, f"{line}.jpg", CLASSES[category], f"{WORDS[name]} {line}", str(line), None)
        for line, (category, name) in enumerate(zip(truth.tolist(), names.tolist(), strict=True))
    ]
    embeddings = np.eye(3)[pointing(alike)] + rng.normal(0, 0.2, (PHOTOS, 3))
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    everything = np.arange(PHOTOS)
    weights = learn_pooling(
        rows, everything, np.log(shares), embeddings.astype(np.float32), everything, CLASSES, seed
    )
    return weights, truth, shares


def test_names_that_tell_nothing_weigh_next_to_nothing() -> None:
    weights, _, _ = learn(sure_photos=0.8, telling_names=0.0, alike=0.8)
    found = weights.learnt["classifier+image+suggester"]
    assert found["suggester"] < 0.25
    assert found["classifier"] > 2 * found["suggester"]


def test_names_that_tell_more_than_photos_weigh_more() -> None:
    weights, _, _ = learn(sure_photos=0.4, telling_names=0.95, alike=0.4)
    found = weights.learnt["classifier+image+suggester"]
    assert found["suggester"] > 2 * found["classifier"]


def test_a_classifier_that_is_too_sure_is_tempered_and_the_pool_is_no_worse() -> None:
    weights, truth, shares = learn(sure_photos=0.5, telling_names=0.5, alike=0.5)
    logs = log_smoothed(shares, weights.smoothing)
    tempered = weights.learnt["classifier"]["classifier"] * logs

    def loss(logits: NDArray[np.float64]) -> float:
        logits = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        return -float(logits[np.arange(len(truth)), truth].mean())

    assert weights.learnt["classifier"]["classifier"] < 0.9
    assert loss(tempered) < loss(logs)


def test_every_combination_that_may_be_there_has_its_own_exponents() -> None:
    weights, _, _ = learn(sure_photos=0.8, telling_names=0.8, alike=0.8)
    assert set(weights.learnt) == {
        "classifier", "classifier+image", "classifier+suggester", "classifier+image+suggester",
        "suggester_alone",
    }  # fmt: skip
    assert CategoriseWeights.from_json(weights.to_json()) == weights


def test_a_shop_without_names_learns_what_photos_weigh() -> None:
    rows = [Row(n, f"{n}.jpg", CLASSES[n % 3], None, str(n), None) for n in range(30)]
    shares = np.full((30, 3), 0.1) + 0.7 * np.eye(3)[np.arange(30) % 3]
    embeddings = np.eye(3, dtype=np.float32)[np.arange(30) % 3]
    everything = np.arange(30)
    weights = learn_pooling(rows, everything, np.log(shares), embeddings, everything, CLASSES, 0)
    assert set(weights.learnt) == {"classifier", "classifier+image"}
    parts = {"classifier", "image"}
    assert weights.exponents(parts) == weights.learnt["classifier+image"]


def test_parts_beside_those_that_were_learnt_take_the_defaults() -> None:
    weights = CategoriseWeights(learnt={"classifier+image": {"classifier": 0.7, "image": 0.2}})
    found = weights.exponents({"classifier", "image", "words"})
    assert found == {"classifier": 0.7, "image": 0.2, "words": weights.words}


def test_exponents_of_other_parts_than_they_say_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="classifier"):
        CategoriseWeights.from_json({"learnt": {"classifier+image": {"classifier": 1.0}}})


def test_a_combination_that_was_not_learnt_hands_the_absent_parts_weight_on() -> None:
    weights = CategoriseWeights()
    alone = weights.exponents({"classifier"})["classifier"]
    assert weights.classifier < alone < weights.classifier + weights.image + weights.name
    assert weights.exponents({"classifier", "image", "name"}) == pytest.approx(
        {"classifier": weights.classifier, "image": weights.image, "name": weights.name}
    )


def test_from_the_probability_that_is_kept_answers_have_the_precision() -> None:
    weights, truth, shares = learn(sure_photos=0.8, telling_names=0.8, alike=0.8)
    logs = log_smoothed(shares, weights.smoothing)
    pooled = np.exp(weights.learnt["classifier"]["classifier"] * logs)
    pooled /= pooled.sum(axis=1, keepdims=True)
    right = pooled.argmax(axis=1) == truth
    thresholds = []
    for precision, threshold in weights.certain["classifier"]:
        assert right[pooled.max(axis=1) >= threshold].mean() >= precision
        assert weights.certainty(["classifier"], precision) == threshold
        thresholds.append(threshold)
    assert thresholds == sorted(thresholds)
    assert weights.certainty(["classifier"], 0.9999) == 0.9999


def test_what_was_learnt_is_read_back_from_json() -> None:
    weights, _, _ = learn(sure_photos=0.8, telling_names=0.8, alike=0.8)
    assert CategoriseWeights.from_json(json.loads(json.dumps(weights.to_json()))) == weights


def test_of_few_photos_only_what_is_certain_is_learnt() -> None:
    rows = [Row(n, f"{n}.jpg", CLASSES[n % 3], None, str(n), None) for n in range(60)]
    shares = np.full((60, 3), 0.05) + 0.85 * np.eye(3)[np.arange(60) % 3]
    embeddings = np.eye(3, dtype=np.float32)[np.arange(60) % 3]
    known = CategoriseWeights(learnt={"classifier+image": {"classifier": 0.7, "image": 0.2}})
    judged = np.arange(60)
    found = learn_pooling(rows, judged, np.log(shares), embeddings, judged, CLASSES, 0, known)
    assert found.learnt["classifier+image"] == known.learnt["classifier+image"]
    assert found.certain["classifier+image"]
