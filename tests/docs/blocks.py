"""The code blocks of the documentation."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

PAGES = [Path("README.md"), Path("SECURITY.md"), *sorted(Path("docs").rglob("*.md"))]
# Where the documentation says that a server listens.
ADDRESS = "127.0.0.1:8000"
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(page: Path, language: str) -> Iterator[tuple[str, str]]:
    """Place and text of each block in a language."""
    for number, (found, text) in enumerate(_FENCE.findall(page.read_text()), start=1):
        if found == language:
            yield f"{page}:{number}", text


def commands(page: Path) -> Iterator[tuple[str, list[str]]]:
    """Place and words of each `catalens` command."""
    for place, text in blocks(page, ""):
        for line in text.replace("\\\n", " ").splitlines():
            words = line.removeprefix("$ ")
            if words.startswith("catalens "):
                yield f"{place} {words}", shlex.split(words, comments=True)[1:]
