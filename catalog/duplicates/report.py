"""Groups of duplicates for people: a page with pictures, and a table for programs."""

import csv
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

from jinja2 import Environment

from catalog.chunks import chunks
from catalog.duplicates.find import Group
from catalog.errors import CatalensError
from catalog.images import jpeg_copy
from catalog.product import Product
from catalog.store import Catalog

_MOST_GROUPS: Final = 1_000
_MOST_MEMBERS: Final = 24
_READ_AT_ONCE: Final = 50  # groups
_SIDE: Final = 160  # px


@dataclass(frozen=True)
class _Shown:
    """A product on the page."""

    product: Product
    photo: str | None


def write_table(catalog: Catalog, groups: Sequence[Group], path: Path) -> None:
    """CSV with a row for each product of a group: what is known of the group, and its own facts."""
    wanted = {one for group in groups for one in group.ids}
    products = {product.id: product for product in catalog.scan() if product.id in wanted}
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(
            ("group", "score", "shares_photo", "amounts_differ", "id", "name", "category")
        )
        for number, group in enumerate(groups, start=1):
            flags = int(group.shares_photo), int(group.amounts_differ)
            writer.writerows(
                (number, f"{group.score:.4f}", *flags, product.id, product.name, product.category)
                for product in (products[one] for one in group.ids if one in products)
            )


def write_page(catalog: Catalog, groups: Sequence[Group], path: Path) -> None:
    """One HTML file that needs nothing else, with the first 1,000 groups."""
    template = files("catalog.duplicates").joinpath("report.html.j2").read_text(encoding="utf-8")
    page = (
        Environment(autoescape=True)
        .from_string(template)
        .stream(
            uri=catalog.uri,
            products=catalog.count(),
            groups=groups,
            doubled=sum(len(group.ids) - 1 for group in groups),
            shown=_shown(catalog, groups[:_MOST_GROUPS]),
            most=_MOST_GROUPS,
        )
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as out:
        out.writelines(page)


def _shown(catalog: Catalog, groups: Sequence[Group]) -> Iterator[tuple[Group, list[_Shown]]]:
    for some in chunks(groups, _READ_AT_ONCE):
        wanted = [one for group in some for one in group.ids[:_MOST_MEMBERS]]
        there = catalog.get_all(wanted)
        for group in some:
            members = (there[one] for one in group.ids[:_MOST_MEMBERS] if one in there)
            yield group, [_Shown(product, _picture(product)) for product in members]


def _picture(product: Product) -> str | None:
    for photo in product.photos:
        try:
            return b64encode(jpeg_copy(photo, _SIDE)).decode()
        except CatalensError:
            continue  # damaged; another may do
    return None
