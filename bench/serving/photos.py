"""The request bodies: grocery's photos as they are, 32 of them in one, and photos of 1600 px."""

import base64
import io
import json
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from bench.shops import DANCE, GROCERY, require
from catalog.tables import read_bytes

SINGLE_PHOTOS = 64
BATCH = 32
_LARGE_PHOTOS = 16
_LARGE_SIDE = 1600
_LARGE_QUALITY = 90


def single_photos() -> list[bytes]:
    """Grocery val photos (348 px on the longer side), spread over the categories."""
    rows = require(GROCERY).rows("val").rows
    step = max(1, len(rows) // SINGLE_PHOTOS)
    return [read_bytes(row.image or "") for row in rows[::step][:SINGLE_PHOTOS]]


def large_photos() -> list[bytes]:
    """The largest dance photos, longer side brought to 1600 px."""
    folder = require(DANCE).manifest.with_suffix("")
    photos = [file.read_bytes() for file in sorted(folder.glob("*.jpg"))]
    photos.sort(key=lambda photo: -_pixels(photo))
    return [_resized(photo) for photo in photos[:_LARGE_PHOTOS]]


def json_batch(photos: Sequence[bytes]) -> bytes:
    """The JSON body that classifies 32 photos at once."""
    some = [photos[place % len(photos)] for place in range(BATCH)]
    return json.dumps({"images": [base64.b64encode(photo).decode() for photo in some]}).encode()


def write_bodies(folder: Path, bodies: Sequence[bytes]) -> list[Path]:
    """As files, which the load generator reads."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{place:03}" for place in range(len(bodies))]
    for file, body in zip(files, bodies, strict=True):
        file.write_bytes(body)
    return files


def _pixels(photo: bytes) -> int:
    with Image.open(io.BytesIO(photo)) as opened:
        return opened.width * opened.height


def _resized(photo: bytes) -> bytes:
    opened = Image.open(io.BytesIO(photo)).convert("RGB")
    scale = _LARGE_SIDE / max(opened.size)
    size = round(opened.width * scale), round(opened.height * scale)
    out = io.BytesIO()
    opened.resize(size, Image.Resampling.LANCZOS).save(out, "JPEG", quality=_LARGE_QUALITY)
    return out.getvalue()
