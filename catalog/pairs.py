"""Tables of pairs: two products by name, photo or both, and whether they are one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from catalog.errors import InvalidManifest
from catalog.manifest import BadRow, write_bad_rows
from catalog.names import normalise
from catalog.product import is_unicode
from catalog.tables import TABLE_SUFFIXES, read_records, resolve

_ANSWERS: Final = {
    **dict.fromkeys(("1", "1.0", "true", "yes"), True),
    **dict.fromkeys(("0", "0.0", "false", "no"), False),
}
_COLUMNS: Final = ("left_name", "left_image", "right_name", "right_image")


@dataclass(frozen=True)
class Side:
    """One product of a pair.

    Attributes:
        name: as the shop writes it, or None.
        image: absolute path or URI of a photo, or None.
    """

    name: str | None
    image: str | None


@dataclass(frozen=True)
class Pair:
    """Two products.

    Attributes:
        line: where it stands in the table, 1 for the first line.
        left, right: the products; both have a name, or both have a photo, or all of it.
        same: whether they are one.
        split: train, val, test or whatever the shop writes, or None.
    """

    line: int
    left: Side
    right: Side
    same: bool
    split: str | None


@dataclass(frozen=True)
class Pairs:
    """The usable pairs of a table, and the bad ones."""

    source: str
    rows: tuple[Pair, ...]
    bad: tuple[BadRow, ...]
    max_bad: float

    def to_learn(self) -> "Pairs":
        """The pairs whose split is train, or all where none has a split."""
        if all(row.split is None for row in self.rows):
            return self
        return self._where(lambda split: split == "train")

    def to_judge(self, split: str | None) -> "Pairs":
        """The pairs of a split; those that are not train if none is named.

        Raises:
            InvalidManifest: there are none.
        """
        kept = self._where(lambda own: own != "train" if split is None else own == split)
        if not kept.rows:
            raise InvalidManifest(
                f"no pair in split {split!r}." if split else "every pair is in split 'train'.",
                where=self.source,
                fix="Name another split with --split.",
            )
        return kept

    def with_bad(self, found: Sequence[BadRow], bad_rows_file: Path | None = None) -> "Pairs":
        """The pairs without those that turned out bad, such as of unreadable photos.

        Args:
            found: the new bad ones.
            bad_rows_file: where to list all bad ones, as CSV.

        Raises:
            InvalidManifest: more than ``max_bad`` are bad, or none is left.
        """
        lines = {row.line for row in found}
        bad = tuple(sorted((*self.bad, *found), key=lambda row: row.line))
        rows = tuple(row for row in self.rows if row.line not in lines)
        if bad and bad_rows_file is not None:
            write_bad_rows(bad_rows_file, bad)
        total = len(rows) + len(bad)
        if bad and (not rows or len(bad) > self.max_bad * total):
            listed = f" All are listed in {bad_rows_file}." if bad_rows_file else ""
            raise InvalidManifest(
                f"{len(bad)} of {total} pairs are bad, more than --max-bad allows "
                f"({self.max_bad:.1%}). The first: line {bad[0].line}, {bad[0].problem}.{listed}",
                where=self.source,
                fix="Mend them, or raise --max-bad.",
            )
        if not rows:
            raise InvalidManifest("it holds no pair.", where=self.source)
        return Pairs(self.source, rows, bad, self.max_bad)

    def _where(self, inside: Callable[[str | None], bool]) -> "Pairs":
        rows = tuple(row for row in self.rows if inside(row.split))
        bad = tuple(row for row in self.bad if inside(row.split))
        return Pairs(self.source, rows, bad, self.max_bad)


def read_pairs(source: str, *, image_root: str | None = None, max_bad: float = 0.05) -> Pairs:
    """Read a CSV, Parquet or NDJSON table of pairs.

    Columns are ``left,right,same`` for names alone, or ``left_name``, ``left_image``,
    ``right_name``, ``right_image`` and ``same``; ``split`` may be among them.

    Args:
        source: path or URI.
        image_root: folder or URI that relative photos start at; the table's own if not given.
        max_bad: share of bad pairs that `Pairs.with_bad` lets pass.

    Raises:
        InvalidManifest: nothing there, of another kind, or a column is missing.
    """
    if Path(source).suffix.lower() not in TABLE_SUFFIXES:
        raise InvalidManifest(
            "not a .csv, .parquet, .ndjson or .jsonl file.",
            where=source,
            fix="Give such a table of pairs.",
        )
    root = image_root or source.rpartition("/")[0] or "."
    pairs: list[Pair] = []
    bad: list[BadRow] = []
    checked = False
    for line, record in read_records(source):
        if isinstance(record, str):
            bad.append(BadRow(line, "", "row", record))
            continue
        if not checked:
            _check_columns(source, record)
            checked = True
        found = _pair(line, record, root)
        if isinstance(found, BadRow):
            bad.append(found)
        else:
            pairs.append(found)
    return Pairs(source, tuple(pairs), tuple(bad), max_bad)


def _check_columns(source: str, record: Mapping[str, str]) -> None:
    sides = {"left", "right"} <= record.keys() or (
        {"left_name", "right_name"} <= record.keys()
        or {"left_image", "right_image"} <= record.keys()
    )
    if not sides or "same" not in record:
        raise InvalidManifest(
            f"the columns are {', '.join(map(repr, sorted(record)))}.",
            where=source,
            fix="Name them left,right,same or left_name,left_image,right_name,right_image,same.",
        )


def _pair(line: int, record: Mapping[str, str], root: str) -> Pair | BadRow:
    said = record.get("same", "").strip().lower()
    split = record.get("split", "").strip() or None
    if said not in _ANSWERS:
        return BadRow(line, "", "same", f"{said!r} is neither 1 nor 0", split)
    short = {"left_name": record.get("left", ""), "right_name": record.get("right", "")}
    cells = {column: (record.get(column) or short.get(column, "")).strip() for column in _COLUMNS}
    left, right = (
        Side(
            cells[f"{side}_name"] or None,
            resolve(root, cells[f"{side}_image"]) if cells[f"{side}_image"] else None,
        )
        for side in ("left", "right")
    )
    if not all(map(is_unicode, cells.values())):
        return BadRow(line, "", "left, right", "a name or photo is not UTF-8", split)
    named = all(side.name and normalise(side.name).text for side in (left, right))
    if not named and not (left.image and right.image):
        return BadRow(line, "", "left, right", "neither two names nor two photos to compare", split)
    return Pair(line, left, right, _ANSWERS[said], split)
