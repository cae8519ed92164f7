"""What recipes and the parts of fine-tuning are worth, and cost: grocery, one thing changed a time.

Half of grocery's photos train, the other half judges (`bench.folds.hard_half`). Recipes that learn
without labels are given the photos of the other half. A part, `ablations no_colour`, trains one
variant; answers are kept, so that gains are photo by photo.
"""

import json
import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bench.figures import Figures, gain_interval, share_interval
from bench.folds import hard_half, write_split
from bench.runs import guess
from bench.shops import GROCERY, require
from bench.steps import learn_run
from catalog.manifest import ManifestConfig, Row, read_manifest
from train.backbones import SMALLEST
from train.run import Run

_HALVES: Final = "halves.csv"
_OTHER_HALF: Final = "other_half.csv"

_COMMON: Final = {"recipe": "finetune", "backbone": SMALLEST, "epochs": "12"}
_DEFAULT: Final = "default"

# The settings in which each differs.
PARTS: Final[dict[str, dict[str, str]]] = {
    _DEFAULT: {},
    "cutmix_instead": {"cutmix": "0.5", "erase": "0"},
    "cutmix_too": {"cutmix": "0.5"},
    "no_colour": {"colour": "0"},
    "no_erasing": {"erase": "0"},
    "no_label_smoothing": {"label-smoothing": "0"},
    "no_pretrained_share": {"pretrained-share": "0"},
    "one_rate": {"backbone-rate": "1"},
    "balanced": {"balance": "0.5"},
    "288_px": {"size": "288"},
    "24_epochs": {"epochs": "24"},
    "probe": {"recipe": "probe"},
    "transductive": {"recipe": "transductive", "unlabelled": _OTHER_HALF},
    "unsupervised": {"recipe": "unsupervised", "unlabelled": _OTHER_HALF},
}
_ANSWERS: Final = Path(__file__).parent / "results" / "ablation_answers.json"


def main(json_file: Path | None, work: Path | None, part: str | None = None) -> None:
    """Train every variant or one, print, write."""
    kept = json.loads(_ANSWERS.read_text(encoding="utf-8")) if _ANSWERS.exists() else {}
    figures = Figures()
    with nullcontext(str(work)) if work else tempfile.TemporaryDirectory() as folder:
        rows = _halves(Path(folder))
        for name in [part] if part else PARTS:
            run = _learnt(name, Path(folder))
            kept[name] = _right(run, rows)
            _ANSWERS.write_text(json.dumps(kept) + "\n", encoding="utf-8")
            figures.add(f"{name}_minutes", run.minutes)
    for name, found in kept.items():
        right = _bits(found)
        figures.add(f"{name}_top1", right.mean(), share_interval(right))
        if name != _DEFAULT and _DEFAULT in kept:
            default = _bits(kept[_DEFAULT])
            gain = float(right.mean() - default.mean())
            figures.add(f"{name}_gain", gain, gain_interval(right, default))
    figures.show("Ablations")
    if json_file:
        figures.add_to(json_file)


def _learnt(name: str, work: Path) -> Run:
    settings = _COMMON | PARTS[name]
    if "unlabelled" in settings:
        settings["unlabelled"] = str(work / _OTHER_HALF)
    flags = [flag for key, value in settings.items() for flag in (f"--{key}", value)]
    return learn_run(work / _HALVES, work / name, *flags)


def _right(run: Run, rows: tuple[Row, ...]) -> str:
    """A 1 for each photo of the other half that the run's model has right, else a 0."""
    guesses = guess(run, rows)
    return "".join(str(int(a == row.category)) for a, row in zip(guesses, rows, strict=True))


def _bits(found: str) -> NDArray[np.bool_]:
    return np.array([one == "1" for one in found])


def _halves(work: Path) -> tuple[Row, ...]:
    """Write the manifest, and the other half without labels; the rows that judge."""
    manifest = work / _HALVES
    if not manifest.exists():
        rows = read_manifest(str(require(GROCERY).manifest), ManifestConfig()).rows
        write_split(manifest, rows, hard_half(rows))
    judged = read_manifest(str(manifest), ManifestConfig()).split("val").rows
    images = "".join(f"{row.image}\n" for row in judged)
    (work / _OTHER_HALF).write_text(f"image\n{images}", encoding="utf-8")
    return judged
