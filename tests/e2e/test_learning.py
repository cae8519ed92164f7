"""Sample shop, training, export, evaluation: the trained model against what is easy."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression

from catalog.manifest import Row, read_manifest
from train.run import read_run

pytestmark = pytest.mark.e2e

_TAGS = ("--tags-column", "colour")


def catalens(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "catalens.cli", *map(str, arguments)],
        check=True,
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def bundle(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("learning")
    catalens("train", shop, "--run", directory / "run", "--recipe", "probe", *_TAGS)
    catalens("export", directory / "run", directory / "bundle")
    return directory / "bundle"


def test_the_trained_model_is_right_where_a_colour_histogram_is_not(
    shop: Path, bundle: Path, tmp_path: Path
) -> None:
    catalens("evaluate", bundle, shop, "--json", tmp_path / "figures.json")
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["images"] > 80
    assert figures["unreadable"] == 0
    assert figures["top1"] > 0.9
    assert figures["depth"]["1"] >= figures["depth"]["2"] >= figures["depth"]["3"]
    assert _histogram_top1(shop) < 0.6


def test_a_run_holds_what_the_contract_names(bundle: Path, shop: Path) -> None:
    run = read_run(bundle.parent / "run")
    assert {path.name for path in run.directory.iterdir()} == {
        "run.json", "model.safetensors", "predictions.parquet", "examples.parquet",
        "tags.npz", "name_categories.npz", "data_issues.csv", "report.html",
    }  # fmt: skip
    train = read_manifest(str(shop)).split("train")
    assert run.document.data["photos"] == len(train.rows)
    assert len(run.held_out().images) == len(train.rows)
    page = (run.directory / "report.html").read_text()
    for section in ("How far to trust it", "Worst mistakes", "Tags", "What to mend in the data"):
        assert f"<h2>{section}</h2>" in page
    assert "<svg" in page
    assert "http" not in page.replace("http://www.w3.org", "")


def test_tags_are_evaluated_and_answered_beside_the_category(
    shop: Path, bundle: Path, tmp_path: Path
) -> None:
    catalens("evaluate", bundle, shop, *_TAGS, "--json", tmp_path / "figures.json")
    figures = json.loads((tmp_path / "figures.json").read_text())
    rows = read_manifest(str(shop)).split(None).rows
    colours = {row.attributes["colour"] for row in rows}
    assert set(figures["average_precision"]) <= colours
    assert figures["mean_average_precision"] > 2 / len(colours)  # twice what chance gives
    answer = catalens("classify", bundle, rows[0].image or "", "--json")
    tags = json.loads(answer.stdout)["results"][0]["tags"]
    assert len(tags) == 5
    assert all(0 <= tag["probability"] <= 1 for tag in tags)


def test_a_finished_run_is_neither_overwritten_nor_trained_again(bundle: Path, shop: Path) -> None:
    run = bundle.parent / "run"
    refused = subprocess.run(
        [sys.executable, "-m", "catalens.cli", "train", shop, "--run", run],
        check=False,
        capture_output=True,
        text=True,
    )
    assert refused.returncode == 1
    assert "not empty" in refused.stderr
    assert "Traceback" not in refused.stderr
    before = (run / "run.json").stat().st_mtime_ns
    catalens("train", shop, "--run", run, "--resume")
    assert (run / "run.json").stat().st_mtime_ns == before


def _histogram_top1(shop: Path) -> float:
    manifest = read_manifest(str(shop))
    train, rest = manifest.split("train").rows, manifest.split(None).rows
    model = LogisticRegression(max_iter=500)
    model.fit(np.stack([_histogram(row) for row in train]), [row.category for row in train])
    guesses = model.predict(np.stack([_histogram(row) for row in rest]))
    return float(np.mean(guesses == np.array([row.category for row in rest])))


def _histogram(row: Row) -> np.ndarray:
    pixels = np.asarray(Image.open(row.image).convert("RGB")) // 32
    index = pixels[..., 0].astype(int) * 64 + pixels[..., 1] * 8 + pixels[..., 2]
    return np.bincount(index.ravel(), minlength=512) / index.size
