"""An explanation for people: one picture in a file, and the nearest training photos as a table."""

import base64
import io
from pathlib import Path
from typing import Final

from PIL import Image
from rich.console import Console
from rich.table import Table

from catalens.answers import Explanation
from catalens.cli.markup import cells

_HEIGHT: Final = 240  # px
_GAP: Final = 6


def show_explained(photo: Path, found: Explanation) -> None:
    """Write PHOTO-explained.jpg into this directory, and name the training photos beside it."""
    picture = Path(f"{photo.stem}-explained.jpg")
    _side_by_side([found.saliency, *(one.photo for one in found.nearest)]).save(picture, quality=90)
    console = Console()
    console.print(
        f"{picture}: bright is what {found.path} rests on",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    if found.nearest:
        table = Table("like the training photo", "of", "similarity")
        for one in found.nearest:
            table.add_row(*cells(one.image, one.path, f"{one.similarity:.2f}"))
        console.print(table)


def _side_by_side(photos: list[str]) -> Image.Image:
    opened = [Image.open(io.BytesIO(base64.b64decode(photo))).convert("RGB") for photo in photos]
    tiles = [one.resize((one.width * _HEIGHT // one.height, _HEIGHT)) for one in opened]
    width = sum(tile.width for tile in tiles) + _GAP * (len(tiles) - 1)
    strip = Image.new("RGB", (width, _HEIGHT), "white")
    left = 0
    for tile in tiles:
        strip.paste(tile, (left, 0))
        left += tile.width + _GAP
    return strip
