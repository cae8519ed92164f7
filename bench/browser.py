"""A real browser for what is measured or pictured of the web page."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

from catalog.errors import InvalidRequest


def require_chromium() -> str:
    """The browser's path.

    Raises:
        InvalidRequest: it is not installed.
    """
    found = shutil.which("chromium")
    if found is None:
        raise InvalidRequest("the browser is not there.", where="chromium", fix="make browser")
    return found


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser, without a window.

    Raises:
        InvalidRequest: it is not installed.
    """
    program = require_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()
