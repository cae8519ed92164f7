"""Groups of duplicates for people: a page with pictures, and a table for programs."""

import csv
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

from jinja2 import Environment

from catalog.duplicates.find import Group
from catalog.images import jpeg_copy
from catalog.product import Product
from catalog.store import Catalog

_MOST_SHOWN: Final = 1_000
_SIDE: Final = 160  # px


@dataclass(frozen=True)
class _Shown:
    """A product on the page."""

    product: Product
    photo: str | None


def write_table(catalog: Catalog, groups: Sequence[Group], path: Path) -> None:
    """CSV with a row for each product: group, score, shares_photo, id, name, category."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(("group", "score", "shares_photo", "id", "name", "category"))
        for number, group in enumerate(groups, start=1):
            head = (number, f"{group.score:.4f}", int(group.shares_photo))
            writer.writerows(
                (*head, product.id, product.name, product.category)
                for product in _products(catalog, group)
            )


def write_page(catalog: Catalog, groups: Sequence[Group], path: Path) -> None:
    """One HTML file that needs nothing else, with the first 1,000 groups."""
    template = files("catalog.duplicates").joinpath("report.html.j2").read_text(encoding="utf-8")
    shown = (
        (group, [_Shown(product, _picture(product)) for product in _products(catalog, group)])
        for group in groups[:_MOST_SHOWN]
    )
    page = (
        Environment(autoescape=True)
        .from_string(template)
        .stream(
            uri=catalog.uri,
            products=catalog.count(),
            groups=groups,
            doubled=sum(len(group.ids) - 1 for group in groups),
            shown=shown,
            most=_MOST_SHOWN,
        )
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as out:
        out.writelines(page)


def _products(catalog: Catalog, group: Group) -> Iterator[Product]:
    there = catalog.get_all(group.ids)
    return (there[one] for one in group.ids if one in there)


def _picture(product: Product) -> str | None:
    return b64encode(jpeg_copy(product.photos[0], _SIDE)).decode() if product.photos else None
