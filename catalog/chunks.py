"""Many things, some at a time."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

_Item = TypeVar("_Item")


def chunks(items: Iterable[_Item], size: int) -> Iterator[list[_Item]]:
    """Lists of ``size`` of the items, the last perhaps shorter, taken as they are needed."""
    source = iter(items)
    while some := list(islice(source, size)):
        yield some
