import csv
import json
from pathlib import Path

import pytest

from catalog.errors import InvalidManifest
from catalog.manifest import Manifest, ManifestConfig, read_manifest
from catalog.product import Product
from catalog.store import Catalog
from inference.bundle import Bundle
from inference.evaluate import Use, evaluate, needed_columns
from inference.importer import import_manifest
from tests.colours import colour_photo
from tests.inference.conftest import WriteShop

KEYS = ["images", "unreadable", "top1", "top5", "macro_f1", "weighted_f1", "ece", "depth"]


@pytest.fixture
def catalog(bundle: Bundle, shop: str, tmp_path: Path) -> Catalog:
    uri = str(tmp_path / "catalog")
    import_manifest(bundle, read_manifest(shop).split("train"), uri)
    return Catalog.open(uri)


def val(shop: str, **settings: object) -> Manifest:
    return read_manifest(shop, ManifestConfig(**settings)).split(None)  # type: ignore[arg-type]


def test_the_report_has_exactly_the_figures_of_the_design(bundle: Bundle, shop: str) -> None:
    report = json.loads(json.dumps(evaluate(bundle, val(shop)).to_json()))
    assert list(report) == KEYS
    assert (report["images"], report["unreadable"]) == (8, 0)
    assert (report["top1"], report["top5"], report["macro_f1"]) == (1.0, 1.0, 1.0)
    assert report["depth"] == {"1": 1.0, "2": 1.0}
    assert 0 < report["ece"] < 0.5


def test_a_wrong_label_costs_what_it_weighs(
    bundle: Bundle, write_shop: WriteShop, tmp_path: Path
) -> None:
    labels = ["Warm/Red", "Warm/Red", "Warm/Yellow", "Cool/Blue"]
    for number in range(4):
        (tmp_path / f"{number}.jpg").write_bytes(colour_photo("Warm/Red", number))
    rows = [(f"{n}.jpg", label, "", "", "val") for n, label in enumerate(labels)]
    figures = evaluate(bundle, val(write_shop(rows))).figures
    assert figures["top1"] == 0.5
    assert figures["depth"] == {"1": 0.75, "2": 0.5}


def test_unreadable_photos_are_counted_listed_and_skipped(
    bundle: Bundle, shop: str, tmp_path: Path
) -> None:
    (tmp_path / "2-0.jpg").write_bytes(b"no photo")
    listed = tmp_path / "bad.csv"
    report = evaluate(bundle, val(shop, max_bad=0.2), bad_rows_file=listed)
    assert (report.images, report.unreadable) == (7, 1)
    assert report.figures["top1"] == 1.0
    with listed.open() as lines:
        assert [row["field"] for row in csv.DictReader(lines)] == ["image"]


def test_too_many_unreadable_photos_stop_the_evaluation(
    bundle: Bundle, shop: str, tmp_path: Path
) -> None:
    (tmp_path / "2-0.jpg").unlink()
    with pytest.raises(InvalidManifest, match="1 of 8 rows are bad"):
        evaluate(bundle, val(shop))


def test_progress_counts_every_row(bundle: Bundle, shop: str) -> None:
    steps: list[tuple[int, int]] = []
    evaluate(bundle, val(shop), progress=lambda done, total: steps.append((done, total)))
    assert steps[-1] == (8, 8)


@pytest.mark.parametrize("use", ["photo", "name", "both"])
def test_categorize_is_judged_in_a_catalog(
    bundle: Bundle, shop: str, catalog: Catalog, use: Use
) -> None:
    report = evaluate(bundle, val(shop), catalog=catalog, use=use)
    values = report.to_json()
    assert list(values) == [*KEYS, "auto_share", "auto_precision"]
    assert values["images"] == 8
    assert values["top1"] == 1.0
    assert report.auto_share is not None
    assert 0 <= report.auto_share <= 1
    assert report.auto_precision in (None, 1.0)


def test_names_are_judged_without_looking_at_the_photos(
    bundle: Bundle, shop: str, catalog: Catalog, tmp_path: Path
) -> None:
    for photo in tmp_path.glob("*.jpg"):
        photo.unlink()
    report = evaluate(bundle, val(shop), catalog=catalog, use="name")
    assert (report.images, report.unreadable) == (8, 0)
    assert report.figures["top1"] == 1.0


def test_a_row_with_nothing_to_judge_is_a_bad_row_but_no_unreadable_photo(
    bundle: Bundle, write_shop: WriteShop, catalog: Catalog, tmp_path: Path
) -> None:
    rows = [
        ("2-0.jpg", "Warm/Red", "", "a", "val"),
        ("", "Warm/Red", "Red paint", "b", "val"),
        ("", "Warm/Red", "", "c", "val"),
    ]
    manifest = read_manifest(
        write_shop(rows), ManifestConfig(max_bad=0.5), needs=needed_columns(True, "both")
    ).split("val")
    report = evaluate(bundle, manifest, catalog=catalog, bad_rows_file=tmp_path / "bad.csv")
    assert (report.images, report.unreadable) == (2, 0)
    assert "neither photo nor name" in (tmp_path / "bad.csv").read_text()


def test_the_product_itself_does_not_answer_for_itself(
    bundle: Bundle, write_shop: WriteShop, tmp_path: Path
) -> None:
    (tmp_path / "odd.jpg").write_bytes(colour_photo("Warm/Red"))
    filed_wrong = [("odd.jpg", "Cool/Blue", "Odd one", "odd", "val")]
    manifest = read_manifest(write_shop(filed_wrong))
    uri = str(tmp_path / "catalog")
    import_manifest(bundle, manifest, uri)
    report = evaluate(bundle, manifest.split("val"), catalog=Catalog.open(uri))
    assert report.figures["top1"] == 0


def test_a_category_only_the_catalog_knows_can_be_answered(
    bundle: Bundle, write_shop: WriteShop, tmp_path: Path
) -> None:
    catalog = Catalog.create(str(tmp_path / "c"), bundle.document.embedding_id, 32)
    catalog.put([Product(f"t{n}", name="garden trowel", category="Tools/Trowel") for n in range(3)])
    manifest = read_manifest(
        write_shop([("", "Tools/Trowel", "Garden trowel", "new", "val")]),
        needs=needed_columns(True, "name"),
    )
    report = evaluate(bundle, manifest.split("val"), catalog=catalog, use="name")
    assert report.figures["depth"] == {"1": 1.0, "2": 1.0}


@pytest.mark.parametrize(
    ("catalog", "use", "expected"),
    [
        (False, "name", {"image", "category"}),
        (True, "photo", {"image", "category"}),
        (True, "name", {"name", "category"}),
        (True, "both", {"category"}),
    ],
)
def test_only_columns_that_are_used_are_needed(catalog: bool, use: Use, expected: set[str]) -> None:
    assert needed_columns(catalog, use) == expected
