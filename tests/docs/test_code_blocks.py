"""What the documentation tells people to type."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalens.cli.app import COMMANDS, make_app
from catalens.client import Client
from tests.colours import COLOURS, colour_photo
from tests.environments import TRITON_PYTHON
from tests.serve.conftest import empty_catalog, running

PAGES = [Path("README.md"), Path("SECURITY.md"), *sorted(Path("docs").rglob("*.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
NAMES = {command.name for command in COMMANDS}
ADDRESS = "127.0.0.1:8000"


def blocks(language: str) -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for number, (found, text) in enumerate(FENCE.findall(page.read_text()), start=1):
            if found == language:
                yield f"{page}:{number}", text


def commands() -> Iterator[tuple[str, list[str]]]:
    for place, text in blocks(""):
        for line in text.replace("\\\n", " ").splitlines():
            words = line.removeprefix("$ ")
            if words.startswith("catalens "):
                yield f"{place} {words}", shlex.split(words, comments=True)[1:]


@pytest.mark.parametrize(("place", "words"), commands(), ids=lambda value: str(value)[:60])
def test_each_command_fits_the_command_line(place: str, words: list[str]) -> None:
    assert words[0] in NAMES, place
    command, bound, unused = make_app().parse_args(
        words, print_error=False, exit_on_error=False, verbose=True
    )
    assert command.__name__.rstrip("_").replace("_", "-") == words[0]
    assert bound.arguments
    assert not unused


@pytest.fixture(scope="module")
def address(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    catalog = empty_catalog(tiny_bundle, tmp_path_factory.mktemp("docs") / "catalog")
    with running(tiny_bundle, catalog) as server, Client(server.url) as client:
        for number, path in enumerate(COLOURS):
            photo = colour_photo(path, seed=number)
            client.put_product(f"p{number}", photo=photo, name=f"Product {number}", category=path)
        yield server.url.removeprefix("http://")


@pytest.mark.e2e
@pytest.mark.parametrize(("place", "code"), blocks("python"))
def test_each_program_runs(place: str, code: str, address: str, tmp_path: Path) -> None:
    assert ADDRESS in code, place
    (tmp_path / "photos").mkdir()
    for number, file in enumerate(("new.jpg", "bike.jpg", "photos/1.jpg", "photos/2.jpg")):
        (tmp_path / file).write_bytes(colour_photo("Warm/Red", seed=number))
    (tmp_path / "names.txt").write_text("City bike 28 inch\nOat milk 1 l\n")
    program = tmp_path / "program.py"
    program.write_text(f"import os\nos.chdir({str(tmp_path)!r})\n{code.replace(ADDRESS, address)}")
    python = TRITON_PYTHON if "tritonclient" in code else (sys.executable,)
    ran = subprocess.run([*python, str(program)], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, f"{place}: {ran.stderr}"
    assert ran.stdout.strip(), place
