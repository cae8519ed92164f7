"""The final score: more likeness never lowers it, and one very strong side is enough."""

import dataclasses
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import InvalidRequest
from catalog.match import DEFAULT_MATCH_MODEL, MatchModel, PairWeights, pair_score, score_pair
from catalog.names import DEFAULT_NAME_MODEL

COSINES = st.floats(-1, 1)
SIMILARITIES = st.floats(0, 1)


@given(st.tuples(COSINES, COSINES), st.none() | SIMILARITIES, st.booleans())
def test_more_alike_photos_never_lower_the_score(
    cosines: tuple[float, float], name: float | None, conflict: bool
) -> None:
    low, high = sorted(cosines)
    lower = pair_score(DEFAULT_MATCH_MODEL, low, name, conflict)
    assert lower <= pair_score(DEFAULT_MATCH_MODEL, high, name, conflict)


@given(st.tuples(SIMILARITIES, SIMILARITIES), st.none() | COSINES, st.booleans())
def test_more_alike_names_never_lower_the_score(
    similarities: tuple[float, float], image: float | None, conflict: bool
) -> None:
    low, high = sorted(similarities)
    lower = pair_score(DEFAULT_MATCH_MODEL, image, low, conflict)
    assert lower <= pair_score(DEFAULT_MATCH_MODEL, image, high, conflict)


@given(st.none() | COSINES, SIMILARITIES)
def test_amounts_that_conflict_never_raise_the_score(image: float | None, name: float) -> None:
    conflict = pair_score(DEFAULT_MATCH_MODEL, image, name, conflict=True)
    assert 0 <= conflict <= pair_score(DEFAULT_MATCH_MODEL, image, name) <= 1


def test_a_near_identical_photo_is_enough() -> None:
    names = DEFAULT_NAME_MODEL.compare("Nike Air Max 90 white", "Sneaker herren weiss NK90")
    assert score_pair(DEFAULT_MATCH_MODEL, 0.995, names).decision == "same"


def test_an_identical_name_is_enough_with_photos_that_are_not_opposed() -> None:
    names = DEFAULT_NAME_MODEL.compare("Nike Air Max 90 white", "NIKE air-max 90 White")
    assert score_pair(DEFAULT_MATCH_MODEL, 0.4, names).decision == "same"


def test_an_identical_photo_with_another_amount_goes_to_a_person() -> None:
    names = DEFAULT_NAME_MODEL.compare("Coca Cola 0.33 l", "Coca Cola 0.5 l")
    assert score_pair(DEFAULT_MATCH_MODEL, 1.0, names).decision == "review"


def test_two_products_of_one_category_are_different() -> None:
    names = DEFAULT_NAME_MODEL.compare("Nike Women White Tank Top", "Puma Men Black T-shirt")
    assert score_pair(DEFAULT_MATCH_MODEL, 0.7, names).decision == "different"
    assert score_pair(DEFAULT_MATCH_MODEL, 0.35, None).decision == "different"


def test_a_name_without_words_says_nothing_beside_a_photo() -> None:
    names = DEFAULT_NAME_MODEL.compare("-", "Nike Air Max 90")
    photo = score_pair(DEFAULT_MATCH_MODEL, 0.9, None)
    assert score_pair(DEFAULT_MATCH_MODEL, 0.9, names).score == photo.score
    alone = score_pair(DEFAULT_MATCH_MODEL, None, names)
    assert (alone.decision, alone.name_reasons) == ("different", ("no words to compare",))


def test_a_name_alone_scores_its_own_similarity() -> None:
    names = DEFAULT_NAME_MODEL.compare("Nike Air Max white", "Nike Air Max kids")
    match = score_pair(DEFAULT_MATCH_MODEL, None, names)
    assert match.score == pytest.approx(names.similarity)
    assert match.image_similarity is None
    assert match.name_reasons == names.reasons


@pytest.mark.parametrize("image", [None, math.nan, math.inf])
def test_nothing_to_compare_is_an_invalid_request(image: float | None) -> None:
    with pytest.raises(InvalidRequest):
        score_pair(DEFAULT_MATCH_MODEL, image, None)


def test_a_model_comes_back_from_json_as_it_was() -> None:
    text = json.dumps(DEFAULT_MATCH_MODEL.to_json())
    assert MatchModel.from_json(json.loads(text)) == DEFAULT_MATCH_MODEL


@pytest.mark.parametrize(
    "change",
    [
        {"same_at": 0.1},
        {"same_at": "high"},
        {"both": {"bias": 0.0, "image": -1.0}},
        {"both": {"bias": 0.0, "colour": 1.0}},
        {"both": {"bias": math.nan}},
        {"both": None},
    ],
)
def test_a_model_that_makes_no_sense_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(InvalidRequest):
        MatchModel.from_json({**DEFAULT_MATCH_MODEL.to_json(), **change})


def test_thresholds_decide() -> None:
    model = dataclasses.replace(
        DEFAULT_MATCH_MODEL, image_only=PairWeights(bias=0.0), same_at=0.6, different_at=0.4
    )
    assert score_pair(model, 0.0, None).decision == "review"
    assert score_pair(dataclasses.replace(model, same_at=0.5), 0.0, None).decision == "same"
