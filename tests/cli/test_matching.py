"""fit-matching and evaluate-matching, as a user types them."""

import csv
import json
from pathlib import Path

import pytest

from catalens.sample import SampleConfig, draw_shop
from inference.bundle import read_bundle
from tests.cli.test_commands import run


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    shop = tmp_path_factory.mktemp("drawn") / "shop"
    draw_shop(shop, SampleConfig(products=120, photos=2, size=64))
    return shop / "pairs.csv"


@pytest.fixture(scope="module")
def fitted(pairs: Path, tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("fitted") / "bundle"
    assert run("fit-matching", tiny_bundle, pairs, directory) == 0
    return directory


def test_figures_and_curve_are_written(fitted: Path, pairs: Path, tmp_path: Path) -> None:
    figures, plot = tmp_path / "figures.json", tmp_path / "curve.svg"
    assert run("evaluate-matching", fitted, pairs, "--json", figures, "--plot", plot) == 0
    found = json.loads(figures.read_text(encoding="utf-8"))
    assert set(found) == {"pairs", "f1", "precision", "recall", "average_precision"}
    assert found["f1"] > 0.9
    assert "<svg" in plot.read_text(encoding="utf-8")


def test_a_directory_that_is_taken_is_refused_before_anything_is_read(
    fitted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("fit-matching", "no-bundle", "no-pairs.csv", fitted) == 1
    assert "already exists" in capsys.readouterr().err


def test_pairs_with_unreadable_photos_are_listed_and_too_many_stop_the_run(
    fitted: Path, pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = list(csv.DictReader(pairs.open(encoding="utf-8")))
    for row in rows[:10]:
        row["left_image"] = "gone.jpg"
    broken, listed = pairs.with_name("broken.csv"), tmp_path / "bad.csv"
    with broken.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, rows[0])
        table.writeheader()
        table.writerows(rows)
    flags = ("--split", "train", "--bad-rows", listed)
    assert run("evaluate-matching", fitted, broken, *flags, "--max-bad", "0.2") == 0
    bad = list(csv.DictReader(listed.open(encoding="utf-8")))
    assert 0 < len(bad) <= 10
    assert {row["problem"] for row in bad} == {"no such file."}
    assert run("evaluate-matching", fitted, broken, *flags, "--max-bad", "0.001") == 1
    assert "--max-bad" in capsys.readouterr().err


def test_the_fitted_names_are_what_compare_uses(
    fitted: Path, tiny_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ("Veloce Sierra VN-580 Van Orange 2.8 t", "van veloce sierra vn580 2,8t")
    flags = ("--left-name", names[0], "--right-name", names[1], "--json")
    scores = []
    for bundle in (tiny_bundle, fitted):
        assert run("compare", bundle, *flags) == 0
        scores.append(json.loads(capsys.readouterr().out)["name_similarity"])
        assert scores[-1] == pytest.approx(
            read_bundle(bundle).match_model.names.compare(*names).similarity
        )
    assert scores[0] != scores[1]
