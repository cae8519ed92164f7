"""Other ways to write a product's name, as another feed or a hasty hand would.

What tells products apart stays: numbers, amounts and model codes, and most of the words.
"""

import re
from typing import Final

import numpy as np

_CODE: Final = re.compile(r"(?=.*\d)(?=.*[A-Za-z])[\w]+(?:-[\w]+)+")
_OPEN: Final = re.compile(r"[\d.,/]+|[x×*]")  # a number goes with its unit, `6 x 1 l` together
_LEAST_WORDS: Final = 3  # of a name that can lose one
_LONG: Final = 5  # letters of a word that can be mistyped or cut


def vary(name: str, rng: np.random.Generator) -> str:
    """The name written otherwise: words left out, moved, cut, mistyped, codes joined, case.

    Args:
        name: as the shop writes it.
        rng: decides.
    """
    words = _words(name)
    plain = [place for place, word in enumerate(words) if not any(map(str.isdigit, word))]
    if len(words) >= _LEAST_WORDS and plain and rng.random() < 0.6:
        del words[int(rng.choice(plain))]
    if len(words) > 1 and rng.random() < 0.5:
        cut = int(rng.integers(1, len(words)))
        words = words[cut:] + words[:cut]
    words = [_varied(word, rng) for word in words]
    text = " ".join(words)
    case = rng.random()
    if case < 0.2:
        return text.upper()
    return text.lower() if case < 0.5 else text


def _words(name: str) -> list[str]:
    """The words, amounts as one."""
    words: list[str] = []
    unfinished = False
    for word in name.split():
        if unfinished:
            words[-1] += f" {word}"
        else:
            words.append(word)
        unfinished = _OPEN.fullmatch(word) is not None
    return words


def _varied(word: str, rng: np.random.Generator) -> str:
    if _CODE.fullmatch(word):
        return word.replace("-", str(rng.choice(["", " ", "-"])))
    if len(word) < _LONG or not word.isalpha() or rng.random() > 0.1:
        return word
    if rng.random() < 0.5:
        return word[:4] + "."
    place = int(rng.integers(1, len(word) - 2))
    return word[:place] + word[place + 1] + word[place] + word[place + 2 :]
