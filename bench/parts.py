"""Benchmarks of several parts: each measured, printed and written as soon as it is done."""

import tempfile
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path

from rich.console import Console

from bench.figures import Figures


def measure_parts(
    title: str,
    parts: Mapping[str, Callable[[Figures, Path], None]],
    json_file: Path | None,
    work: Path | None,
    part: str | None,
) -> None:
    """Measure every part or one, print, write.

    Args:
        title: of the table.
        parts: by name; each adds its figures, and keeps its files in the directory it is given.
        json_file: where the figures are added, after each part.
        work: that directory; a temporary one if not given.
        part: the only one to measure.
    """
    figures = Figures()
    holder = nullcontext(str(work)) if work else tempfile.TemporaryDirectory()
    with holder as folder:
        for name in [part] if part else parts:
            Console().rule(name)
            parts[name](figures, Path(folder))
            if json_file:
                figures.add_to(json_file)
    figures.show(title)
