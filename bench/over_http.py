"""Does the service answer as `evaluate` does? Real photos posted over HTTP by this process.

Fashion's probe bundle, its train split imported as the catalog; 500 val photos, 16 at a time.
"""

import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import httpx
import numpy as np

from bench.figures import Figures
from bench.shops import FASHION, require
from bench.steps import catalens, learn
from catalens.background import served
from catalog.manifest import Row
from catalog.tables import read_bytes
from inference.photos import SeenRow, see_rows
from inference.session import Session

_PHOTOS = 500
_AT_ONCE = 16
_PORT = 8455


def main(json_file: Path | None, work: Path | None) -> None:
    """Measure, print, write."""
    figures = Figures()
    shop = require(FASHION)
    holder = nullcontext(str(work)) if work else tempfile.TemporaryDirectory()
    with holder as folder:
        label = "probe_fashion"
        bundle, _ = learn(shop, Path(folder), label, "--recipe", "probe")
        catalog = Path(folder) / f"{label}-catalog"
        flags = ("--split", "train", "--bad-rows", Path(folder) / "bad_rows.csv")
        minutes = catalens("import", bundle.directory, shop.manifest, catalog, *flags)
        figures.add("import_minutes", minutes)
        rows = shop.rows("val").rows[:_PHOTOS]
        expected = [
            bundle.document.classes[int(seen.probabilities.argmax())]
            for seen in see_rows(Session(bundle, device="cpu"), rows)
            if isinstance(seen, SeenRow) and seen.probabilities is not None
        ]
        with served(bundle.directory, catalog, _PORT) as address:
            statuses, guesses, seconds = _post(address, rows)
    same = np.array([guess == path for guess, path in zip(guesses, expected, strict=True)])
    right = np.array([guess == row.category for guess, row in zip(guesses, rows, strict=True)])
    figures.add("http_photos", len(rows))
    figures.add("http_not_200", sum(status != 200 for status in statuses))
    figures.add("http_top1_differs", int((~same).sum()))
    figures.add("http_top1", right.mean())
    figures.add("http_photos_per_second", len(rows) / seconds)
    figures.show("Photos over HTTP (fashion, val)")
    if json_file:
        figures.write(json_file)


def _post(address: str, rows: tuple[Row, ...]) -> tuple[list[int], list[str], float]:
    """Status and first category of each photo, and the seconds all of them took."""
    photos = [read_bytes(row.image or "") for row in rows]
    with httpx.Client(base_url=address, trust_env=False, timeout=30) as client:

        def classify(photo: bytes) -> httpx.Response:
            return client.post(
                "/v1/classify", content=photo, headers={"Content-Type": "image/jpeg"}
            )

        started = time.perf_counter()
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            answers = list(pool.map(classify, photos))
        seconds = time.perf_counter() - started
    guesses = [
        answer.json()["results"][0]["categories"][0]["path"] if answer.status_code == 200 else ""
        for answer in answers
    ]
    return [answer.status_code for answer in answers], guesses, seconds
