"""Categories that were renamed, merged into others or moved: what a model learnt to call them.

A model goes on answering with the paths it was trained on; the moves lead from those to the paths
that the catalog has now.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from catalog.errors import InvalidRequest, UnknownCategory
from catalog.tree import ancestors, normalise_path


@dataclass(frozen=True)
class Move:
    """A category and all below it, and where they are now.

    Attributes:
        old, new: paths, brought into canonical form.

    Raises:
        InvalidRequest: one is empty, or the new one lies at or below the old one.
    """

    old: str
    new: str

    def __post_init__(self) -> None:
        for field in ("old", "new"):
            object.__setattr__(self, field, normalise_path(getattr(self, field)))
        if not (self.old and self.new):
            raise InvalidRequest("A category path is empty.", where="old, new", fix="Give both.")
        if _at_or_below(self.new, self.old):
            raise InvalidRequest(
                f"{self.new!r} lies at or below {self.old!r}.",
                where="new",
                fix="Move it elsewhere first, or file its products one by one.",
            )

    def of(self, path: str) -> str:
        """Where a path is after this move."""
        return self.new + path[len(self.old) :] if _at_or_below(path, self.old) else path


def moved(path: str, moves: Sequence[Move]) -> str:
    """Where a path is after all the moves, the first of them first."""
    for move in moves:
        path = move.of(path)
    return path


def merged(values: Mapping[str, float], moves: Sequence[Move]) -> dict[str, float]:
    """Values of paths as those of where these are now; what meets in one path is added up."""
    found: dict[str, float] = {}
    for path, value in values.items():
        now = moved(path, moves)
        found[now] = found.get(now, 0.0) + value
    return found


def require_known(
    path: str, classes: Iterable[str], filed: Iterable[str], moves: Sequence[Move], fix: str
) -> None:
    """Refuse to move what is no category: a misspelt one would be moved in vain.

    Args:
        path: of the category that is to be moved.
        classes: of a model, as it learnt to call them.
        filed: categories of products.
        moves: that were made before; one may be made again.
        fix: what to do where no category is spelt nearly so.

    Raises:
        UnknownCategory: it is none of these, nor above one.
    """
    known = {*filed, *(move.old for move in moves)}
    for one in classes:
        known |= {one, moved(one, moves)}
    categories = {node for one in known for node in ancestors(one)}
    if path in categories:
        return
    near = get_close_matches(path, sorted(categories), n=3)
    raise UnknownCategory(
        f"no product is filed at or below {path!r}, and it was not moved before.",
        where="old",
        fix=f"Did you mean {' or '.join(near)}?" if near else fix,
    )


def _at_or_below(path: str, of: str) -> bool:
    return path == of or path.startswith(f"{of}/")
