"""Are two products one, and where does a product belong: by name, by photo, by both.

A part, `matching names`, measures one; with ``--work`` models that are there are taken.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from bench.figures import Figures
from bench.matching.categorize import measure_categorize
from bench.matching.duplicates import measure_duplicates
from bench.matching.names import measure_names
from bench.matching.shop import measure_shop
from bench.parts import measure_parts

PARTS: Final[dict[str, Callable[[Figures, Path], None]]] = {
    "names": measure_names,
    "categorize": measure_categorize,
    "shop": measure_shop,
    "duplicates": measure_duplicates,
}


def main(json_file: Path | None, work: Path | None, part: str | None = None) -> None:
    """Measure every part or one, print, write."""
    measure_parts("Matching", PARTS, json_file, work, part)
