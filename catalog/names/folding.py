"""Spelling of a product name, folded: case, accents, punctuation and the writing of numbers.

Folding goes the way of NFKC_Casefold in Unicode Standard Annex 15
(https://www.unicode.org/reports/tr15/).
"""

import re
import unicodedata
from typing import Final

MAX_LENGTH: Final = 512
"""Characters of a name that are read; the rest is cut, which bounds the cost of any input."""

_SIGNS: Final = str.maketrans(
    {
        **dict.fromkeys("™®©℠", " "),
        **dict.fromkeys("″”“„", '"'),
        **dict.fromkeys("′’‘´`", "'"),
        **{"½": " 1/2", "¼": " 1/4", "¾": " 3/4"},
    }
)
_LETTERS: Final = str.maketrans(
    {"ø": "o", "đ": "d", "ł": "l", "æ": "ae", "œ": "oe", "ı": "i", "þ": "th", "ð": "d"}
)
_KEPT: Final = frozenset('./-%"*× ')
_WITH: Final = re.compile(r"(?<!\S)w\s*/")
_THOUSANDS: Final = re.compile(r"(?<![\d.,])([1-9]\d{0,2}),(?=\d{3}(?![\d.,]))")
_DECIMAL_COMMA: Final = re.compile(r"(?<![\d.,])(\d+),(?=\d+(?![\d.,]))")
_LEADING_DOT: Final = re.compile(r"(?<!\S)\.(?=\d)")
_OUTSIDE: Final = re.compile(r'[^a-z0-9./%"*-]+')
_BREAKS: Final = re.compile(r'[/"*×]|(?<!\d)%')
_HYPHENS: Final = re.compile(r"[.-]+")
_DIGIT: Final = re.compile(r"\d")


def fold(name: str) -> str:
    """Folds case, accents on Latin and Greek letters, signs and numbers; keeps other scripts.

    Points, hyphens, slashes and quotes stay, since amounts need them; `tidy` takes them away.
    """
    text = name[:MAX_LENGTH].translate(_SIGNS)
    if text.isascii():
        text = _OUTSIDE.sub(" ", _numbers(text.lower()))
    else:
        text = "".join(c for c in text if unicodedata.category(c) != "Cf")
        text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
        text = _numbers(_without_accents(text).translate(_LETTERS)[:MAX_LENGTH])
        text = "".join(
            c if c in _KEPT or unicodedata.category(c)[0] in "LNM" else " " for c in text
        )
    return _LEADING_DOT.sub("0.", text)


def _without_accents(text: str) -> str:
    """Drops combining marks on Latin and Greek letters; other scripts spell with theirs."""
    kept: list[str] = []
    drops = False
    for character in unicodedata.normalize("NFKD", text):
        if not unicodedata.combining(character):
            drops = character < "\u0400"
        elif drops:
            continue
        kept.append(character)
    return unicodedata.normalize("NFKC", "".join(kept))


def _numbers(text: str) -> str:
    """Writes `1,500` as `1500`, `1,5` as `1.5`, `''` as `"`, `w/` as `with`; drops apostrophes."""
    if "," in text:
        text = _DECIMAL_COMMA.sub(r"\1.", _THOUSANDS.sub(r"\1", text))
    return _WITH.sub(" with ", text.replace("''", '"').replace("'", ""))


def tidy(text: str) -> str:
    """Words with single spaces; points and hyphens stay only inside words that hold a digit."""
    words: list[str] = []
    for word in _BREAKS.sub(" ", text).split():
        if "-" in word or "." in word:
            if _DIGIT.search(word):
                words.append(word.strip(".-"))
            else:
                words += _HYPHENS.sub(" ", word).split()
        else:
            words.append(word)
    tidy = " ".join(words)
    return tidy if len(tidy) <= MAX_LENGTH else tidy[: MAX_LENGTH + 1].rpartition(" ")[0]
