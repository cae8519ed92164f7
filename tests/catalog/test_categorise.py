"""Categorising: three opinions and a name's words in, one answer with its evidence out."""

import json
from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.categorise import (
    Categorisation,
    CategoriseWeights,
    Neighbour,
    categorise,
    suggest_tags,
)
from catalog.errors import InvalidRequest
from catalog.match import DEFAULT_MATCH_MODEL, MatchModel
from catalog.names.categories import NameOpinion

SHIRTS, TSHIRTS, SHOES = "Apparel/Topwear/Shirts", "Apparel/Topwear/Tshirts", "Footwear/Shoes"
PATHS = [SHIRTS, TSHIRTS, SHOES]


def near(
    path: str, image: float | None, name: float | None = None, number: int = 0, count: int = 1
) -> list[Neighbour]:
    return [Neighbour(f"{path}-{number + i}", "a name", path, image, name) for i in range(count)]


FITTED = replace(DEFAULT_MATCH_MODEL, curve=((0.5, 1.0, 1.0),))


def ask(
    neighbours: Sequence[Neighbour],
    classes: dict[str, float] | None = None,
    model: MatchModel = DEFAULT_MATCH_MODEL,
    **more: object,
) -> Categorisation:
    return categorise(neighbours, classes, model, **more)  # type: ignore[arg-type]


NEIGHBOURS = st.lists(
    st.builds(
        Neighbour,
        id=st.integers(0, 10**6).map(str),
        name=st.none(),
        path=st.sampled_from(PATHS),
        image_similarity=st.floats(-1, 1),
        name_similarity=st.none() | st.floats(0, 1),
    ),
    max_size=20,
    unique_by=lambda neighbour: neighbour.id,
)
CLASSES = st.none() | st.lists(st.floats(0.01, 1), min_size=3, max_size=3).map(
    lambda odds: {path: odd / sum(odds) for path, odd in zip(PATHS, odds, strict=True)}
)


@given(NEIGHBOURS, CLASSES)
def test_an_answer_is_a_probability_with_the_best_first(
    neighbours: list[Neighbour], classes: dict[str, float] | None
) -> None:
    answer = ask(neighbours, classes)
    scores = [answer.score, *(alternative.probability for alternative in answer.alternatives)]
    assert all(0 <= score <= 1 for score in scores)
    assert sum(scores) <= 1 + 1e-9
    assert answer.path is None or scores == sorted(scores, reverse=True)
    assert (answer.path is None) == (answer.decision == "unknown")
    may_be_it = [e.score for e in answer.evidence if e.score > DEFAULT_MATCH_MODEL.different_at]
    assert may_be_it == sorted(may_be_it, reverse=True)
    assert may_be_it == [e.score for e in answer.evidence[: len(may_be_it)]]


def test_photos_that_look_alike_come_before_names_that_share_a_word() -> None:
    alike = near(SHIRTS, 0.55, 0.0, count=3)
    named = near(SHOES, None, 0.01, count=20)
    evidence = ask([*named, *alike], name="Truck 3.5 t").evidence
    assert [one.path for one in evidence[:4]] == [SHIRTS, SHIRTS, SHIRTS, SHOES]


@given(NEIGHBOURS, CLASSES, st.randoms())
def test_the_order_of_neighbours_does_not_matter(
    neighbours: list[Neighbour], classes: dict[str, float] | None, random: Random
) -> None:
    shuffled = list(neighbours)
    random.shuffle(shuffled)
    one, other = ask(neighbours, classes), ask(shuffled, classes)
    assert one.score == pytest.approx(other.score)
    assert one.evidence == other.evidence


@given(st.floats(-1, 0.9), st.floats(0, 0.1), CLASSES)
def test_a_nearer_photo_never_makes_its_category_less_likely(
    image: float, step: float, classes: dict[str, float] | None
) -> None:
    others = near(SHIRTS, 0.6) + near(SHOES, 0.5)
    scores = []
    for similarity in (image, image + step):
        answer = ask(others + near(TSHIRTS, similarity), classes)
        ranked = dict.fromkeys(PATHS, 0.0)
        ranked.update({a.path: a.probability for a in answer.alternatives})
        ranked[answer.path or ""] = answer.score
        scores.append(ranked[TSHIRTS])
    assert scores[0] <= scores[1] + 1e-9


def test_a_classifier_alone_decides_by_its_own_probabilities() -> None:
    answer = ask([], {SHIRTS: 0.98, TSHIRTS: 0.01, SHOES: 0.01})
    assert (answer.path, answer.decision) == (SHIRTS, "auto")
    assert ask([], {SHIRTS: 0.5, TSHIRTS: 0.4, SHOES: 0.1}).decision == "review"


def test_parts_that_agree_are_surer_than_each() -> None:
    classes = {SHIRTS: 0.6, TSHIRTS: 0.3, SHOES: 0.1}
    photos = near(SHIRTS, 0.7, count=3) + near(TSHIRTS, 0.68, count=2)
    assert ask(photos, classes).score > max(ask(photos).score, ask([], classes).score)


def test_nothing_at_all_is_unknown() -> None:
    assert ask([]) == Categorisation(None, 0.0, "unknown", (), ())
    assert ask([], {}).decision == "unknown"


def test_nothing_near_and_a_classifier_that_says_little_is_unknown() -> None:
    classes = {f"Class/{i}": 0.1 for i in range(10)}
    answer = ask(near(SHIRTS, 0.1, 0.05, count=20), classes)
    assert (answer.path, answer.score, answer.decision) == (None, 0.0, "unknown")
    assert answer.alternatives
    assert ask(near(SHIRTS, None, 0.05)).decision == "unknown"


@pytest.mark.parametrize("count", [1, 5, 100])
def test_near_photos_decide_whether_few_or_many(count: int) -> None:
    answer = ask(near(SHIRTS, 0.9, count=count) + near(SHOES, 0.45, count=50))
    assert answer.path == SHIRTS
    assert answer.score > 0.8


def test_a_category_the_classifier_does_not_know_can_win() -> None:
    classes = {SHIRTS: 0.7, SHOES: 0.3}
    photos = near("Apparel/Capes", 0.85, count=3) + near(SHIRTS, 0.6, count=20)
    assert ask(photos, classes).path == "Apparel/Capes"


def new_category(cosine: float) -> list[Neighbour]:
    """A category that the classifier does not know, of one photo that is that near."""
    return [Neighbour("p1", None, "Footwear/Boots", cosine, None, prototype_similarity=cosine)]


def test_one_photo_makes_a_new_category_that_beats_classes_the_photo_is_less_like() -> None:
    classes = {SHIRTS: 0.7, SHOES: 0.3}
    assert ask(new_category(0.9), classes, familiarity=0.5).path == "Footwear/Boots"
    assert ask(new_category(0.4), classes, familiarity=0.9).path == SHIRTS


@given(st.floats(-1, 1), st.floats(-1, 1), st.floats(-1, 1))
def test_a_new_category_is_likelier_the_nearer_its_photos(
    one: float, other: float, familiarity: float
) -> None:
    classes = {SHIRTS: 0.7, SHOES: 0.3}
    far, close = (
        {
            score.path: score.probability
            for score in ask(new_category(cosine), classes, familiarity=familiarity).ranked
        }["Footwear/Boots"]
        for cosine in sorted((one, other))
    )
    assert far <= close + 1e-9


def test_a_category_the_classifier_does_not_know_does_not_beat_a_sure_answer() -> None:
    classes = {SHIRTS: 0.99, SHOES: 0.01}
    photos = near("Apparel/Capes", 0.6) + near(SHIRTS, 0.62, count=20)
    assert ask(photos, classes).path == SHIRTS


def test_the_same_product_by_photo_and_name_is_decisive_to_a_model_that_was_fitted() -> None:
    classes = {SHIRTS: 0.95, SHOES: 0.05}
    neighbours = near(SHOES, 0.99, 0.97) + near(SHIRTS, 0.9, 0.1, count=30)
    assert ask(neighbours, classes).decision == "review"
    answer = ask(neighbours, classes, FITTED)
    assert (answer.path, answer.decision) == (SHOES, "auto")
    assert answer.evidence[0].path == SHOES


def test_an_equal_poor_name_alone_is_not_decisive() -> None:
    classes = {SHIRTS: 0.97, SHOES: 0.03}
    neighbours = near(SHOES, 0.3, 1.0) + near(SHIRTS, 0.8, 1.0, count=2)
    assert ask(neighbours, classes).path == SHIRTS


def test_the_words_of_the_name_speak_for_a_category() -> None:
    neighbours = near(SHIRTS, 0.7) + near(TSHIRTS, 0.7)
    assert ask(neighbours, name="Nike Women White T-Shirt").path == TSHIRTS
    assert ask(neighbours, name="Formal shirt").path == SHIRTS


def test_at_most_ten_products_are_shown_as_evidence() -> None:
    assert len(ask(near(SHIRTS, 0.9, count=40)).evidence) == 10


def test_a_neighbour_without_any_similarity_is_refused() -> None:
    with pytest.raises(InvalidRequest):
        ask(near(SHIRTS, None, None))


def test_weights_come_back_from_json_as_they_were() -> None:
    weights = CategoriseWeights(name=0.25)
    assert CategoriseWeights.from_json(json.loads(json.dumps(weights.to_json()))) == weights


@pytest.mark.parametrize(
    "data", [{"name": -1}, {"smoothing": 0}, {"colour": 1}, {"image": "much"}, {"novel": "nan"}]
)
def test_weights_that_make_no_sense_are_refused(data: dict[str, object]) -> None:
    with pytest.raises(InvalidRequest):
        CategoriseWeights.from_json(data)


def test_tags_need_no_catalog() -> None:
    tags = suggest_tags("Nike Women White T-Shirt", [], PATHS)
    assert tags[0].path == TSHIRTS
    assert sum(tag.probability for tag in tags) == pytest.approx(1)


def test_tags_follow_the_catalog_where_the_words_say_nothing() -> None:
    tags = suggest_tags("Air Max 90", near(SHOES, None, 0.7, count=4), PATHS)
    assert tags[0].path == SHOES


def test_tags_are_even_where_nothing_is_known() -> None:
    tags = suggest_tags("xyzzy", [], PATHS)
    assert {round(tag.probability, 6) for tag in tags} == {round(1 / 3, 6)}
    assert suggest_tags("xyzzy", [], []) == []


def test_what_the_shops_names_say_moves_an_undecided_photo() -> None:
    shares = dict.fromkeys(PATHS, 1 / len(PATHS))
    opinion = NameOpinion({PATHS[1]: 0.8, PATHS[0]: 0.2}, {PATHS[1]: 3.0, PATHS[0]: 0.4})
    assert ask([], shares, opinion=opinion).path == PATHS[1]
    assert ask([], {**shares, PATHS[2]: 0.99}, opinion=opinion).path == PATHS[2]


def test_what_the_shops_names_say_is_enough_without_photo_and_catalog() -> None:
    opinion = NameOpinion({PATHS[1]: 0.97, PATHS[0]: 0.03}, {PATHS[1]: 3.0, PATHS[0]: 0.1})
    found = ask([], None, name="xyzzy", opinion=opinion)
    assert (found.path, found.decision) == (PATHS[1], "auto")


def test_a_near_identical_photo_with_another_amount_does_not_decide() -> None:
    same = Neighbour("a", "Cola 0.5 l", SHOES, 1.0, 1.0)
    shares = {SHIRTS: 0.9, TSHIRTS: 0.05, SHOES: 0.05}
    decided = ask([same], shares, FITTED)
    undecided = ask([replace(same, conflict=True)], shares, FITTED)
    assert (decided.path, decided.decision) == (SHOES, "auto")
    assert undecided.score < decided.score - 0.01
    assert undecided.evidence[0].score < decided.evidence[0].score
