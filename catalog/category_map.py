"""Other people's categories as paths of the shop's own tree: a file says which is which."""

import csv
import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from catalog.errors import InvalidManifest
from catalog.tree import normalise_path

# A line of Google's taxonomy-with-ids.en-US.txt: "1604 - Apparel & Accessories > Clothing".
_GOOGLE: Final = re.compile(r"(\d+) - (.+)")
_LEVEL: Final = " > "


def read_category_map(file: Path) -> Mapping[str, str]:
    """By what a feed may write, the category path.

    A .csv has the columns `from` and `to`. A .txt is the Google product taxonomy with ids: a feed
    may write the id or the whole name, whose levels become those of the path.

    Raises:
        InvalidManifest: it cannot be read, or is neither.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidManifest(f"it cannot be read ({error}).", where=str(file)) from None
    found = _google(text) if file.suffix.lower() == ".txt" else _table(text, file)
    if not found:
        raise InvalidManifest(
            "it maps nothing.",
            where=str(file),
            fix="A .csv needs columns from and to; a .txt is Google's taxonomy with ids.",
        )
    return found


def _google(text: str) -> dict[str, str]:
    found = {}
    for line in text.splitlines():
        entry = _GOOGLE.fullmatch(line.strip())
        if entry is not None:
            # A slash within a name would be a level of its own.
            levels = (level.replace("/", "-") for level in entry[2].split(_LEVEL))
            found[entry[1]] = found[entry[2]] = normalise_path("/".join(levels))
    return found


def _table(text: str, file: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    try:
        table = csv.DictReader(io.StringIO(text, newline=""))
        if not {"from", "to"} <= set(table.fieldnames or ()):
            raise InvalidManifest(
                f"its columns are {', '.join(table.fieldnames or ()) or 'none'}.",
                where=str(file),
                fix="It needs from and to, separated by a comma.",
            )
        for row in table:
            where = f"{file}: line {table.line_num}"
            written, path = (row["from"] or "").strip(), normalise_path(row["to"] or "")
            if not written or not path:
                raise InvalidManifest("from or to is empty.", where=where)
            if found.setdefault(written, path) != path:
                raise InvalidManifest(
                    f"{written!r} is mapped to {found[written]!r}, too.", where=where
                )
    except csv.Error as error:
        raise InvalidManifest(f"it cannot be read ({error}).", where=str(file)) from None
    return found
