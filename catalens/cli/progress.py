"""The progress of commands that take long."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr, gone at the end, on a terminal; yields what takes the done and the total."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    console = Console(file=sys.stderr)
    hidden = not console.is_terminal  # where rich would leave an empty line
    with Progress(*columns, console=console, transient=True, disable=hidden) as bar:
        task = bar.add_task(what, total=None)

        def show(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield show


@contextmanager
def step(what: str) -> Iterator[Callable[[str], None]]:
    """Say on stderr what is done, with the time it takes; a line each where that is no terminal.

    Yields what takes the name of the next step.
    """
    console = Console(file=sys.stderr)
    if not console.is_terminal:

        def say(what: str) -> None:
            console.print(f"{what}.", markup=False, highlight=False, soft_wrap=True)

        say(what)
        yield say
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda what: bar.update(task, description=what)
