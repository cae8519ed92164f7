from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.manifest import read_manifest
from catalog.names import normalise
from catalog.names.variants import vary
from catalog.product import Product
from catalog.store import Catalog
from inference.bundle import Bundle
from inference.catalog_pairs import pairs_of_catalog
from inference.importer import import_manifest
from inference.pairs import SeenPair


@pytest.fixture
def catalog(bundle: Bundle, shop: str, tmp_path: Path) -> Catalog:
    import_manifest(bundle, read_manifest(shop), str(tmp_path / "catalog"))
    return Catalog.open(str(tmp_path / "catalog"))


def of_same(pairs: list[SeenPair], same: bool) -> list[SeenPair]:
    return [one for one in pairs if one.pair.same is same]


def test_a_product_is_the_same_as_itself_and_not_as_its_neighbours(
    bundle: Bundle, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inference.catalog_pairs._LEAST_WITH_PHOTOS", 12)
    pairs = pairs_of_catalog(bundle, catalog, device="cpu")
    same, others = of_same(pairs, True), of_same(pairs, False)
    assert len(same) == 12
    assert len(others) >= 12
    assert all(one.image_similarity is not None for one in pairs)
    assert {one.pair.left.name for one in same} == {one.name for one in catalog.scan()}
    assert all(one.pair.left.name != one.pair.right.name for one in others)


def test_where_products_have_one_photo_each_names_alone_are_learnt_from(
    bundle: Bundle, tmp_path: Path
) -> None:
    catalog = Catalog.create(str(tmp_path / "c"), bundle.document.embedding_id, 32)
    vectors = np.eye(32, dtype=np.float32)
    catalog.put(
        [Product(f"p{n}", f"Lamp number {n}", "Home", {}, vectors[n], (b"j",)) for n in range(5)]
    )
    pairs = pairs_of_catalog(bundle, catalog, device="cpu")
    assert {one.image_similarity for one in pairs} == {None}
    assert of_same(pairs, True)
    assert of_same(pairs, False)


def test_neighbours_of_one_name_or_one_picture_are_left_out(bundle: Bundle, tmp_path: Path) -> None:
    catalog = Catalog.create(str(tmp_path / "c"), bundle.document.embedding_id, 32)
    vectors = np.eye(32, dtype=np.float32)
    catalog.put(
        [
            Product("1", "Red lamp", "Home", {}, vectors[0]),
            Product("2", "red LAMP", "Home", {}, vectors[1]),
            Product("3", "Red lamp shade", "Home", {}, vectors[0]),
        ]
    )
    for one in of_same(pairs_of_catalog(bundle, catalog, device="cpu"), False):
        left, right = one.pair.left.name or "", one.pair.right.name or ""
        assert normalise(left).text != "red lamp" or "shade" in right.lower()
        assert one.image_similarity is None or one.image_similarity < 0.999


def test_the_same_seed_gives_the_same_pairs(bundle: Bundle, catalog: Catalog) -> None:
    first, again = (pairs_of_catalog(bundle, catalog, device="cpu", seed=3) for _ in range(2))
    assert [one.pair for one in first] == [one.pair for one in again]


def test_an_empty_catalog_gives_no_pairs(bundle: Bundle, tmp_path: Path) -> None:
    catalog = Catalog.create(str(tmp_path / "c"), bundle.document.embedding_id, 32)
    assert pairs_of_catalog(bundle, catalog, device="cpu") == []


@given(st.text(), st.integers(0, 2**32))
def test_any_name_can_be_varied(name: str, seed: int) -> None:
    assert isinstance(vary(name, np.random.default_rng(seed)), str)


@pytest.mark.parametrize("name", ["Bosch PSB-750 drill 230 V", "Oat milk 6 x 1 l", "Lamp 40 W E27"])
def test_codes_and_amounts_stay_in_a_varied_name(name: str) -> None:
    known = normalise(name)
    for seed in range(50):
        varied = normalise(vary(name, np.random.default_rng(seed)))
        assert all(code.replace("-", "") in varied.squashed for code in known.codes)
        assert varied.quantities == known.quantities


def test_names_without_words_are_no_pair(bundle: Bundle, tmp_path: Path) -> None:
    catalog = Catalog.create(str(tmp_path / "c"), bundle.document.embedding_id, 32)
    catalog.put([Product("1", "-"), Product("2", "A - -"), Product("3", "Red lamp")])
    for one in pairs_of_catalog(bundle, catalog, device="cpu"):
        assert normalise(one.pair.left.name or "").text
        assert normalise(one.pair.right.name or "").text
