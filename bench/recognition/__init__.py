"""How good the answers are: on real shops and few photos, by every recipe, and beside peers.

A whole run takes hours on 2 cores. With ``--work`` each model is trained once: a run that was
stopped goes on where it was, and figures are written after every part.
"""

import tempfile
from contextlib import nullcontext
from pathlib import Path

from rich.console import Console

from bench.figures import Figures
from bench.recognition.calibration import measure_calibration
from bench.recognition.dance import measure_dance
from bench.recognition.equality import measure_equality
from bench.recognition.few_shot import measure_few_shot
from bench.recognition.large_tree import measure_large_tree
from bench.recognition.out_of_distribution import measure_out_of_distribution
from bench.recognition.shops import measure_shops

RESULTS = Path(__file__).parents[1] / "results"


def main(json_file: Path | None, work: Path | None) -> None:
    """Measure, print, write."""
    console = Console()
    figures = Figures()
    holder = nullcontext(str(work)) if work else tempfile.TemporaryDirectory()

    def keep(part: str) -> None:
        console.rule(part)
        if json_file:
            figures.write(json_file)

    with holder as folder:
        keep("grocery and fashion")
        judged = measure_shops(figures, Path(folder))
        keep("dance, cross-validated")
        judged["dance"] = measure_dance(figures, Path(folder))
        keep("calibration")
        measure_calibration(figures, judged, RESULTS / "reliability.png")
        keep("new categories from a few photos")
        measure_few_shot(figures, Path(folder))
        keep("photos of nothing the model knows")
        measure_out_of_distribution(figures, Path(folder))
        keep("300 categories")
        measure_large_tree(figures, Path(folder))
        keep("PyTorch, graph and HTTP")
        measure_equality(figures, Path(folder))
    figures.show("Recognition")
    if json_file:
        figures.write(json_file)
