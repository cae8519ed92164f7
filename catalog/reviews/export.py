"""What people decided, as labelled data for the next training: CSV, Excel, photos."""

import csv
import io
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

from catalog.errors import InvalidRequest
from catalog.reviews.record import Review

_PHOTO: Final = re.compile(r"[0-9a-f]{24}-\d+\.jpg")
COLUMNS: Final = ("image", "category", "name", "id", "proposed", "score", "decided_at")


def write_labelled(reviews: Iterable[Review], directory: Path, excel: bool = False) -> int:
    """Write ``manifest.csv``, which `catalens train` reads, and ``photos/``; how many rows.

    ``photos/`` is an `imagefolder` of Hugging Face's datasets, too: its ``metadata.csv`` has the
    category of each file. A product with several photos has a row for each. Those without a photo,
    which a training has no use for, stand in ``names.csv``.

    Args:
        reviews: decided ones, with their photos.
        directory: made if it is not there; photos of an earlier export are removed.
        excel: also write ``manifest.xlsx``, with all of them.

    Raises:
        InvalidRequest: the directory holds another manifest.
    """
    photos = directory / "photos"
    if (directory / "manifest.csv").exists() and not (directory / "names.csv").exists():
        raise InvalidRequest(
            "it holds a manifest that is not of such an export.",
            where=str(directory),
            fix="Name another folder.",
        )
    photos.mkdir(parents=True, exist_ok=True)
    for old in photos.iterdir():
        if _PHOTO.fullmatch(old.name):
            old.unlink()
    rows, without_photo = [], []
    for review in reviews:
        names = [f"photos/{review.id}-{number}.jpg" for number in range(len(review.photos))]
        for name, photo in zip(names, review.photos, strict=True):
            (directory / name).write_bytes(photo)
        rows += [_row(review, name) for name in names]
        without_photo += [] if names else [_row(review, "")]
    in_folder = [(row[0].removeprefix("photos/"), *row[1:]) for row in rows]
    metadata = _csv(in_folder, ("file_name", *COLUMNS[1:]))
    (photos / "metadata.csv").write_text(metadata, encoding="utf-8", newline="")
    (directory / "manifest.csv").write_text(_csv(rows), encoding="utf-8", newline="")
    (directory / "names.csv").write_text(_csv(without_photo), encoding="utf-8", newline="")
    if excel:
        (directory / "manifest.xlsx").write_bytes(_xlsx([*rows, *without_photo]))
    return len(rows) + len(without_photo)


def to_csv(reviews: Iterable[Review]) -> str:
    """A row for each review, without its photos."""
    return _csv(_row(review, "") for review in reviews)


def to_xlsx(reviews: Iterable[Review]) -> bytes:
    """The same as an Excel workbook."""
    return _xlsx(_row(review, "") for review in reviews)


def _row(review: Review, image: str) -> tuple[str, str, str, str, str, float, str]:
    decided_at = review.decided_at.isoformat() if review.decided_at else ""
    return (
        image,
        review.decided or "",
        review.name or "",
        review.product_id,
        review.path or "",
        round(review.score, 4),
        decided_at,
    )


def _csv(rows: Iterable[tuple[str | float, ...]], columns: tuple[str, ...] = COLUMNS) -> str:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(columns)
    writer.writerows(rows)
    return out.getvalue()


def _xlsx(rows: Iterable[tuple[str | float, ...]]) -> bytes:
    book = Workbook(write_only=True)
    sheet = book.create_sheet("labelled")
    sheet.append(COLUMNS)
    for row in rows:
        sheet.append([_cell(sheet, value) for value in row])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _cell(sheet: Any, value: str | float) -> WriteOnlyCell:
    """Text stays text: a name that begins with = is no formula."""
    if not isinstance(value, str):
        return WriteOnlyCell(sheet, value)
    cell = WriteOnlyCell(sheet, ILLEGAL_CHARACTERS_RE.sub("", value))
    cell.data_type = "s"
    return cell
