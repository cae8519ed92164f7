"""What the documentation tells people to type."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from catalens.cli.app import COMMANDS, make_app
from tests.cli.test_commands import run
from tests.colours import colour_photo
from tests.docs.blocks import ADDRESS, PAGES, blocks, commands
from tests.environments import TRITON_PYTHON

NAMES = {command.name for command in COMMANDS}
# They learn for an hour, serve for ever or change a cluster; tests/e2e and tests/serve run them.
LEFT_OUT = {"train", "export", "serve", "promote"}
RUNNABLE = [page for page in PAGES if {words[0] for _, words in commands(page)} - LEFT_OUT]


@pytest.mark.parametrize(
    ("place", "words"),
    [found for page in PAGES for found in commands(page)],
    ids=lambda value: str(value)[:60],
)
def test_each_command_fits_the_command_line(place: str, words: list[str]) -> None:
    assert words[0] in NAMES, place
    command, bound, unused = make_app().parse_args(
        words, print_error=False, exit_on_error=False, verbose=True
    )
    assert command.__name__.rstrip("_").replace("_", "-") == words[0]
    assert bound.arguments
    assert not unused


@pytest.mark.e2e
@pytest.mark.parametrize("page", RUNNABLE, ids=str)
def test_the_commands_of_a_page_run_one_after_the_other(
    page: Path,
    shop_folder: Path,
    address: str,
    new_bucket: Callable[[str], str],
    tmp_path: Path,
) -> None:
    here = tmp_path / "here"
    shutil.copytree(shop_folder, here)
    new_bucket("my-shop-backups")
    for name in ("shop", "my-shop-catalens"):
        catalog = f"{new_bucket(name)}/catalog"
        assert run("import", here / "bundle", here / "products.csv", catalog) == 0
    for place, words in commands(page):
        if words[0] not in LEFT_OUT:
            asked = [word.replace(ADDRESS, address) for word in words]
            command = [sys.executable, "-m", "catalens.cli", *asked]
            ran = subprocess.run(command, cwd=here, capture_output=True, text=True, check=False)
            assert ran.returncode == 0, f"{place}: {ran.stdout}{ran.stderr}"


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("place", "code"), [found for page in PAGES for found in blocks(page, "python")]
)
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
