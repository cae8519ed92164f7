"""What the peers' scripts share; it runs in their environments and imports nothing of ours.

A script is called as: train.py TRAIN.csv TEST.csv WEIGHTS.pt SECONDS ANSWERS.json
"""

import csv
import json
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

from timm.models import _registry

BACKBONE = "tf_efficientnet_lite0"
SIZE = 224


@dataclass
class Task:
    """One training.

    Attributes:
        train: images and their categories.
        test: images to answer.
        seconds: that the training may take, counted from when the task was read.
    """

    train: list[tuple[str, str]]
    test: list[str]
    seconds: float
    answers: Path
    started: float = field(default_factory=time.monotonic)

    @property
    def left(self) -> float:
        """Seconds of the budget."""
        return self.seconds - (time.monotonic() - self.started)

    def answer(self, categories: list[str]) -> None:
        """Leave the categories of the test photos."""
        self.answers.write_text(json.dumps(categories), encoding="utf-8")


def read_task() -> Task:
    """From the command line; also makes timm's pretrained weights those of the file."""
    train, test, weights, seconds, answers = sys.argv[1:]
    _use_weights(weights)
    return Task(
        [(row["image"], row["category"]) for row in _rows(train)],
        [row["image"] for row in _rows(test)],
        float(seconds),
        Path(answers),
    )


def _rows(table: str) -> list[dict[str, str]]:
    with open(table, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _use_weights(file: str) -> None:
    """There is no model hub here; the weights are those that all trainers begin with."""
    for name, cfg in list(_registry._model_pretrained_cfgs.items()):
        if name.startswith(BACKBONE):
            local = {"file": file, "url": "", "hf_hub_id": None, "num_classes": 0}
            normal = {"mean": (127 / 255,) * 3, "std": (128 / 255,) * 3}
            _registry._model_pretrained_cfgs[name] = replace(cfg, **local, **normal)
