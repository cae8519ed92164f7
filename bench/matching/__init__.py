"""Are two products one, and where does a product belong: by name, by photo, by both.

A part, `matching names`, measures one; with ``--work`` models that are there are taken.
"""

import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Final

from rich.console import Console

from bench.figures import Figures
from bench.matching.categorize import measure_categorize
from bench.matching.names import measure_names

PARTS: Final[dict[str, Callable[[Figures, Path], None]]] = {
    "names": measure_names,
    "categorize": measure_categorize,
}


def main(json_file: Path | None, work: Path | None, part: str | None = None) -> None:
    """Measure every part or one, print, write."""
    figures = Figures()
    with nullcontext(str(work)) if work else tempfile.TemporaryDirectory() as folder:
        for name in [part] if part else PARTS:
            Console().rule(name)
            PARTS[name](figures, Path(folder))
            if json_file:
                figures.add_to(json_file)
    figures.show("Matching")
