"""Tables of pairs: two products by name, photo or both, and whether they are one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from catalog.errors import InvalidManifest
from catalog.manifest import BadRow, write_bad_rows
from catalog.tables import read_records, resolve

_ANSWERS: Final = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
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


def read_pairs(
    source: str,
    *,
    image_root: str | None = None,
    max_bad: float = 0.05,
    bad_rows_file: Path | None = None,
) -> tuple[Pair, ...]:
    """Read a CSV, Parquet or NDJSON table of pairs.

    Columns are ``left,right,same`` for names alone, or ``left_name``, ``left_image``,
    ``right_name``, ``right_image`` and ``same``; ``split`` may be among them.

    Args:
        source: path or URI.
        image_root: folder or URI that relative photos start at; the table's own if not given.
        max_bad: share of bad rows above which nothing is read.
        bad_rows_file: where to list bad rows, as CSV.

    Raises:
        InvalidManifest: nothing there, a column is missing, too many bad rows or no pair left.
    """
    root = image_root or source.rpartition("/")[0] or "."
    pairs: list[Pair] = []
    bad: list[BadRow] = []
    for line, record in read_records(source):
        _check_columns(source, record)
        found = _pair(line, record, root)
        if isinstance(found, BadRow):
            bad.append(found)
        else:
            pairs.append(found)
    if bad and bad_rows_file is not None:
        write_bad_rows(bad_rows_file, tuple(bad))
    total = len(pairs) + len(bad)
    if not pairs or len(bad) > max_bad * total:
        first = f" The first: line {bad[0].line}, {bad[0].problem}" if bad else ""
        raise InvalidManifest(
            f"{len(bad)} of {total} pairs are bad.{first}" if bad else "it holds no pair.",
            where=source,
            fix="Mend them, or raise --max-bad." if bad else "",
        )
    return tuple(pairs)


def to_learn(pairs: Sequence[Pair]) -> tuple[Pair, ...]:
    """The pairs whose split is train, or all where no pair has a split."""
    if all(pair.split is None for pair in pairs):
        return tuple(pairs)
    return tuple(pair for pair in pairs if pair.split == "train")


def to_judge(pairs: Sequence[Pair], split: str | None, source: str) -> tuple[Pair, ...]:
    """The pairs of a split; those that are not train if none is named.

    Raises:
        InvalidManifest: there are none.
    """
    kept = tuple(
        pair for pair in pairs if (pair.split != "train" if split is None else pair.split == split)
    )
    if not kept:
        raise InvalidManifest(
            f"no pair in split {split!r}." if split else "every pair is in split 'train'.",
            where=source,
            fix="Name another split with --split.",
        )
    return kept


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
    said = record["same"].strip().lower()
    if said not in _ANSWERS:
        return BadRow(line, "", "same", f"{said!r} is neither 1 nor 0")
    short = {"left_name": record.get("left", ""), "right_name": record.get("right", "")}
    cells = {column: (record.get(column) or short.get(column, "")).strip() for column in _COLUMNS}
    left, right = (
        Side(
            cells[f"{side}_name"] or None,
            resolve(root, cells[f"{side}_image"]) if cells[f"{side}_image"] else None,
        )
        for side in ("left", "right")
    )
    if not (left.name and right.name) and not (left.image and right.image):
        return BadRow(line, "", "left, right", "neither two names nor two photos to compare")
    return Pair(line, left, right, _ANSWERS[said], record.get("split", "").strip() or None)
