"""A browser, and a server with a catalog that it can be pointed at."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.colours import COLOURS, colour_photo
from tests.serve.conftest import Running, empty_catalog, running

DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}


# Of the module: while Playwright runs, its loop does in this thread, and no test can have its own.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("no chromium here (make browser)")
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture
def shop(tiny_bundle: Path, tmp_path: Path) -> Iterator[Running]:
    """A server whose catalog holds three photos of each colour."""
    with running(tiny_bundle, empty_catalog(tiny_bundle, tmp_path / "catalog")) as server:
        with httpx.Client(base_url=server.url, trust_env=False, timeout=30) as http:
            for path in COLOURS:
                for number in range(3):
                    name = path.rpartition("/")[2].lower()
                    http.put(
                        f"/v1/products/{name}-{number}",
                        data={"name": f"{name} cloth {number}", "category": path},
                        files={"image": colour_photo(path, seed=number)},
                    ).raise_for_status()
        yield server


@pytest.fixture
def context(browser: Browser, shop: Running) -> Iterator[BrowserContext]:
    found = browser.new_context(base_url=shop.url, viewport=DESKTOP)  # type: ignore[arg-type]
    found.set_default_timeout(15_000)
    yield found
    found.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page that must log no error and ask no other host for anything."""
    found = context.new_page()
    complaints: list[str] = []
    found.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    found.on("pageerror", lambda error: complaints.append(str(error)))
    asked: set[str] = set()
    found.on("request", lambda request: asked.add(request.url))
    yield found
    hosts = {url.split("/")[2] for url in asked if url.startswith("http")}
    assert len(hosts) <= 1
    # That a request was refused, the browser says too; the page has shown it.
    assert [one for one in complaints if not one.startswith("Failed to load resource")] == []
