from pathlib import Path

import numpy as np
import pytest

from catalog.names.categories import NameCategories, read_name_categories, write_name_categories
from train.name_categories import learn_name_categories

SHOP = [
    *((f"Acme city bike {size} inch", "Vehicle/Bike") for size in range(20, 30)),
    *((f"Tonka truck {load} t red", "Vehicle/Truck") for load in range(1, 6)),
    *((f"Brew coffee mug {volume} ml", "Home/Mug") for volume in range(200, 215)),
]


@pytest.fixture(scope="module")
def learnt() -> NameCategories:
    found = learn_name_categories(SHOP)
    assert found is not None
    return found


def test_a_new_name_is_put_where_its_like_are(learnt: NameCategories) -> None:
    names = ["mountain bikes", "TRUCK, blue", "Mugs (large)", "coffe mug"]
    best = learnt.probabilities(names).argmax(axis=1)
    assert [learnt.classes[place] for place in best] == [
        "Vehicle/Bike", "Vehicle/Truck", "Home/Mug", "Home/Mug",
    ]  # fmt: skip


def test_probabilities_sum_to_one(learnt: NameCategories) -> None:
    shares = learnt.probabilities(["bike", "", "ßß"])
    assert shares.shape == (3, 3)
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-5)


def test_a_name_of_known_pieces_lifts_its_category_and_lowers_the_others(
    learnt: NameCategories,
) -> None:
    opinion = learnt.opinion("red truck")
    assert opinion is not None
    lift = opinion.lift
    assert lift["Vehicle/Truck"] > 1 > max(lift["Vehicle/Bike"], lift["Home/Mug"])


def test_it_comes_back_from_disk_as_it_was(learnt: NameCategories, tmp_path: Path) -> None:
    write_name_categories(tmp_path / "names.npz", learnt)
    read = read_name_categories(tmp_path / "names.npz")
    names = ["bike", "coffee", "?"]
    np.testing.assert_array_equal(read.probabilities(names), learnt.probabilities(names))
    assert read.opinion("bike") == learnt.opinion("bike")


def test_two_categories_are_enough_and_one_is_not() -> None:
    two = [(name, path) for name, path in SHOP if path != "Home/Mug"]
    found = learn_name_categories(two)
    assert found is not None
    assert found.probabilities(["a truck"])[0, found.classes.index("Vehicle/Truck")] > 0.5
    assert learn_name_categories([one for one in two if one[1] == "Vehicle/Bike"]) is None
    assert learn_name_categories([]) is None


@pytest.mark.parametrize("name", ["", "-", "🎉", "ßß"])
def test_a_name_of_unknown_pieces_has_no_opinion(learnt: NameCategories, name: str) -> None:
    assert learnt.opinion(name) is None


def test_the_more_of_a_name_is_unknown_the_less_it_says(learnt: NameCategories) -> None:
    known, partly = (learnt.opinion(name) for name in ("bike", "bike qzjvx wqpxz jqvzk"))
    assert known is not None
    assert partly is not None
    assert known.lift["Vehicle/Bike"] > partly.lift["Vehicle/Bike"]


def test_names_without_words_teach_nothing() -> None:
    assert learn_name_categories([("-", "A"), ("!", "B"), ("", "C")]) is None
