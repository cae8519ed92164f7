"""`python -m bench NAME [--json OUT]`: run one benchmark, print its table, write its figures."""

import importlib
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

Name = Literal[
    "first",
    "gpu",
    "over_http",
    "picture",
    "recognition",
    "recognition.grocery",
    "recognition.fashion",
    "recognition.dance",
    "recognition.calibration",
    "recognition.few_shot",
    "recognition.out_of_distribution",
    "recognition.large_tree",
    "recognition.equality",
    "recognition.tags",
    "recognition.label_errors",
    "serving",
    "training",
    "training.catalens",
    "training.fastai",
    "training.timm",
    "training.autogluon",
    "variants",
    "workers",
]

app = App(name="python -m bench", help=__doc__)


@app.default
def bench(
    name: Name,
    /,
    *,
    json_file: Annotated[Path | None, Parameter(name="--json")] = None,
    work: Path | None = None,
) -> None:
    """Run a benchmark.

    Args:
        name: which; each is a module of this package with what it measures in its docstring, and
            after a dot a part of it.
        json_file: where to write figures, intervals, command and machine.
        work: where runs and bundles go, and are taken from when they are there; a temporary
            directory that is removed if not given.
    """
    module, _, part = name.partition(".")
    parts = (part,) if part else ()
    importlib.import_module(f"bench.{module}").main(json_file, work, *parts)


if __name__ == "__main__":
    app()
