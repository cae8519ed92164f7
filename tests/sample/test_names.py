import csv
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from catalens.sample.names import Name, variant, write_size
from catalens.sample.product import make_product


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_no_two_products_of_a_large_shop_share_a_name() -> None:
    names = {str(make_product(0, index).name) for index in range(6000)}
    assert len(names) == 6000


def test_suppliers_write_every_product_otherwise_than_the_shop(small_shop: Path) -> None:
    names = {row["id"]: row["name"] for row in rows_of(small_shop / "manifest.csv")}
    written = defaultdict(list)
    for row in rows_of(small_shop / "variants.csv"):
        written[row["id"]].append(row["name"])
    assert written.keys() == names.keys()
    assert all(len(set(found)) == 3 for found in written.values())
    assert all(names[id_] not in found for id_, found in written.items())


@pytest.mark.parametrize(
    ("size", "ways"),
    [
        ((1, 500, "ml"), {"500 ml", "500ml", "0.5 L", "0.5l", "50 cl"}),
        ((2, 330, "ml"), {"2 x 330 ml", "330 ml x 2", "2x330ml"}),
        ((1, 28, "in"), {'28"', "28 inch", "28 in"}),
    ],
)
def test_a_size_is_written_in_several_ways(size: tuple[int, float, str], ways: set[str]) -> None:
    assert ways <= {write_size(size, unit, pack) for unit in range(5) for pack in range(5)}


def test_variants_lose_accents_brands_and_case_at_times() -> None:
    name = Name("Lumière", "Nova", "LM-120", "Table Lamp", "Black", (1, 40, "W"))
    texts = [variant(name, np.random.default_rng(seed)) for seed in range(200)]
    assert any("Lumiere" in text for text in texts)
    assert any("lumi" not in text.casefold() for text in texts)
    assert any(text.isupper() for text in texts)
    assert any("LM120" in text for text in texts)
    assert all("120" in text for text in texts)
    assert str(name) not in texts


def test_pairs_tell_the_truth_of_the_ids_within_one_split_and_category(small_shop: Path) -> None:
    manifest = {row["image"]: row for row in rows_of(small_shop / "manifest.csv")}
    pairs = rows_of(small_shop / "pairs.csv")
    for pair in pairs:
        left, right = manifest[pair["left_image"]], manifest[pair["right_image"]]
        assert (left["id"] == right["id"]) == (pair["same"] == "1")
        assert left["split"] == right["split"] == pair["split"]
        assert left["category"] == right["category"]
        assert pair["left_name"] != pair["right_name"]
    same = sum(pair["same"] == "1" for pair in pairs) / len(pairs)
    assert 0.3 < same < 0.7
    assert {pair["split"] for pair in pairs} == {"train", "val", "test"}
