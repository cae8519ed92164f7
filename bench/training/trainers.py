"""The trainers: ours by its command, each peer by its script in its own environment."""

import json
import os
import subprocess
from pathlib import Path
from typing import Final

import torch

from bench.peers.environment import environment
from bench.runs import guess
from bench.steps import learn_run
from bench.training.splits import Split
from catalog.manifest import ManifestConfig, read_manifest
from train.backbones import SMALLEST, create_backbone

OURS: Final = "catalens"
PARTS: Final = (OURS, "fastai", "timm", "autogluon")
_HERE: Final = Path(__file__).resolve().parent


def answer(trainer: str, split: Split, directory: Path) -> list[str]:
    """The category that a freshly trained model gives each photo of the split's test.

    Args:
        trainer: one of `PARTS`.
        split: what to learn and to answer.
        directory: where models and answers are kept; those that are there are taken.

    Raises:
        PeerUnavailable: the peer cannot be installed.
        CalledProcessError: its training failed.
    """
    answers = directory / f"{split.name}-{trainer}.json"
    if not answers.exists():
        guesses = _ours(split, directory) if trainer == OURS else _peers(trainer, split, directory)
        answers.write_text(json.dumps(guesses), encoding="utf-8")
    found: list[str] = json.loads(answers.read_text("utf-8"))
    return found


def _ours(split: Split, directory: Path) -> list[str]:
    place = directory / f"{split.name}-{OURS}"
    budget = f"{split.seconds}s"
    run = learn_run(split.train, place, "--budget", budget, "--backbone", SMALLEST)
    rows = read_manifest(str(split.test), ManifestConfig()).rows
    return guess(run, rows)


def _peers(trainer: str, split: Split, directory: Path) -> list[str]:
    python = environment(_HERE / trainer)
    weights = directory / f"{SMALLEST}.pt"
    if not weights.exists():
        backbone, _ = create_backbone(SMALLEST)
        torch.save(backbone.state_dict(), weights)
    answers = directory / f"{split.name}-{trainer}.unfinished.json"
    subprocess.run(
        [
            *(str(python), str(_HERE / trainer / "train.py"), str(split.train), str(split.test)),
            *(str(weights), str(split.seconds), str(answers)),
        ],
        check=True,
        cwd=directory,
        env=os.environ | {"PYTHONPATH": str(_HERE), "HF_HUB_OFFLINE": "1"},
    )
    found: list[str] = json.loads(answers.read_text("utf-8"))
    answers.unlink()
    return found
