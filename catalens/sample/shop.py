"""Writing the sample shop: photos, manifest, suppliers' names and the truth for matching."""

import csv
import multiprocessing
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import astuple, dataclass, fields
from functools import partial
from pathlib import Path

from catalens.sample.pairs import Pair, make_pairs
from catalens.sample.product import draw_photos, make_product
from catalog.errors import InvalidRequest

_VARIANTS = 3  # supplier names per product
_ALONE = 300  # up to so many photos are drawn without starting processes


@dataclass(frozen=True)
class SampleConfig:
    """How large the sample shop is, and which one of all of them.

    Attributes:
        products: How many products, spread evenly over the categories.
        photos: How many photos of each product.
        seed: Which shop: the same seed draws the same files.
        size: The photos' side in pixels.
    """

    products: int = 300
    photos: int = 4
    seed: int = 0
    size: int = 320


def _check(directory: Path, config: SampleConfig) -> None:
    least = {"products": 1, "photos": 1, "seed": 0, "size": 32}
    for field, low in least.items():
        if getattr(config, field) < low:
            raise InvalidRequest(
                f"{field} is {getattr(config, field)}.", where=field, fix=f"Use {low} or more."
            )
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise InvalidRequest(
            "The folder exists and is not empty.",
            where=str(directory),
            fix="Name a new folder, or remove this one first.",
        )


def _write(path: Path, header: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def _draw(index: int, directory: Path, config: SampleConfig) -> None:
    product = make_product(config.seed, index)
    for number, file in enumerate(draw_photos(product, config.photos, config.size)):
        (directory / product.photo(number)).write_bytes(file)


def _cores() -> int:
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _draw_all(directory: Path, config: SampleConfig) -> Iterator[None]:
    """Draws all products, in several processes where that pays; yields after each one."""
    draw = partial(_draw, directory=directory, config=config)
    indices = range(config.products)
    workers = min(_cores(), config.products * config.photos // _ALONE + 1)
    if workers == 1:
        yield from map(draw, indices)
        return
    # A fork is quick and needs no importable main module, but is only safe without threads.
    method = "fork" if sys.platform == "linux" and threading.active_count() == 1 else "spawn"
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        yield from pool.map(draw, indices, chunksize=8)


def draw_shop(
    directory: Path,
    config: SampleConfig = SampleConfig(),
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Draws a shop into a new or empty folder.

    It holds `photos/`, `manifest.csv` (a row per photo), `variants.csv` (other names of the
    products, by id) and `pairs.csv` (pairs of offers, and whether they are one product). A product
    is the same in every shop of one seed and photo size, however many there are.

    Args:
        directory: the folder.
        config: the shop's size and seed.
        progress: called after each product with the photos done so far and all there will be.

    Returns:
        The manifest's path.

    Raises:
        InvalidRequest: a number is out of range, or the folder is not empty.
    """
    _check(directory, config)
    (directory / "photos").mkdir(parents=True)
    for done, _ in enumerate(_draw_all(directory, config), 1):
        if progress:
            progress(done * config.photos, config.products * config.photos)
    products = [make_product(config.seed, index) for index in range(config.products)]
    _write(
        directory / "variants.csv",
        ("id", "name"),
        ((product.id, name) for product in products for name in product.variants(_VARIANTS)),
    )
    _write(
        directory / "pairs.csv",
        [field.name for field in fields(Pair)],
        map(astuple, make_pairs(products, config.photos, _VARIANTS)),
    )
    manifest = directory / "manifest.csv"
    _write(
        manifest,
        ("image", "category", "name", "id", "brand", "colour", "pattern", "split"),
        (
            (
                p.photo(k),
                p.category.path,
                p.name,
                p.id,
                p.name.brand,
                p.colour,
                p.look.mark,
                p.split,
            )
            for p in products
            for k in range(config.photos)
        ),
    )
    return manifest
