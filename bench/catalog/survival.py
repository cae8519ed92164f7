"""A writer killed with -9 at any moment: every write that it was told of must be there."""

import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import numpy as np

from bench.figures import Figures
from catalog.store import Catalog

_KILLS: Final = 20
_ID: Final = "dead" * 4
_WRITER: Final = """
import sys
from catalog.product import Product
from catalog.store import Catalog
catalog, number = Catalog.open(sys.argv[1]), 0
while True:
    key = f"{sys.argv[2]}-{number}"
    catalog.put([Product(key, f"thing {key}", photos=(b"x" * 10_000,))])
    print(key, flush=True)
    number += 1
"""


def measure_survival(figures: Figures, work: Path) -> None:
    """Add `survival_lost`, to be 0, over 20 kills, and how many writes had been acknowledged.

    Args:
        figures: to add to.
        work: where the catalog is made.
    """
    place = work / "killed"
    shutil.rmtree(place, ignore_errors=True)
    Catalog.create(str(place), _ID, 8)
    acknowledged: list[str] = []
    rng = np.random.default_rng(0)
    for kill in range(_KILLS):
        command = [sys.executable, "-c", _WRITER, str(place), str(kill)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            acknowledged.append(writer.stdout.readline().strip())
            time.sleep(float(rng.uniform(0, 0.5)))
            writer.kill()
            acknowledged += writer.stdout.read().split()
    catalog = Catalog.open(str(place))
    there = {product.id: product for product in catalog.scan(with_photos=True)}
    lost = [key for key in acknowledged if key not in there or len(there[key].photos) != 1]
    figures.add("survival_acknowledged", len(acknowledged))
    figures.add("survival_lost", len(lost))
    catalog.maintain()  # what a killed writer left behind must not be in its way
    figures.add("survival_products", catalog.count())
