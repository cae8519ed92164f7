"""Manifests: which photos and names belong to which product and category.

A manifest is a folder tree whose folders are the category path, or a CSV, Parquet or NDJSON
table. Rows that cannot be used are kept apart with their reason; they never stop a run alone.
"""

import csv
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from catalog.category_map import read_category_map
from catalog.errors import InvalidManifest
from catalog.images import PHOTO_SUFFIXES
from catalog.product import is_unicode
from catalog.tables import is_folder, list_files, read_records, resolve
from catalog.tags import split_tags
from catalog.tree import normalise_path

# What earlier rows state of a product: per field, the value and the line that states it.
_Known = dict[str, tuple[str, int]]


@dataclass(frozen=True)
class ManifestConfig:
    """How to read a manifest.

    Attributes:
        image_column: column with the photo's path or URI.
        category_column: column with the category path, levels separated by a slash.
        name_column: column with the product's name.
        id_column: column with the product's id; rows with one id are photos of one product.
        split_column: column that says train, val or test.
        tags_column: column with what else is true of the photo, separated by commas, semicolons or
            bars; it stays among the product's attributes.
        category_map: file that says which path of the tree each category of the table is: a .csv
            with the columns from and to, or Google's taxonomy-with-ids as .txt; a category that it
            does not name is a bad row.
        image_root: folder or URI that relative image paths start at; the manifest's own folder
            if not given.
        max_bad: share of bad rows above which the run stops.
    """

    image_column: str = "image"
    category_column: str = "category"
    name_column: str = "name"
    id_column: str = "id"
    split_column: str = "split"
    tags_column: str = "tags"
    category_map: str | None = None
    image_root: str | None = None
    max_bad: float = 0.05


@dataclass(frozen=True)
class Row:
    """One photo and what is said of it.

    Attributes:
        line: where it stands in the manifest, 1 for the first line (a CSV's header).
        image: absolute path or URI of the photo; None where a product has only a name.
        category: category path, or None.
        name: product name, or None.
        id: product id.
        split: train, val, test or whatever the shop writes, or None.
        attributes: every other column that is not empty.
        tags: of the photo, sorted; empty where it was not tagged.
    """

    line: int
    image: str | None
    category: str | None
    name: str | None
    id: str
    split: str | None
    attributes: Mapping[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class BadRow:
    """A row that was skipped, and why."""

    line: int
    image: str
    field: str
    problem: str
    split: str | None = None


@dataclass(frozen=True)
class Manifest:
    """The usable rows, the bad ones, and what else was seen."""

    source: str
    rows: tuple[Row, ...]
    bad: tuple[BadRow, ...]
    notes: tuple[str, ...]
    max_bad: float

    def split(self, name: str | None) -> "Manifest":
        """Only the rows of one split; ``None`` means every row that is not ``train``.

        Raises:
            InvalidManifest: no row is in it.
        """

        def inside(row: Row | BadRow) -> bool:
            return row.split != "train" if name is None else row.split == name

        kept = tuple(filter(inside, self.rows))
        if not kept:
            seen = Counter(row.split or "(none)" for row in self.rows)
            wanted = "outside split 'train'" if name is None else f"in split {name!r}"
            raise InvalidManifest(
                f"no usable row {wanted}; the splits are {dict(seen)}.",
                where=self.source,
                fix="Name another split with --split, or add a split column.",
            )
        # Its own bad rows only: those of another split are no share of this one.
        bad = tuple(filter(inside, self.bad))
        return Manifest(self.source, kept, bad, self.notes, self.max_bad)

    def with_bad(self, found: list[BadRow], bad_rows_file: Path | None = None) -> "Manifest":
        """The manifest without rows that turned out bad, such as unreadable photos.

        Args:
            found: the new bad rows.
            bad_rows_file: where to list all bad rows, as CSV.

        Raises:
            InvalidManifest: more than ``max_bad`` of the rows are bad, or none is left.
        """
        lines = {bad.line for bad in found}
        bad = tuple(sorted((*self.bad, *found), key=lambda row: row.line))
        rows = tuple(row for row in self.rows if row.line not in lines)
        if bad_rows_file is not None and bad:
            write_bad_rows(bad_rows_file, bad)
        total = len(rows) + len(bad)
        listed = f" All are listed in {bad_rows_file}." if bad_rows_file else ""
        if not rows or len(bad) > self.max_bad * total:
            first = f" The first: line {bad[0].line}, {bad[0].problem}." if bad else ""
            raise InvalidManifest(
                f"{len(bad)} of {total} rows are bad, more than --max-bad allows "
                f"({self.max_bad:.1%}).{first}{listed}"
                if bad
                else "it holds no photo and no row.",
                where=self.source,
                fix="Mend them, or raise --max-bad." if bad else "",
            )
        return Manifest(self.source, rows, bad, self.notes, self.max_bad)


def read_manifest(
    source: str,
    config: ManifestConfig = ManifestConfig(),
    *,
    needs: frozenset[str] = frozenset({"image", "category"}),
    bad_rows_file: Path | None = None,
) -> Manifest:
    """Read a folder tree or a CSV, Parquet or NDJSON table, local or on ``s3://``, ``gs://``.

    Args:
        source: path or URI.
        config: column names and limits.
        needs: which of ``image``, ``category``, ``name`` a row cannot do without.
        bad_rows_file: where to list bad rows, as CSV.

    Raises:
        InvalidManifest: nothing there, a needed column is missing, or too many bad rows.
    """
    mapped = None if config.category_map is None else read_category_map(Path(config.category_map))
    if is_folder(source):
        rows, bad, notes = _read_folder(source, config, mapped, needs)
    else:
        rows, bad, notes = _read_table(source, config, mapped, needs)
    manifest = Manifest(source, tuple(rows), (), tuple(notes), config.max_bad)
    return manifest.with_bad(bad, bad_rows_file)


def write_bad_rows(path: Path, bad: tuple[BadRow, ...]) -> None:
    """List bad rows as CSV: line, image, field, problem."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8", errors="backslashreplace") as out:
        writer = csv.writer(out)
        writer.writerow(("line", "image", "field", "problem"))
        writer.writerows((row.line, row.image, row.field, row.problem) for row in bad)


def _read_folder(
    source: str, config: ManifestConfig, mapped: Mapping[str, str] | None, needs: frozenset[str]
) -> tuple[list[Row], list[BadRow], list[str]]:
    files, folders = list_files(source)
    photos = [file for file in files if Path(file).suffix.lower() in PHOTO_SUFFIXES]
    bad = []
    rows = []
    for line, file in enumerate(photos, start=1):
        category = normalise_path(str(Path(file).parent.as_posix()).removeprefix("."))
        image = resolve(source, file)
        if not is_unicode(file):
            bad.append(BadRow(line, file, "image", "the file's name is not UTF-8"))
            continue
        if mapped is not None and category:
            if category not in mapped:
                bad.append(_not_mapped(line, file, category, config))
                continue
            category = mapped[category]
        if not category and "category" in needs:
            bad.append(BadRow(line, file, "category", "the photo lies in no category folder"))
        else:
            rows.append(Row(line, image, category or None, None, file, None))
    notes = []
    if ignored := len(files) - len(photos):
        notes.append(f"{ignored} files that are not photos were ignored")
    holding = {prefix for file in photos for prefix in _parents(file)}
    if empty := sorted(folder for folder in folders if folder not in holding):
        notes.append(f"{len(empty)} category folders hold no photo: {', '.join(empty[:20])}")
    return rows, bad, notes


def _parents(file: str) -> Iterator[str]:
    return (parent.as_posix() for parent in Path(file).parents if parent.as_posix() != ".")


def _read_table(
    source: str, config: ManifestConfig, mapped: Mapping[str, str] | None, needs: frozenset[str]
) -> tuple[list[Row], list[BadRow], list[str]]:
    columns = {
        "image": config.image_column,
        "category": config.category_column,
        "name": config.name_column,
        "id": config.id_column,
        "split": config.split_column,
        "tags": config.tags_column,
    }
    root = config.image_root or source.rpartition("/")[0] or "."
    rows: list[Row] = []
    bad: list[BadRow] = []
    known: dict[str, _Known] = {}
    seen: set[str] = set()
    for line, record in read_records(source):
        if isinstance(record, str):
            bad.append(BadRow(line, "", "row", record))
            continue
        seen.update(record)
        row, image = _row(line, record, columns, root), record.get(columns["image"], "")
        stated = record.get(columns["category"], "").strip()
        if mapped is not None and stated:
            if stated not in mapped:
                bad.append(_not_mapped(line, image, stated, config, row.split))
                continue
            row = replace(row, category=mapped[stated])
        problem = _problem(row, needs, known)
        if problem:
            bad.append(BadRow(line, image, *problem, split=row.split))
        else:
            rows.append(row)
    if seen:
        _check_columns(source, columns, needs, seen)
    return rows, bad, []


def _not_mapped(
    line: int, image: str, category: str, config: ManifestConfig, split: str | None = None
) -> BadRow:
    problem = f"{category!r} is not in {config.category_map}"
    return BadRow(line, image, "category", problem, split)


def _check_columns(
    source: str, columns: Mapping[str, str], needs: frozenset[str], seen: set[str]
) -> None:
    """Columns that are needed, or that the caller named, must be there."""
    default = ManifestConfig()
    missing = [
        column
        for key, column in columns.items()
        if column not in seen and (key in needs or column != getattr(default, f"{key}_column"))
    ]
    if missing:
        raise InvalidManifest(
            f"no column {', '.join(map(repr, sorted(missing)))}; the columns are "
            f"{', '.join(map(repr, sorted(seen)))}.",
            where=source,
            fix="Map the shop's names with --image-column, --category-column and so on.",
        )


def _row(line: int, record: Mapping[str, str], columns: Mapping[str, str], root: str) -> Row:
    value = {key: record.get(column, "").strip() for key, column in columns.items()}
    others = {
        key: text.strip()
        for key, text in record.items()
        if (key == columns["tags"] or key not in columns.values()) and text.strip()
    }
    return Row(
        line=line,
        image=resolve(root, value["image"]) if value["image"] else None,
        category=normalise_path(value["category"]) or None,
        name=value["name"] or None,
        id=value["id"] or value["image"] or value["name"],
        split=value["split"] or None,
        attributes=others,
        tags=split_tags(value["tags"]),
    )


def _problem(row: Row, needs: frozenset[str], known: dict[str, _Known]) -> tuple[str, str] | None:
    """Field and problem of a row that cannot be used; else notes what it says of its product."""
    for need in sorted(needs):
        if getattr(row, need) is None:
            return need, f"{need} is empty"
    if not row.id:
        return "id", "the row has neither id, image nor name"
    for key in ("image", "category", "name", "id", "split"):
        if not is_unicode(getattr(row, key) or ""):
            return key, f"{key} is not UTF-8"
    for key, text in row.attributes.items():
        if not is_unicode(key + text):
            return key, "it is not UTF-8"
    facts = known.setdefault(row.id, {})
    stated = {"category": row.category, "name": row.name}
    for key, now in stated.items():
        if now is not None and key in facts and facts[key][0] != now:
            before, line = facts[key]
            return key, f"product {row.id!r} has {key} {now!r} here and {before!r} on line {line}"
    for key, now in stated.items():
        if now is not None:
            facts.setdefault(key, (now, row.line))
    return None
