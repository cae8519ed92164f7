"""The product's own commands, run and timed as a user would run them."""

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.shops import Shop
from catalog.metrics import classification_report
from catalog.tree import CategoryTree
from inference.bundle import Bundle, read_bundle
from inference.photos import SeenRow, see_rows
from inference.session import Session
from train.run import Run, read_run


def catalens(*arguments: str | Path) -> float:
    """Run a command; its minutes.

    Raises:
        CalledProcessError: it failed.
    """
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "catalens.cli", *map(str, arguments)], check=True)
    return (time.perf_counter() - started) / 60


def learn_run(manifest: Path, directory: Path, *flags: str) -> Run:
    """Train, or go on with what was stopped, unless the directory holds the finished run."""
    if not (directory / "run.json").exists():
        resume = ("--resume",) if directory.exists() else ()
        catalens("train", manifest, "--run", directory, *flags, *resume)
    return read_run(directory)


@dataclass(frozen=True)
class Judged:
    """A model's answers on labelled photos.

    Attributes:
        probabilities: float32 [N, classes].
        truth: category paths.
        right: bool [N], the first guess is the category.
        right_at_2: bool [N], the likeliest two-long prefix is the category's.
        report: of `catalog.metrics.classification_report`.
    """

    probabilities: NDArray[np.float32]
    truth: list[str]
    right: NDArray[np.bool_]
    right_at_2: NDArray[np.bool_]
    report: dict[str, object]


def learn(shop: Shop, work: Path, label: str, *flags: str) -> tuple[Bundle, dict[str, float]]:
    """Train and export, unless ``work`` holds the bundle already; the bundle, minutes per step."""
    run, bundle = work / f"{label}-run", work / f"{label}-bundle"
    minutes = {}
    if not bundle.exists():
        learn_run(shop.manifest, run, *flags)
        minutes["export"] = catalens("export", run, bundle)
    minutes["train"] = read_run(run).minutes
    return read_bundle(bundle), minutes


def judge(bundle: Bundle, shop: Shop, split: str = "val") -> Judged:
    """Every photo of a split through the exported graph, as serving would see it."""
    seen = [
        one
        for one in see_rows(Session(bundle, device="cpu"), shop.rows(split).rows)
        if isinstance(one, SeenRow) and one.probabilities is not None
    ]
    truth = [one.row.category or "" for one in seen]
    probabilities = np.stack([one.probabilities for one in seen if one.probabilities is not None])
    return judged(bundle.tree, probabilities, truth)


def judged(tree: CategoryTree, probabilities: NDArray[np.float32], truth: list[str]) -> Judged:
    """Compare float32 [N, classes] with the true paths."""
    guesses = [tree.classes[best] for best in probabilities.argmax(axis=1)]
    depth = min(2, tree.depth)
    shallow = tree.best_at(tree.roll_up(probabilities), depth)
    return Judged(
        probabilities,
        truth,
        np.array([guess == path for guess, path in zip(guesses, truth, strict=True)]),
        np.array(
            [
                guess == "/".join(path.split("/")[:2])
                for guess, path in zip(shallow, truth, strict=True)
            ]
        ),
        classification_report(tree, probabilities, truth),
    )
