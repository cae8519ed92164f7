"""Pictures of the web page at work, for the docs: real photos, a real catalog, a real browser."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from playwright.sync_api import Page

from bench.browser import chromium
from bench.catalog.rates import probe_bundle
from bench.shops import FASHION
from catalens.background import served
from catalens.client import Client
from catalog.manifest import Row
from inference.importer import import_manifest

_OUT: Final = Path(__file__).parents[1] / "docs" / "page"
_PORT: Final = 8480
_CATALOG_PRODUCTS: Final = 1_000
_SIZES: Final = {"desktop": (1280, 900), "phone": (390, 844)}


def main(json_file: Path | None, work: Path | None) -> None:
    """Serve, walk, and leave a PNG of each view in docs/page/; there are no figures."""
    _OUT.mkdir(exist_ok=True)
    with TemporaryDirectory() as folder:
        bundle = probe_bundle(work or Path(folder))
        train = FASHION.rows("train")
        some = replace(train, rows=train.rows[:_CATALOG_PRODUCTS])
        catalog = Path(folder) / "catalog"
        import_manifest(bundle, some, str(catalog), device="cpu")
        asked = FASHION.rows("val").rows
        with served(bundle.directory, catalog, _PORT) as address:
            with Client(address) as client:
                for row in asked[20:60]:
                    photo = Path(row.image or "").read_bytes()
                    client.categorize(photo=photo, product_id=row.id, precision=0.99)
            _walk(address, asked)


def _walk(address: str, asked: tuple[Row, ...]) -> None:
    with chromium() as browser:
        for size, (width, height) in _SIZES.items():
            page = browser.new_page(viewport={"width": width, "height": height})
            for name, show in _VIEWS.items():
                page.goto(f"{address}/#{name}")
                page.wait_for_load_state("networkidle")
                show(page, asked)
                page.wait_for_load_state("networkidle")
                page.screenshot(path=_OUT / f"{name}-{size}.png")


def _classify(page: Page, asked: tuple[Row, ...]) -> None:
    files = [row.image or "" for row in asked[:6:2]]
    page.get_by_label("Drop photos here").set_input_files(files)
    page.get_by_text("3 of 3 answered").wait_for()
    page.get_by_role("button", name="Why").first.click()
    page.locator(".why").wait_for()


def _compare(page: Page, asked: tuple[Row, ...]) -> None:
    for title, row in zip(("One product", "The other"), asked[:2], strict=True):
        side = page.get_by_role("group", name=title)
        side.get_by_label("Name").fill(row.name or "")
        side.locator("input[type=file]").set_input_files(row.image or "")
    page.get_by_role("button", name="Compare", exact=True).click()
    page.locator(".result").wait_for()


def _catalog(page: Page, asked: tuple[Row, ...]) -> None:
    page.get_by_label("Search by a photo").set_input_files(asked[4].image or "")
    page.get_by_text("nearest").wait_for()
    page.locator(".product img").nth(9).wait_for()


def _review(page: Page, asked: tuple[Row, ...]) -> None:
    page.locator(".reviewing img").wait_for()


def _model(page: Page, asked: tuple[Row, ...]) -> None:
    page.locator(".tree").first.wait_for()


_VIEWS: Final = {
    "classify": _classify,
    "compare": _compare,
    "catalog": _catalog,
    "review": _review,
    "model": _model,
}
