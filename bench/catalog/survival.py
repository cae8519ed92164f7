"""A writer killed with -9 at any moment: every write that was acknowledged must be there."""

import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import numpy as np

from bench.figures import Figures
from catalog.store import Catalog

_KILLS: Final = 30
_ID: Final = "dead" * 4
# Puts, now and then a delete, an index or a compaction; what is printed is acknowledged.
_WRITER: Final = """
import sys
import numpy as np
from catalog.product import Product
from catalog.store import Catalog
catalog, number = Catalog.open(sys.argv[1]), 0
rng = np.random.default_rng(int(sys.argv[2]))
while True:
    key = f"{sys.argv[2]}-{number}"
    vector = rng.standard_normal(8).astype(np.float32)
    vector /= np.linalg.norm(vector)
    catalog.put([Product(key, f"thing {key}", None, {}, vector, (b"x" * 10_000,))])
    print("put", key, flush=True)
    if number % 4 == 3:
        catalog.delete([f"{sys.argv[2]}-{number - 1}"])
        print("deleted", f"{sys.argv[2]}-{number - 1}", flush=True)
    if number % 10 == 5:
        catalog.maintain(vector_index_above=50)
    number += 1
"""


def measure_survival(figures: Figures, work: Path) -> None:
    """Add `survival_lost`, to be 0, over 30 kills, and how many writes had been acknowledged.

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
            time.sleep(float(rng.uniform(0, 1)))
            writer.kill()
            acknowledged += writer.stdout.read().splitlines()
    catalog = Catalog.open(str(place))
    there = {product.id: product for product in catalog.scan(with_photos=True)}
    state = {key: word for word, key in (line.split() for line in acknowledged)}
    lost = sum(
        (key in there) != (word == "put") or (key in there and len(there[key].photos) != 1)
        for key, word in state.items()
    )
    # The last put of a killed writer may have been deleted without its having been told.
    unsure = {f"{kill}-{_last_put(acknowledged, kill) - 1}" for kill in range(_KILLS)}
    lost -= sum(key in unsure and key not in there for key, word in state.items() if word == "put")
    figures.add("survival_acknowledged", len(acknowledged))
    figures.add("survival_lost", lost)
    catalog.maintain()  # what a killed writer left behind must not be in its way
    figures.add("survival_products", catalog.count())


def _last_put(acknowledged: list[str], kill: int) -> int:
    own = [line.split("-")[1] for line in acknowledged if line.startswith(f"put {kill}-")]
    return int(own[-1])
