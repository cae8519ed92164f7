"""What people decided, as labelled data for the next training: CSV, Excel, photos."""

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from openpyxl import Workbook

from catalog.reviews.record import Review

COLUMNS: Final = ("image", "category", "name", "id", "proposed", "score", "decided_at")
# A spreadsheet would run a cell that begins with one of these.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def write_labelled(reviews: Iterable[Review], directory: Path, excel: bool = False) -> int:
    """Write ``manifest.csv``, which `catalens train` reads, and ``photos/``; how many rows.

    A product with several photos has a row for each, one without photos a row without.

    Args:
        reviews: decided ones, with their photos.
        directory: made if it is not there.
        excel: also write ``manifest.xlsx``.
    """
    photos = directory / "photos"
    photos.mkdir(parents=True, exist_ok=True)
    rows = []
    for review in reviews:
        names = [f"photos/{review.id}-{number}.jpg" for number in range(len(review.photos))]
        for name, photo in zip(names, review.photos, strict=True):
            (directory / name).write_bytes(photo)
        rows += [_row(review, name) for name in names or [""]]
    (directory / "manifest.csv").write_text(_csv(rows), encoding="utf-8", newline="")
    if excel:
        (directory / "manifest.xlsx").write_bytes(_xlsx(rows))
    return len(rows)


def to_csv(reviews: Iterable[Review]) -> str:
    """A row for each review, without its photos."""
    return _csv(_row(review, "") for review in reviews)


def to_xlsx(reviews: Iterable[Review]) -> bytes:
    """The same as an Excel workbook."""
    return _xlsx(_row(review, "") for review in reviews)


def _row(review: Review, image: str) -> tuple[str | float, ...]:
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


def _csv(rows: Iterable[tuple[str | float, ...]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    return out.getvalue()


def _xlsx(rows: Iterable[tuple[str | float, ...]]) -> bytes:
    book = Workbook(write_only=True)
    sheet = book.create_sheet("labelled")
    sheet.append(COLUMNS)
    for row in rows:
        sheet.append(list(_cells(row)))
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _cells(row: tuple[str | float, ...]) -> Iterator[str | float]:
    for value in row:
        text = isinstance(value, str)
        yield f"'{value}" if text and str(value).startswith(_FORMULA) else value
