"""Recipes that learn from photos without labels too, from the command line to the run."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from train.run import read_run

pytestmark = pytest.mark.e2e

_QUICK = ("--backbone", "tf_efficientnet_lite0", "--size", "64", "--epochs", "2")


def train(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "catalens.cli", "train", *map(str, arguments)]
    return subprocess.run(command, check=False, capture_output=True, text=True)


@pytest.fixture
def unlabelled(shop: Path, tmp_path: Path) -> Path:
    """A flat folder with some of the shop's photos, and a file that is no photo."""
    folder = tmp_path / "unlabelled"
    folder.mkdir()
    for photo in sorted((shop.parent / "photos").glob("*.jpg"))[:40]:
        shutil.copy(photo, folder)
    (folder / "broken.jpg").write_bytes(b"no photo")
    return folder


def test_finetune_trains_twice_where_the_budget_allows_it(shop: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    found = train(shop, "--run", run, "--recipe", "finetune", "--budget", "9m", *_QUICK)
    assert found.returncode == 0, found.stderr
    *epochs, head = read_run(run).document.epochs
    assert [record["member"] for record in epochs] == [1, 1, 2, 2]
    assert head["phase"] == "head"


def test_transductive_lets_the_head_learn_from_unlabelled_photos(
    shop: Path, unlabelled: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    found = train(
        shop, "--run", run, "--recipe", "transductive", "--unlabelled", unlabelled, *_QUICK
    )
    assert found.returncode == 0, found.stderr
    *epochs, head = read_run(run).document.epochs
    assert [record["phase"] for record in epochs] == ["finetune", "finetune"]
    assert head["unlabelled"] == 40


def test_unsupervised_adapts_the_backbone_before_it_learns_labels(
    shop: Path, unlabelled: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    found = train(
        shop, "--run", run, "--recipe", "unsupervised", "--unlabelled", unlabelled, *_QUICK
    )
    assert found.returncode == 0, found.stderr
    phases = [record["phase"] for record in read_run(run).document.epochs]
    assert phases == ["adapt", "adapt", "finetune", "finetune", "head"]


def test_unlabelled_photos_are_asked_for_and_refused_where_they_are_no_use(
    shop: Path, unlabelled: Path, tmp_path: Path
) -> None:
    missing = train(shop, "--run", tmp_path / "a", "--recipe", "transductive")
    assert missing.returncode != 0
    assert "--unlabelled" in missing.stderr
    useless = train(shop, "--run", tmp_path / "b", "--unlabelled", unlabelled)
    assert useless.returncode != 0
    assert "labelled photos alone" in useless.stderr
