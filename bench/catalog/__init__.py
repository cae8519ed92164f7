"""The catalog at size: how fast it is filled and searched, what it keeps under fire.

A part, `catalog search`, is measured alone; figures are added to those of parts that ran before.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from bench.catalog.batch import measure_batch
from bench.catalog.imports import measure_imports
from bench.catalog.races import measure_races, measure_races_on_s3
from bench.catalog.search import measure_search
from bench.catalog.survival import measure_survival
from bench.figures import Figures
from bench.parts import measure_parts

PARTS: Final[dict[str, Callable[[Figures, Path], None]]] = {
    "import": measure_imports,
    "batch": measure_batch,
    "search": measure_search,
    "races": measure_races,
    "races_s3": measure_races_on_s3,
    "survival": measure_survival,
}


def main(json_file: Path | None, work: Path | None, part: str | None = None) -> None:
    """Measure every part or one, print, write."""
    measure_parts("Catalog", PARTS, json_file, work, part)
