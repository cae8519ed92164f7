"""The category tree: probabilities rolled up to every ancestor, and how deep to answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from catalog.errors import InvalidRequest, UnknownCategory

Nested = dict[str, "Nested"]


def normalise_path(text: str) -> str:
    """Category path in canonical form: segments trimmed, empty ones dropped, joined by ``/``."""
    return "/".join(part for part in (piece.strip() for piece in text.split("/")) if part)


def prefix(path: str, depth: int) -> str:
    """The first ``depth`` segments of a path; a shorter path counts as itself."""
    return "/".join(path.split("/")[:depth])


def ancestors(path: str) -> tuple[str, ...]:
    """The path's prefixes from depth 1 to the path itself."""
    parts = path.split("/")
    return tuple("/".join(parts[: depth + 1]) for depth in range(len(parts)))


@dataclass(frozen=True)
class Certain:
    """The answer for one photo: a node of the tree and the probability rolled up to it."""

    path: str
    probability: float
    certain: bool


class CategoryTree:
    """Classes of a model as paths of a tree; a class may also be an inner node.

    Args:
        classes: class paths in the order of the model's outputs.
    """

    def __init__(self, classes: Sequence[str]) -> None:
        self.classes = tuple(classes)
        self.nodes = tuple(sorted({node for path in classes for node in ancestors(path)}))
        self._node_index = {node: index for index, node in enumerate(self.nodes)}
        self.depth = max((path.count("/") + 1 for path in classes), default=0)
        self._membership = np.zeros((len(self.classes), len(self.nodes)), dtype=np.float32)
        for row, path in enumerate(self.classes):
            self._membership[row, [self._node_index[node] for node in ancestors(path)]] = 1.0
        self._levels = tuple(
            np.array(
                sorted({self._node_index[prefix(path, depth)] for path in classes}), dtype=np.intp
            )
            for depth in range(1, self.depth + 1)
        )
        children: dict[str, list[int]] = {}
        for column, node in enumerate(self.nodes):
            children.setdefault(node.rpartition("/")[0], []).append(column)
        below = {node: np.array(columns, dtype=np.intp) for node, columns in children.items()}
        none = np.array([], dtype=np.intp)
        self._roots = below.get("", none)
        self._children = tuple(below.get(node, none) for node in self.nodes)
        # Per level, the classes above it that have children: their place and the children.
        self._inner = tuple(
            [
                (place, below[node])
                for place, node in enumerate(self.level(depth))
                if node.count("/") + 1 < depth and node in below
            ]
            for depth in range(1, self.depth + 1)
        )

    def roll_up(self, probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
        """Sum class probabilities into every node.

        Args:
            probabilities: float32 [N, classes].

        Returns:
            float32 [N, nodes], columns in the order of ``nodes``.
        """
        return np.asarray(probabilities @ self._membership, dtype=np.float32)

    def level(self, depth: int) -> tuple[str, ...]:
        """The d-long prefixes of all classes, a shorter class counting as itself.

        Raises:
            InvalidRequest: the tree has no such depth.
        """
        return tuple(self.nodes[index] for index in self._level(depth))

    def best_at(self, rolled: NDArray[np.float32], depth: int) -> list[str]:
        """The likeliest node of each row among `level(depth)`; ``rolled`` is float32 [N, nodes]."""
        columns = self._level(depth)
        return [self.nodes[columns[best]] for best in self._shares(rolled, depth).argmax(axis=1)]

    def answer(self, rolled: NDArray[np.float32], certainty: float) -> Certain:
        """The deepest node that is certain enough, else the likeliest of depth 1.

        On the way down only the likeliest child is followed, so answers at different
        certainties lie on one path.

        Args:
            rolled: float32 [nodes], one row of `roll_up`.
            certainty: the probability a node must reach.
        """
        reached: Certain | None = None
        columns = self._roots
        while len(columns):
            best = int(columns[rolled[columns].argmax()])
            # Sums of float32 shares can pass 1 by a rounding error.
            found = Certain(self.nodes[best], min(float(rolled[best]), 1.0), True)
            if found.probability < certainty:
                return reached or Certain(found.path, found.probability, False)
            reached, columns = found, self._children[best]
        if reached is None:
            raise InvalidRequest("the tree has no classes.", where="classes")
        return reached

    def ranked_classes(self, probabilities: NDArray[np.float32]) -> dict[str, float]:
        """Classes with their own probabilities, likeliest first; input float32 [classes]."""
        return _ranked(self.classes, probabilities)

    def ranked_level(self, rolled: NDArray[np.float32], depth: int) -> dict[str, float]:
        """Nodes of one level with rolled-up probabilities that sum to 1, likeliest first.

        Args:
            rolled: float32 [nodes], one row of `roll_up`.
            depth: 1 for the roots.
        """
        names = [self.nodes[column] for column in self._level(depth)]
        return _ranked(names, self._shares(rolled[None], depth)[0])

    def require(self, path: str) -> str:
        """The path itself when it is a node.

        Raises:
            UnknownCategory: it is not.
        """
        if path not in self._node_index:
            raise UnknownCategory(
                f"no category {path!r} in the tree.", fix="GET /v1/categories lists them."
            )
        return path

    def as_nested(self) -> Nested:
        """The tree as nested dictionaries of segment names."""
        root: Nested = {}
        for path in self.nodes:
            here = root
            for part in path.split("/"):
                here = here.setdefault(part, {})
        return root

    def _shares(self, rolled: NDArray[np.float32], depth: int) -> NDArray[np.float32]:
        """What each node of a level has, float32 [N, nodes of the level]; rows sum to 1.

        A class above the level counts for itself: what its children have is theirs.
        """
        shares = rolled[:, self._level(depth)]
        for place, children in self._inner[depth - 1]:
            own = shares[:, place] - rolled[:, children].sum(axis=1)
            shares[:, place] = np.maximum(own, 0.0)
        return shares

    def _level(self, depth: int) -> NDArray[np.intp]:
        if not 1 <= depth <= self.depth:
            raise InvalidRequest(
                f"there is no level {depth}; the tree has levels 1 to {self.depth}.", where="level"
            )
        return self._levels[depth - 1]


def roll_up_paths(scores: Mapping[str, float]) -> dict[str, float]:
    """Sum the shares of any category paths into all their ancestors, largest first."""
    total: dict[str, float] = {}
    for path, share in scores.items():
        for node in ancestors(path):
            total[node] = total.get(node, 0.0) + share
    return dict(sorted(total.items(), key=lambda item: (-item[1], item[0].count("/"), item[0])))


def _ranked(names: Sequence[str], values: NDArray[np.float32]) -> dict[str, float]:
    order = np.argsort(-values, kind="stable")
    return {names[i]: min(float(values[i]), 1.0) for i in order}
