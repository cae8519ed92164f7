from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from catalog.errors import InvalidRequest
from catalog.product import Product
from catalog.store import Catalog
from inference.neighbours import find_neighbours


def unit(*values: float) -> NDArray[np.float32]:
    vector = np.array(values, dtype=np.float32)
    return np.asarray(vector / np.linalg.norm(vector), dtype=np.float32)


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    catalog = Catalog.create(str(tmp_path / "catalog"), "abcd" * 4, 2)
    catalog.put(
        [
            Product("east", name="oat milk 1 l", category="Milk/Oat", embedding=unit(1, 0)),
            Product("north", name="city bike", category="Bike", embedding=unit(0, 1)),
            Product("name only", name="Oat Milk 1000 ml", category="Milk/Oat"),
            Product("photo only", category="Bike", embedding=unit(1, 1)),
            Product("nowhere", name="oat milk 1 l", embedding=unit(1, 0)),
        ]
    )
    return catalog


def test_neighbours_by_photo_and_by_name_are_united_each_once(catalog: Catalog) -> None:
    found = {one.id: one for one in find_neighbours(catalog, unit(1, 0.1), "oat milk 1l")}
    assert set(found) == {"east", "north", "name only", "photo only"}
    east = found["east"]
    assert east.path == "Milk/Oat"
    assert east.image_similarity == pytest.approx(0.995, abs=1e-3)
    assert found["name only"].image_similarity is None


def test_neighbours_by_photo_say_how_near_their_category_is_as_a_whole(catalog: Catalog) -> None:
    found = {one.id: one for one in find_neighbours(catalog, unit(1, 0), "oat milk 1l")}
    assert found["east"].prototype_similarity == pytest.approx(1.0)
    halfway = float(np.cos(np.pi / 8 * 3))  # of the bikes at 45 and 90 degrees
    assert found["north"].prototype_similarity == pytest.approx(halfway, abs=1e-6)
    assert found["photo only"].prototype_similarity == found["north"].prototype_similarity
    assert found["name only"].prototype_similarity is None


def test_without_a_name_no_names_are_searched(catalog: Catalog) -> None:
    for name in (None, "", "  ", "!?"):
        found = find_neighbours(catalog, unit(0, 1), name)
        assert {one.id for one in found} == {"east", "north", "photo only"}


def test_without_a_photo_only_names_are_searched(catalog: Catalog) -> None:
    found = find_neighbours(catalog, None, "milk")
    assert {one.id for one in found} == {"east", "name only"}
    assert all(one.image_similarity is None for one in found)


def test_nothing_asked_finds_nothing(catalog: Catalog) -> None:
    assert find_neighbours(catalog, None, None) == []


def test_a_product_is_not_its_own_neighbour(catalog: Catalog) -> None:
    found = find_neighbours(catalog, unit(0, 1), None, limit=1, without="north")
    assert [one.id for one in found] == ["photo only"]
    asked = find_neighbours(catalog, None, "city bike", without="north")
    assert "north" not in {one.id for one in asked}


def test_the_limit_holds_for_each_search(catalog: Catalog) -> None:
    assert len(find_neighbours(catalog, unit(0, 1), None, limit=2)) == 2
    with pytest.raises(InvalidRequest):
        find_neighbours(catalog, unit(0, 1), None, limit=0)
