"""Who may import whom: the contracts in pyproject.toml hold, and they would notice a breach."""

import subprocess
import sys
from pathlib import Path
from shutil import copytree, ignore_patterns

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("catalog", "inference", "train", "export", "serve", "catalens")


def lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    """Check the contracts of a tree; packages are found in it, not where they are installed."""
    return subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; sys.path.insert(0, ''); "
            "from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))",
        ],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for package in PACKAGES:
        copytree(ROOT / package, tmp_path / package, ignore=ignore_patterns("__pycache__"))
    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    return tmp_path


def test_imports_go_only_where_the_design_allows() -> None:
    found = lint_imports(ROOT)
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("catalog/tree.py", "import inference.bundle", "catalog imports nothing of ours"),
        ("catalog/tree.py", "import torch", "catalog imports nothing of ours"),
        ("catalog/metrics.py", "import ray", "catalog imports nothing of ours"),
        ("inference/photos.py", "import train.config", "inference imports only catalog"),
        ("inference/photos.py", "import torch", "inference imports only catalog"),
        ("train/config.py", "import inference.session", "train imports only catalog"),
        (
            "export/graph.py",
            "import serve.settings",
            "export imports train, inference and catalog",
        ),
        (
            "serve/settings.py",
            "import train.config",
            "serve imports only inference and catalog",
        ),
        ("serve/settings.py", "import torch", "serve imports only inference and catalog"),
        ("catalens/client.py", "import catalog.errors", "the client imports nothing of ours"),
        (
            "catalens/sample/shop.py",
            "import serve.settings",
            "the sample shop imports only catalog",
        ),
    ],
)
def test_an_import_turned_around_is_noticed(
    copy: Path, module: str, line: str, contract: str
) -> None:
    path = copy / module
    path.write_text(f"{path.read_text()}\n\ndef planted() -> None:\n    {line}\n")
    found = lint_imports(copy)
    assert found.returncode == 1, found.stdout + found.stderr
    broken = [text for text in found.stdout.splitlines() if text.endswith("BROKEN")]
    assert any(text.startswith(contract) for text in broken), found.stdout
