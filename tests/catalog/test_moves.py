from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import InvalidRequest
from catalog.moves import Move, merged, moved
from catalog.product import Product
from catalog.store import Catalog

_PATHS = st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map("/".join)


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    catalog = Catalog.create(str(tmp_path / "catalog"), "e" * 16, 8)
    filed = {"1": "Vehicle/Lorry", "2": "Vehicle/Lorry/Big", "3": "Vehicle/LorryParts", "4": "Art"}
    catalog.put([Product(key, f"Name {key}", path) for key, path in filed.items()])
    catalog.put([Product("none", "Nameless")])
    return catalog


def filed(catalog: Catalog) -> dict[str, str | None]:
    return {one.id: one.category for one in catalog.scan()}


def test_a_category_moves_with_all_below_it_and_nothing_else(catalog: Catalog) -> None:
    assert catalog.move_category("Vehicle/Lorry", " Vehicle / Truck ") == 2
    assert filed(catalog) == {
        "1": "Vehicle/Truck",
        "2": "Vehicle/Truck/Big",
        "3": "Vehicle/LorryParts",
        "4": "Art",
        "none": None,
    }
    assert catalog.moves() == (Move("Vehicle/Lorry", "Vehicle/Truck"),)


def test_a_category_can_be_merged_into_one_that_is_there(catalog: Catalog) -> None:
    assert catalog.move_category("Vehicle/LorryParts", "Art") == 1
    assert catalog.categories() == {"Art": 2, "Vehicle/Lorry": 1, "Vehicle/Lorry/Big": 1}


def test_quotes_and_other_scripts_in_a_path_are_plain_text(catalog: Catalog) -> None:
    catalog.put([Product("5", "x", "L'été/日本"), Product("6", "x", "L'été/日本/a")])
    catalog.move_category("L'été/日本", "It's/ok")
    assert filed(catalog)["5"] == "It's/ok"
    assert filed(catalog)["6"] == "It's/ok/a"


def test_moving_the_same_again_changes_nothing(catalog: Catalog) -> None:
    catalog.move_category("Vehicle/Lorry", "Vehicle/Truck")
    before = filed(catalog)
    assert catalog.move_category("Vehicle/Lorry", "Vehicle/Truck") == 0
    assert filed(catalog) == before
    assert moved("Vehicle/Lorry", catalog.moves()) == "Vehicle/Truck"


@pytest.mark.parametrize(("old", "new"), [("A", "A"), ("A", "A/B"), ("", "A"), ("A", " / ")])
def test_a_move_that_leads_nowhere_is_refused(catalog: Catalog, old: str, new: str) -> None:
    with pytest.raises(InvalidRequest):
        catalog.move_category(old, new)
    assert catalog.moves() == ()


def test_moves_follow_each_other() -> None:
    there_and_back = [Move("A", "B"), Move("B", "A")]
    assert moved("A/x", there_and_back) == "A/x"
    assert moved("A", [Move("A", "B"), Move("B", "C/D")]) == "C/D"
    assert moved("AA", [Move("A", "B")]) == "AA"


def test_what_meets_in_one_category_is_added_up() -> None:
    shares = {"A/x": 0.5, "A/y": 0.2, "B": 0.3}
    assert merged(shares, [Move("A/x", "B")]) == pytest.approx({"B": 0.8, "A/y": 0.2})


@given(st.dictionaries(_PATHS, st.floats(0, 1)), st.lists(st.tuples(_PATHS, _PATHS), max_size=4))
def test_moves_lose_no_probability(shares: dict[str, float], pairs: list) -> None:
    moves = [Move(old, new) for old, new in pairs if new != old and not new.startswith(old + "/")]
    assert sum(merged(shares, moves).values()) == pytest.approx(sum(shares.values()))
