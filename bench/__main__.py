"""`python -m bench NAME [PART]`: run one benchmark, print its table, write its figures."""

import importlib
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

Name = Literal[
    "ablations",
    "autoscale",
    "catalog",
    "first",
    "fuzz",
    "gpu",
    "heads",
    "matching",
    "over_http",
    "page",
    "perf_analyzer",
    "picture",
    "recognition",
    "screenshots",
    "serving",
    "survive",
    "training",
    "variants",
    "workers",
]

app = App(name="python -m bench", help=__doc__)


@app.default
def bench(
    name: Name,
    /,
    part: str | None = None,
    *,
    json_file: Annotated[Path | None, Parameter(name="--json")] = None,
    work: Path | None = None,
) -> None:
    """Run a benchmark.

    Args:
        name: which; each is a module of this package with what it measures in its docstring.
        part: only this part of it, such as a data set or a peer, where it has parts.
        json_file: where to write figures, intervals, command and machine.
        work: where runs and bundles go, and are taken from when they are there; a temporary
            directory that is removed if not given.
    """
    benchmark = importlib.import_module(f"bench.{name}")
    if part is None:
        benchmark.main(json_file, work)
        return
    parts = tuple(getattr(benchmark, "PARTS", ()))
    if part not in parts:
        raise SystemExit(f"{name} has no part {part!r}; it has {', '.join(parts) or 'none'}.")
    benchmark.main(json_file, work, part)


if __name__ == "__main__":
    app()
