"""How good the answers are: on real shops and few photos, by every recipe.

A whole run takes hours on 2 cores; `recognition grocery` and so on measure one part, and add their
figures to those of the JSON file. With ``--work`` each model is trained once: a run that was
stopped goes on where it was.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from bench.figures import Figures
from bench.parts import measure_parts
from bench.recognition.calibration import measure_calibration
from bench.recognition.dance import measure_dance
from bench.recognition.equality import measure_equality
from bench.recognition.few_shot import measure_few_shot
from bench.recognition.label_errors import measure_label_errors
from bench.recognition.large_tree import measure_large_tree
from bench.recognition.out_of_distribution import measure_out_of_distribution
from bench.recognition.shops import measure_shop
from bench.recognition.tags import measure_tags
from bench.shops import FASHION, GROCERY

PARTS: Final[dict[str, Callable[[Figures, Path], None]]] = {
    "grocery": partial(measure_shop, shop=GROCERY),
    "fashion": partial(measure_shop, shop=FASHION),
    "dance": measure_dance,
    "calibration": measure_calibration,
    "few_shot": measure_few_shot,
    "out_of_distribution": measure_out_of_distribution,
    "large_tree": measure_large_tree,
    "equality": measure_equality,
    "tags": measure_tags,
    "label_errors": measure_label_errors,
}


def main(json_file: Path | None, work: Path | None, part: str | None = None) -> None:
    """Measure every part or one, print, write."""
    measure_parts("Recognition", PARTS, json_file, work, part)
