"""A shop of plain colours as a manifest, and the tiny bundle at work."""

import csv
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from inference.bundle import Bundle, read_bundle
from inference.session import Session
from tests.colours import COLOURS, colour_photo

WriteShop = Callable[[Iterable[tuple[str, str, str, str, str]]], str]


@pytest.fixture(scope="session")
def bundle(tiny_bundle: Path) -> Bundle:
    return read_bundle(tiny_bundle)


@pytest.fixture(scope="session")
def session(bundle: Bundle) -> Session:
    return Session(bundle, device="cpu")


@pytest.fixture
def write_shop(tmp_path: Path) -> WriteShop:
    """Writes a manifest of (image, category, name, id, split); returns its path."""

    def write(rows: Iterable[tuple[str, str, str, str, str]]) -> str:
        path = tmp_path / "shop.csv"
        with path.open("w", newline="") as out:
            writer = csv.writer(out)
            writer.writerow(("image", "category", "name", "id", "split"))
            writer.writerows(rows)
        return str(path)

    return write


@pytest.fixture
def shop(tmp_path: Path, write_shop: WriteShop) -> str:
    """Twelve products in four colours with two photos each; every third product is val."""
    rows = []
    for number in range(12):
        category = list(COLOURS)[number % 4]
        for photo in range(2):
            image = f"{number}-{photo}.jpg"
            (tmp_path / image).write_bytes(colour_photo(category, seed=10 * number + photo))
            split = "val" if number % 3 == 2 else "train"
            name = f"{category.rpartition('/')[2]} paint number {number}"
            rows.append((image, category, name, f"p{number}", split))
    return write_shop(rows)
