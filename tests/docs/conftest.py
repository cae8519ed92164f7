"""What the documentation's code blocks take for granted: a server, and a shop's files."""

import csv
import shutil
from collections.abc import Iterator
from pathlib import Path

import pyarrow.csv
import pyarrow.parquet
import pytest

from catalens.client import Client
from catalens.sample import SampleConfig, draw_shop
from tests.cli.test_commands import run
from tests.colours import COLOURS, colour_photo
from tests.serve.conftest import empty_catalog, running

_PER_COLOUR = 6


@pytest.fixture(scope="module")
def address(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of a server with a catalog."""
    catalog = empty_catalog(tiny_bundle, tmp_path_factory.mktemp("docs") / "catalog")
    with running(tiny_bundle, catalog) as server, Client(server.url) as client:
        for number, path in enumerate(COLOURS):
            photo = colour_photo(path, seed=number)
            client.put_product(f"p{number}", photo=photo, name=f"Product {number}", category=path)
        yield server.url.removeprefix("http://")


@pytest.fixture(scope="module")
def shop_folder(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that the commands name; do not change it."""
    folder = tmp_path_factory.mktemp("desk")
    for name in ("bundle", "shop-bundle", "demo/bundle"):
        shutil.copytree(tiny_bundle, folder / name)
    for name in ("a.jpg", "b.jpg", "new.jpg", "photo.jpg", "demo/shop/photos/p00018-1.jpg"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(colour_photo("Warm/Red", seed=len(name)))
    rows = list(_photos(folder / "photos"))
    _table(folder / "shop" / "manifest.csv", "../photos", rows, separator="/")
    _table(folder / "products.csv", "photos", rows, separator="/")
    _table(folder / "feed.csv", "photos", rows, separator=" > ")
    table = pyarrow.csv.read_csv(folder / "products.csv")
    pyarrow.parquet.write_table(table, folder / "products.parquet")
    feeds = {path.replace("/", " > "): path for path in COLOURS}
    (folder / "map.csv").write_text(
        "from,to\n" + "".join(f"{feed},{path}\n" for feed, path in feeds.items())
    )
    (folder / "taxonomy-with-ids.en-US.txt").write_text(
        "".join(f"{number} - {feed}\n" for number, feed in enumerate(feeds, start=1))
    )
    draw_shop(folder / "drawn", SampleConfig(products=120, photos=2, size=64))
    pairs = (folder / "drawn" / "pairs.csv").read_text()
    (folder / "pairs.csv").write_text(pairs.replace("photos/", "drawn/photos/"))
    (folder / "project-1-export.json").write_text("[]")
    assert run("import", folder / "bundle", folder / "products.csv", folder / "catalog") == 0
    return folder


def _photos(folder: Path) -> Iterator[tuple[str, str]]:
    """File below the folder, and category."""
    for path in COLOURS:
        (folder / path).mkdir(parents=True)
        for number in range(_PER_COLOUR):
            (folder / path / f"{number}.jpg").write_bytes(colour_photo(path, seed=100 + number))
            yield f"{path}/{number}.jpg", path


def _table(path: Path, photos: str, rows: list[tuple[str, str]], separator: str) -> None:
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("id", "image", "name", "category", "split"))
        for number, (image, category) in enumerate(rows):
            split = "val" if number % _PER_COLOUR == 0 else "train"
            feed = category.replace("/", separator)
            table.writerow((f"p{number}", f"{photos}/{image}", f"Paint {number}", feed, split))
