"""The main job from start to end, on the drawn sample shop or on one's own photos.

Every step is the command a user would type; the answers are checked against the truth.
"""

import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from rich.console import Console
from rich.markup import escape

from catalens.background import served
from catalens.cli.markup import bold
from catalens.client import Client
from catalog.errors import CatalensError
from catalog.manifest import Manifest, ManifestConfig, Row, read_manifest
from catalog.tables import read_bytes

_PORT = 8321

app = App(name="python -m catalens.demo", help=__doc__)
_console = Console()


@app.default
def demo(
    data: str | None = None,
    /,
    *,
    directory: Path = Path("demo"),
    recipe: str = "probe",
    port: int = _PORT,
    columns: Annotated[ManifestConfig, Parameter(name="*")] = ManifestConfig(),
) -> int:
    """Draw (or take) photos, train, export, import, serve, ask, check, stop.

    Args:
        data: folder tree or table of labelled photos; without it the sample shop is drawn.
        directory: where everything goes; what is there already is used again.
        recipe: how to train.
        port: of the server.
        columns: how to read the data.
    """
    started = time.perf_counter()
    manifest = data or _sample(directory)
    flags = _flags(columns)
    run, bundle, catalog = (directory / name for name in ("run", "bundle", "catalog"))
    if not bundle.exists():
        if not (run / "run.json").exists():
            _catalens("train", manifest, "--run", run, "--recipe", recipe, *flags)
        _catalens("export", run, bundle)
    rows = read_manifest(manifest, columns)
    known = "train" if any(row.split == "train" for row in rows.rows) else None
    _catalens("import", bundle, manifest, catalog, *(["--split", known] if known else []), *flags)
    serve = ("serve", bundle, "--catalog", catalog)
    _show(f"{_command(*serve, '--port', port)} &")
    _console.print("Starting; ready in about half a minute.")
    # What the server says would come between what is asked of it.
    with served(bundle, catalog, port, quiet=True) as url:
        _console.print(f"Serving at {url}.", soft_wrap=True)
        wrong = _ask(url, rows)
    minutes = (time.perf_counter() - started) / 60
    _console.print(f"\nDone in {minutes:.1f} minutes; the server is stopped. To start it again:\n")
    _console.print(f"    .venv/bin/{_command(*serve)}\n", markup=False, soft_wrap=True)
    _console.print(f"The training report is {run / 'report.html'}.", markup=False, soft_wrap=True)
    return 1 if wrong else 0


def _sample(directory: Path) -> str:
    shop = directory / "shop"
    if not (shop / "manifest.csv").exists():
        _catalens("sample", shop)
    return str(shop / "manifest.csv")


def _flags(columns: ManifestConfig) -> list[str]:
    default = ManifestConfig()
    return [
        text
        for key, value in vars(columns).items()
        if value != getattr(default, key)
        for text in (f"--{key.replace('_', '-')}", str(value))
    ]


def _catalens(*arguments: str | Path) -> None:
    _show(_command(*arguments))
    subprocess.run([sys.executable, "-m", "catalens.cli", *map(str, arguments)], check=True)


def _command(*arguments: object) -> str:
    """A command line that can be pasted."""
    return shlex.join(["catalens", *map(str, arguments)])


def _show(command: str) -> None:
    _console.print(f"\n{bold(f'$ {command}')}", highlight=False, soft_wrap=True)


def _ask(url: str, manifest: Manifest) -> list[str]:
    """Classify, compare and categorize; what came out wrong."""
    photo, same, other = _examples(manifest)
    _catalens("classify", url, photo.image or "")
    _catalens("compare", url, *_side("left", photo), *_side("right", same))
    _catalens("compare", url, *_side("left", photo), *_side("right", other))
    _catalens("categorize", url, "--photo", photo.image or "", *_name("--name", photo))
    with Client(url) as client:
        data = read_bytes(photo.image or "")
        guess = client.classify([data]).results[0].categories[0].path
        one, two = _score(client, photo, same), _score(client, photo, other)
        place = client.categorize(photo=data, name=photo.name).path
    checks = {
        f"classify says {guess}, the truth is {photo.category}": guess == photo.category,
        f"compare gives one product {one:.2f} and two products {two:.2f}": one > two,
        f"categorize says {place}, the truth is {photo.category}": place == photo.category,
    }
    _console.print()
    for sentence, right in checks.items():
        mark = "[green]right[/green]" if right else "[red]wrong[/red]"
        _console.print(f"{mark}  {escape(sentence)}", soft_wrap=True)
    return [sentence for sentence, right in checks.items() if not right]


def _examples(manifest: Manifest) -> tuple[Row, Row, Row]:
    """A photo that was not trained on where there is one, another of its product, another's."""
    unseen = [row for row in manifest.rows if row.split not in (None, "train")]
    rows = unseen or list(manifest.rows)
    by_product: dict[str, list[Row]] = {}
    for row in rows:
        by_product.setdefault(row.id, []).append(row)
    several = [photos for photos in by_product.values() if len(photos) > 1]
    photos = several[0] if several else [rows[0], rows[0]]
    other = next((row for row in rows if row.category != photos[0].category), rows[-1])
    return photos[0], photos[1], other


def _side(side: str, row: Row) -> list[str]:
    return [f"--{side}-photo", row.image or "", *_name(f"--{side}-name", row)]


def _name(flag: str, row: Row) -> list[str]:
    return [flag, row.name] if row.name else []


def _score(client: Client, left: Row, right: Row) -> float:
    return client.compare(
        left_photo=read_bytes(left.image or ""),
        left_name=left.name,
        right_photo=read_bytes(right.image or ""),
        right_name=right.name,
    ).score


if __name__ == "__main__":
    try:
        sys.exit(app())
    except CatalensError as error:
        _console.print(str(error), style="red", markup=False, soft_wrap=True)
        sys.exit(1)
