"""Which category a product's name speaks for, learnt from the shop's own names."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from catalog.moves import Move, merged
from catalog.names.form import normalise

_LENGTHS: Final = (2, 3, 4, 5)


@dataclass(frozen=True, eq=False)
class NameCategories:
    """A softmax regression over the pieces of a name.

    Attributes:
        classes: category paths.
        pieces: that are known.
        rarity: float32 [P], inverse document frequency of each.
        weight: float16 [P, C].
        bias: float32 [C].
        prior: float32 [C], shares of the products it was fitted to.
    """

    classes: tuple[str, ...]
    pieces: tuple[str, ...]
    rarity: NDArray[np.float32]
    weight: NDArray[np.float16]
    bias: NDArray[np.float32]
    prior: NDArray[np.float32]

    def probabilities(self, names: Sequence[str]) -> NDArray[np.float32]:
        """Float32 [N, C] of names as the shop writes them; a name without known pieces says what
        is likely of any product."""
        return np.asarray(softmax(np.stack([self._logits(name) for name in names]), axis=1))

    def opinion(self, name: str, moves: Sequence[Move] = ()) -> "NameOpinion | None":
        """What one name says; None where no piece of it is known.

        Args:
            name: as the shop writes it.
            moves: of the categories since it was fitted.
        """
        if not any(piece in self._places for piece in pieces(name)):
            return None
        (found,) = self.probabilities([name])
        shares, prior = (
            merged(dict(zip(self.classes, values.tolist(), strict=True)), moves)
            for values in (found, self.prior)
        )
        return NameOpinion(shares, {path: share / prior[path] for path, share in shares.items()})

    @cached_property
    def _places(self) -> dict[str, int]:
        return {piece: place for place, piece in enumerate(self.pieces)}

    def _logits(self, name: str) -> NDArray[np.float32]:
        counts = Counter(pieces(name))
        known = [piece for piece in counts if piece in self._places]
        if not known:
            return np.log(self.prior)
        places = [self._places[piece] for piece in known]
        values = np.array([1 + math.log(counts[piece]) for piece in known], np.float32)
        values *= self.rarity[places]
        # What is not known takes its part of the unit length, as rare as any: it says less.
        unknown = sum(
            (1 + math.log(count)) ** 2
            for piece, count in counts.items()
            if piece not in self._places
        )
        values /= math.sqrt(float(values @ values) + unknown * float(self.rarity.max()) ** 2)
        return np.asarray(self.bias + values @ self.weight[places].astype(np.float32))


@dataclass(frozen=True)
class NameOpinion:
    """What a name says of its category.

    Attributes:
        probabilities: by path.
        lift: by path, how many times likelier than without the name.
    """

    probabilities: Mapping[str, float]
    lift: Mapping[str, float]


def pieces(name: str) -> list[str]:
    """Runs of two to five letters in each word of the normal form, word ends among them."""
    return [
        word[place : place + length]
        for word in (f" {one} " for one in normalise(name).text.split())
        for length in _LENGTHS
        for place in range(len(word) - length + 1)
    ]


def write_name_categories(file: Path, model: NameCategories) -> None:
    """Write as numpy's npz, without pickle."""
    np.savez_compressed(
        file,
        classes=np.array(model.classes),
        pieces=np.array(model.pieces),
        rarity=model.rarity,
        weight=model.weight,
        bias=model.bias,
        prior=model.prior,
    )


def read_name_categories(file: Path) -> NameCategories:
    """The inverse of `write_name_categories`."""
    with np.load(file, allow_pickle=False) as found:
        return NameCategories(
            tuple(found["classes"].tolist()),
            tuple(found["pieces"].tolist()),
            found["rarity"],
            found["weight"],
            found["bias"],
            found["prior"],
        )
