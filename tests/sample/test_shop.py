import csv
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression

from catalens.sample import SampleConfig, draw_shop
from catalog.errors import InvalidRequest


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def files_of(directory: Path) -> dict[str, bytes]:
    files = (path for path in directory.rglob("*") if path.is_file())
    return {path.relative_to(directory).as_posix(): path.read_bytes() for path in files}


def draw(directory: Path, **settings: int) -> dict[str, bytes]:
    draw_shop(directory, SampleConfig(**{"photos": 2, "size": 64, **settings}))
    return files_of(directory)


def test_one_seed_draws_the_same_files(tmp_path: Path) -> None:
    assert draw(tmp_path / "a", products=20) == draw(tmp_path / "b", products=20)


def test_several_processes_draw_the_same_files_as_one(tmp_path: Path, monkeypatch) -> None:
    alone = draw(tmp_path / "a", products=12)
    monkeypatch.setattr("catalens.sample.shop._ALONE", 5)
    monkeypatch.setattr("catalens.sample.shop._cores", lambda: 2)
    assert draw(tmp_path / "b", products=12) == alone


def test_another_seed_draws_other_products(tmp_path: Path) -> None:
    first, second = draw(tmp_path / "a", products=4), draw(tmp_path / "b", products=4, seed=1)
    assert first.keys() == second.keys()
    assert all(first[path] != second[path] for path in first)


def test_more_products_and_photos_leave_the_earlier_ones_as_they_were(tmp_path: Path) -> None:
    few, many = draw(tmp_path / "a", products=5), draw(tmp_path / "b", products=9, photos=3)
    photos = [path for path in few if path.endswith(".jpg")]
    assert len(photos) == 10
    assert all(few[path] == many[path] for path in photos)
    names = {row["id"]: row["name"] for row in rows_of(tmp_path / "b/manifest.csv")}
    assert all(names[row["id"]] == row["name"] for row in rows_of(tmp_path / "a/manifest.csv"))


def test_the_manifest_has_a_row_for_every_photo(small_shop: Path) -> None:
    rows = rows_of(small_shop / "manifest.csv")
    header = ["image", "category", "name", "id", "brand", "colour", "pattern", "split"]
    assert list(rows[0]) == header
    photos = {path.relative_to(small_shop).as_posix() for path in small_shop.glob("photos/*.jpg")}
    assert {row["image"] for row in rows} == photos
    assert len(rows) == len(photos) == 240
    assert Image.open(small_shop / rows[0]["image"]).size == (96, 96)


def test_one_id_has_one_category_one_name_and_one_split(small_shop: Path) -> None:
    told = defaultdict(set)
    for row in rows_of(small_shop / "manifest.csv"):
        told[row["id"]].add((row["category"], row["name"], row["split"]))
    assert all(len(facts) == 1 for facts in told.values())


def test_every_category_occurs_in_every_split_once_it_has_three_products(tmp_path: Path) -> None:
    draw(tmp_path / "shop", products=3 * 18, photos=1, size=32)
    splits = defaultdict(set)
    for row in rows_of(tmp_path / "shop/manifest.csv"):
        splits[row["category"]].add(row["split"])
    assert len(splits) == 18
    assert all(found == {"train", "val", "test"} for found in splits.values())


def test_about_seventy_of_a_hundred_products_are_for_training(small_shop: Path) -> None:
    splits = [row["split"] for row in rows_of(small_shop / "manifest.csv")]
    assert 0.65 < splits.count("train") / len(splits) < 0.75


def test_the_tree_has_three_levels_and_vehicles_with_truck_car_and_bike(small_shop: Path) -> None:
    paths = {row["category"] for row in rows_of(small_shop / "manifest.csv")}
    assert all(len(path.split("/")) == 3 for path in paths)
    assert {"Vehicle/Road/Truck", "Vehicle/Road/Car", "Vehicle/Road/Bike"} <= paths


def test_a_colour_histogram_cannot_tell_the_categories(small_shop: Path) -> None:
    rows = rows_of(small_shop / "manifest.csv")
    histograms = []
    for row in rows:
        levels = np.asarray(Image.open(small_shop / row["image"])) // 32
        bins = np.ravel_multi_index(np.moveaxis(levels, -1, 0), (8, 8, 8)).ravel()
        histograms.append(np.sqrt(np.bincount(bins, minlength=512) / bins.size))
    features = np.array(histograms)
    labels = np.array([row["category"] for row in rows])
    train = np.array([row["split"] == "train" for row in rows])
    model = LogisticRegression(C=10, max_iter=300).fit(features[train], labels[train])
    val = np.array([row["split"] == "val" for row in rows])
    assert model.score(features[val], labels[val]) < 0.6


def test_progress_counts_photos_up_to_all_of_them(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    config = SampleConfig(products=3, photos=2, size=32)
    manifest = draw_shop(tmp_path / "shop", config, lambda done, total: calls.append((done, total)))
    assert calls == [(2, 6), (4, 6), (6, 6)]
    assert manifest == tmp_path / "shop/manifest.csv"


def test_a_folder_that_is_not_empty_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(InvalidRequest, match="not empty"):
        draw_shop(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("wrong", [{"products": 0}, {"photos": 0}, {"seed": -1}, {"size": 8}])
def test_numbers_out_of_range_are_refused(tmp_path: Path, wrong: dict[str, int]) -> None:
    with pytest.raises(InvalidRequest, match=next(iter(wrong))):
        draw_shop(tmp_path / "shop", SampleConfig(**wrong))
    assert not (tmp_path / "shop").exists()
