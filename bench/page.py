"""The web page's weight, and how long until its first answer: Chromium, a cold cache, a real photo.

On this machine's loopback, and over what Lighthouse calls slow 4G. Lighthouse itself scores the
page too, where npm is there to run it.
"""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from playwright.sync_api import Browser
from rich.console import Console

from bench.browser import chromium, require_chromium
from bench.catalog.rates import empty_catalog, probe_bundle
from bench.figures import Figures
from bench.shops import FASHION
from catalens.background import served

_PORT: Final = 8481
_VISITS: Final = 10
_LIGHTHOUSE: Final = "lighthouse@12"
_CATEGORIES: Final = ("performance", "accessibility", "best-practices")
# https://github.com/GoogleChrome/lighthouse/blob/main/docs/throttling.md; bytes a second.
_SLOW_4G: Final = MappingProxyType(
    {
        "offline": False,
        "latency": 150,
        "downloadThroughput": 1_638_400 / 8,
        "uploadThroughput": 750_000 / 8,
    }
)


def main(json_file: Path | None, work: Path | None) -> None:
    """Measure, print, write."""
    program = require_chromium()
    figures = Figures()
    photo = FASHION.rows("val").rows[0].image or ""
    with TemporaryDirectory() as folder:
        bundle = probe_bundle(work or Path(folder))
        catalog = empty_catalog(bundle, Path(folder) / "catalog")
        with served(bundle.directory, catalog, _PORT) as address:
            with chromium() as browser:
                for key, value in _weight(browser, address).items():
                    figures.add(f"page_{key}", value)
                _visit(browser, address, photo)  # the server's first inference is none of the page
                for suffix, network in (("", None), ("_slow_4g", _SLOW_4G)):
                    visits = [_visit(browser, address, photo, network) for _ in range(_VISITS)]
                    for key in visits[0]:
                        figures.add(f"page_{key}{suffix}", np.median([one[key] for one in visits]))
            for key, score in _lighthouse(address, program, Path(folder) / "lighthouse").items():
                figures.add(f"page_lighthouse_{key}", score)
    figures.show("The web page")
    if json_file:
        figures.write(json_file)


def _visit(
    browser: Browser, address: str, photo: str, network: Mapping[str, Any] | None = None
) -> dict[str, float]:
    """One person comes, drops a photo and reads the answer; nothing is in the browser's cache."""
    context = browser.new_context()
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    if network:
        session.send("Network.emulateNetworkConditions", dict(network))
    started = time.perf_counter()
    page.goto(address)
    drop = page.get_by_label("Drop photos here")
    drop.wait_for(state="attached")
    usable = time.perf_counter()
    drop.set_input_files(photo)
    page.locator(".card .bar").first.wait_for()
    answered = time.perf_counter()
    painted = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    context.close()
    return {
        "first_paint_ms": painted,
        "usable_ms": (usable - started) * 1000,
        "first_answer_ms": (answered - started) * 1000,
    }


def _weight(browser: Browser, address: str) -> dict[str, float]:
    """Of all that is fetched before a person does anything, headers included."""
    context = browser.new_context()
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    weights: list[float] = []
    session.on("Network.loadingFinished", lambda found: weights.append(found["encodedDataLength"]))
    page.goto(address, wait_until="networkidle")
    context.close()
    return {"kb": sum(weights) / 1000, "requests": len(weights)}


def _lighthouse(address: str, program: str, report: Path) -> dict[str, float]:
    """Its scores out of 1, by category."""
    npx = shutil.which("npx")
    if npx is None:
        Console().print("No npx: Lighthouse is left out.")
        return {}
    subprocess.run(
        [
            *(npx, "--yes", _LIGHTHOUSE, address, "--quiet", "--output=json"),
            f"--output-path={report}",
            f"--only-categories={','.join(_CATEGORIES)}",
            "--chrome-flags=--headless --no-sandbox",
        ],
        check=True,
        env=os.environ | {"CHROME_PATH": program},
    )
    categories = json.loads(report.read_text(encoding="utf-8"))["categories"]
    return {key.replace("-", "_"): categories[key]["score"] for key in _CATEGORIES}
