"""How well the words of a product name fit the words of category paths, without any catalog."""

from collections.abc import Collection, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz, process

from catalog.names import Name, normalise
from catalog.names.words import looks

_ALIKE: Final = 80  # RapidFuzz ratio, 0 to 100, below which two words have nothing in common
_PARENTS: Final = 0.2  # what the words above the leaf may add


def path_affinities(name: Name, paths: Sequence[str]) -> NDArray[np.float64]:
    """How well a name's words fit each path: float64 [len(paths)], 0 to 1.

    1 when each word of the leaf is in the name: `white t-shirt` fits `Apparel/Topwear/Tshirts`,
    since plurals are cut and neighbouring words may be read as one. The words of the parents add
    a little where the leaf leaves room.
    """
    leaves = [_words(path.rpartition("/")[2]) for path in paths]
    parents = [_words(path.rpartition("/")[0].replace("/", " ")) for path in paths]
    words = sorted({word for group in (*leaves, *parents) for word in group})
    heard = _heard(name.stems, words)
    if not words or not heard:
        return np.zeros(len(paths))
    ratios = process.cdist(words, heard, scorer=fuzz.ratio, score_cutoff=_ALIKE)
    best = dict(zip(words, (ratios.max(axis=1) / 100).tolist(), strict=True))

    def fit(group: Sequence[str]) -> float:
        return sum(best[word] for word in group) / len(group) if group else 0.0

    of_leaves = np.array([fit(leaf) for leaf in leaves])
    of_parents = np.array([fit(parent) for parent in parents])
    return np.asarray(of_leaves + _PARENTS * of_parents * (1 - of_leaves), dtype=np.float64)


def _heard(stems: Sequence[str], words: Collection[str]) -> list[str]:
    """The stems, and neighbours joined; a pair that makes a category's word is no longer two."""
    pairs = {pair: "".join(pair) for pair in pairwise(stems)}
    taken = {stem for pair, joined in pairs.items() if joined in words for stem in pair}
    return [*(stem for stem in stems if stem not in taken), *pairs.values()]


@lru_cache(maxsize=16384)
def _words(segment: str) -> tuple[str, ...]:
    """The stems of a segment that tell something: `Perfume and Body Mist` without its `and`."""
    return tuple(stem for stem in normalise(segment).stems if looks(stem) > 0.25)
