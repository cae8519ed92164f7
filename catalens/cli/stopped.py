"""Ctrl-C: what a command has to say when it is stopped."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

GOES_ON: Final = "Run it again: it goes on where it was."


@contextmanager
def told_when_stopped(advice: Callable[[], str] = lambda: GOES_ON) -> Iterator[None]:
    """Let `main` say this when the block is stopped; Ray leaves its own way on Ctrl-C."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        raise KeyboardInterrupt(advice()) from None
