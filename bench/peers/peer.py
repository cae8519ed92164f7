"""A server beside ours: how it is installed, started and asked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Categories = list[tuple[str, float]]


@dataclass(frozen=True)
class Peer:
    """A server beside ours.

    Attributes:
        name: what it is called in figures.
        folder: of this package, with its requirements.txt and server.
        command: what starts it on 127.0.0.1, from bundle, port and the Python of `prepare`.
        environment: what it needs in its environment besides the repository on PYTHONPATH.
        path: where one photo is posted.
        headers: of that request.
        top_categories: the five best, from its answer and the bundle's classes.
        body: that request's, from a JPEG's bytes.
        installer: ``pip`` where only pip finds a wheel that lies on the machine.
    """

    name: str
    folder: str
    command: Callable[[Path, int, Path], list[str]]
    environment: Callable[[Path, int], dict[str, str]]
    path: str
    headers: dict[str, str]
    top_categories: Callable[[bytes, Sequence[str]], Categories]
    body: Callable[[bytes], bytes] = bytes
    installer: Literal["uv", "pip"] = "uv"
