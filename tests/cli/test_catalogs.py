"""The commands on a catalog, as a user types them."""

import csv
from datetime import UTC, datetime
from pathlib import Path

import pytest

from catalog.product import Product
from catalog.reviews.decide import decide
from catalog.reviews.queue import Reviews
from catalog.reviews.record import Review
from catalog.store import Catalog
from tests.bundles import another
from tests.cli.test_commands import run
from tests.colours import COLOURS, colour_photo


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    path = tmp_path / "shop.csv"
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("id", "image", "name", "category"))
        for number in range(8):
            category = list(COLOURS)[number % 4]
            image = tmp_path / f"{number % 7}.jpg"  # the last product has the photo of the first
            image.write_bytes(colour_photo(list(COLOURS)[number % 7 % 4], seed=number % 7))
            table.writerow((f"p{number}", image.name, f"Paint {number}", category))
    return path


@pytest.fixture
def catalog(tiny_bundle: Path, manifest: Path, tmp_path: Path) -> Path:
    place = tmp_path / "catalog"
    assert run("import", tiny_bundle, manifest, place) == 0
    return place


def test_a_moved_category_stays_moved_when_the_old_feed_is_imported_again(
    catalog: Path, tiny_bundle: Path, manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("move-category", catalog, "Warm/Red", "Crimson [new]") == 0
    assert "Crimson [new]" in capsys.readouterr().out
    assert run("import", tiny_bundle, manifest, catalog) == 0
    assert "8 were there already" in capsys.readouterr().out.replace("\n", " ")
    assert set(Catalog.open(str(catalog)).categories()) == {
        *(set(COLOURS) - {"Warm/Red"}),
        "Crimson [new]",
    }
    assert run("forget-moves", catalog) == 0
    assert Catalog.open(str(catalog)).moves() == ()


def test_a_category_that_nobody_knows_is_not_moved(
    catalog: Path, tiny_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert run("move-category", catalog, "Warm/Rad", "Crimson") == 1
    assert "Did you mean Warm/Red" in capsys.readouterr().err
    assert run("move-category", catalog, "Nowhere", "Elsewhere") == 1
    assert "--bundle" in capsys.readouterr().err
    assert Catalog.open(str(catalog)).moves() == ()


def test_a_category_that_only_a_bundle_or_an_earlier_move_knows_is_moved(
    catalog: Path, tiny_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    opened = Catalog.open(str(catalog))
    opened.delete([product.id for product in opened.scan() if product.category == "Warm/Red"])
    capsys.readouterr()
    for known in (("--bundle", tiny_bundle), ()):
        assert run("move-category", catalog, "Warm/Red", "Crimson", *known) == 0
        said = "No product is filed at Warm/Red; what a bundle says of it counts for Crimson.\n"
        assert capsys.readouterr().out == said


def test_what_a_person_decided_holds_against_the_next_import_and_is_exported(
    catalog: Path, tiny_bundle: Path, manifest: Path, tmp_path: Path
) -> None:
    opened, reviews = Catalog.open(str(catalog)), Reviews(str(catalog))
    now = datetime(2026, 1, 1, tzinfo=UTC)
    review = Review("r", "p1", "Paint 1", (colour_photo("Warm/Red"),), 1, None, 0.0, (), now)
    reviews.keep([review])
    decide(opened, reviews, review, "By/Hand", Product("p1"))
    assert run("import", tiny_bundle, manifest, catalog) == 0
    found = opened.get("p1")
    assert found is not None
    assert found.category == "By/Hand"
    assert run("export-reviews", catalog, tmp_path / "labelled", "--excel") == 0
    with (tmp_path / "labelled" / "manifest.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["id"], row["category"]) == ("p1", "By/Hand")
    assert (tmp_path / "labelled" / row["image"]).exists()
    assert (tmp_path / "labelled" / "manifest.xlsx").exists()


def test_a_backup_is_restored_and_a_wrong_place_is_told(
    catalog: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("backup", catalog, tmp_path / "backups") == 0
    Catalog.open(str(catalog)).delete(["p1", "p2"])
    assert run("restore", tmp_path / "backups", catalog) == 0
    assert Catalog.open(str(catalog)).count() == 8
    capsys.readouterr()
    assert run("restore", tmp_path / "empty", catalog) == 1
    assert "catalens backup" in capsys.readouterr().err.replace("\n", " ")
    assert run("backup", tmp_path / "none", tmp_path / "backups") == 1


def test_duplicates_are_shown_and_listed(
    catalog: Path, tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page, table = tmp_path / "out" / "page.html", tmp_path / "groups.csv"
    assert run("duplicates", catalog, page, "--table", table) == 0
    with table.open(newline="") as file:
        groups = [row["id"] for row in csv.DictReader(file) if row["shares_photo"] == "1"]
    assert groups == ["p0", "p7"]
    assert page.read_text().startswith("<!doctype html>")
    stranger = another(tiny_bundle, tmp_path / "stranger", embedding_id="abcd" * 4)
    assert run("duplicates", catalog, page, "--bundle", stranger) == 1
    assert "reindex" in capsys.readouterr().err


def test_reindex_lets_another_bundle_answer(
    catalog: Path, tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    second = another(tiny_bundle, tmp_path / "second", embedding_id="abcd" * 4)
    assert run("categorize", second, "--catalog", catalog, "--name", "Paint 1") == 1
    assert run("reindex", second, catalog, "--fill-only") == 0
    assert run("categorize", second, "--catalog", catalog, "--name", "Paint 1") == 1
    assert run("reindex", second, catalog) == 0
    capsys.readouterr()
    assert run("categorize", second, "--catalog", catalog, "--name", "Paint 1") == 0
    assert "Cool/Green" in capsys.readouterr().out


def test_a_mistyped_table_of_pairs_is_told_apart_from_a_catalog(
    tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pairs.cvs").write_text("left,right,same\n")
    assert run("fit-matching", tiny_bundle, tmp_path / "pairs.cvs", tmp_path / "new") == 1
    assert "neither" in capsys.readouterr().err
