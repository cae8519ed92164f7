"""The run's photos, each decoded once: pixels on disk that every worker maps into memory."""

import hashlib
import json
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from catalog.errors import CatalensError
from catalog.images import ImageSpec, decode_views
from catalog.manifest import BadRow, Manifest, Row
from catalog.tables import read_bytes

# Augmentation crops from the whole central square, kept this much larger than the network's input.
CANVAS = 3 / 2
_AHEAD = 64

# The hash of a photo's bytes and its pixels at each size, or why there are none.
_Loaded = tuple[bytes, tuple[NDArray[np.uint8], ...]] | BadRow


class Pixels(Protocol):
    """Photos uint8 [N, S, S, 3], in memory, on disk or in several places."""

    @property
    def shape(self) -> tuple[int, ...]:
        """[N, S, S, 3]."""

    def __len__(self) -> int: ...

    def __getitem__(self, rows: slice | NDArray[np.int64], /) -> NDArray[np.uint8]: ...


@dataclass(frozen=True)
class Joined:
    """Photos of two places under one numbering, the first's first."""

    first: Pixels
    second: Pixels

    @property
    def shape(self) -> tuple[int, ...]:
        """[N, S, S, 3] of both."""
        return (len(self), *self.first.shape[1:])

    def __len__(self) -> int:
        return len(self.first) + len(self.second)

    def __getitem__(self, rows: slice | NDArray[np.int64], /) -> NDArray[np.uint8]:
        numbers = np.arange(len(self))[rows]
        inside = numbers < len(self.first)
        pixels = np.empty((len(numbers), *self.shape[1:]), np.uint8)
        pixels[inside] = self.first[numbers[inside]]
        pixels[~inside] = self.second[numbers[~inside] - len(self.first)]
        return pixels


@dataclass(frozen=True)
class Photos:
    """Decoded photos of the rows that could be read, in the manifest's order.

    Attributes:
        rows: one per photo.
        plain: uint8 [N, S, S, 3], exactly what serving would decode.
        canvas: uint8 [N, C, C, 3], the whole central square, to crop from; [0, ...] when none was
            asked for.
        fingerprint: hash of all photos' bytes and labels.
    """

    rows: tuple[Row, ...]
    plain: Pixels
    canvas: Pixels
    fingerprint: str

    def with_more(self, others: "Photos") -> "Photos":
        """These photos and then the others."""
        return Photos(
            (*self.rows, *others.rows),
            Joined(self.plain, others.plain),
            Joined(self.canvas, others.canvas),
            f"{self.fingerprint}+{others.fingerprint}",
        )


def prepare_photos(
    manifest: Manifest,
    directory: Path,
    spec: ImageSpec,
    *,
    with_canvas: bool,
    threads: int,
    bad_rows_file: Path,
    progress: Callable[[int, int], None],
) -> Photos:
    """Decode every photo of the manifest into ``directory``, or open what is there already.

    Raises:
        InvalidManifest: too many photos cannot be read.
    """
    if not (directory / "rows.json").exists():
        _decode_all(manifest, directory, spec, with_canvas, threads, bad_rows_file, progress)
    return open_photos(directory)


def open_photos(directory: Path) -> Photos:
    """Map prepared photos into memory."""
    found = json.loads((directory / "rows.json").read_text(encoding="utf-8"))
    rows = tuple(Row(**{**row, "tags": tuple(row["tags"])}) for row in found["rows"])
    # Rows of photos that could not be read were never filled; they lie at the end.
    plain = np.load(directory / "plain.npy", mmap_mode="r")[: len(rows)]
    canvas = np.load(directory / "canvas.npy", mmap_mode="r")[: len(rows)]
    return Photos(rows, plain, canvas, found["fingerprint"])


def _decode_all(
    manifest: Manifest,
    directory: Path,
    spec: ImageSpec,
    with_canvas: bool,
    threads: int,
    bad_rows_file: Path,
    progress: Callable[[int, int], None],
) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    total = len(manifest.rows)
    wide = replace(spec, size=round(spec.size * CANVAS), crop=1.0)
    plain = _allocate(directory / "plain.npy", total, spec.size)
    canvas = _allocate(directory / "canvas.npy", total if with_canvas else 0, wide.size)
    views = (spec, wide) if with_canvas else (spec,)

    def load(row: Row) -> _Loaded:
        try:
            data = read_bytes(row.image or "")
            pixels = decode_views(data, views)
        except CatalensError as error:
            return BadRow(row.line, row.image or "", "image", str(error))
        return hashlib.sha256(data).digest(), pixels

    good: list[Row] = []
    bad: list[BadRow] = []
    digest = hashlib.sha256()
    with ThreadPoolExecutor(threads) as pool:
        for done, (row, found) in enumerate(_in_order(pool, load, manifest.rows), start=1):
            if isinstance(found, BadRow):
                bad.append(found)
            else:
                content, pixels = found
                for target, decoded in zip((plain, canvas), pixels, strict=False):
                    target[len(good)] = decoded
                digest.update(content + f"{row.category}\0{row.id}\0".encode())
                good.append(row)
            progress(done, total)
    manifest.with_bad(bad, bad_rows_file)
    document = {"fingerprint": digest.hexdigest()[:16], "rows": [asdict(row) for row in good]}
    (directory / "rows.json").write_text(json.dumps(document), encoding="utf-8")


def _allocate(path: Path, count: int, size: int) -> NDArray[np.uint8]:
    if count == 0:
        empty = np.zeros((0, size, size, 3), np.uint8)
        np.save(path, empty)
        return empty
    shape = (count, size, size, 3)
    pixels: NDArray[np.uint8] = np.lib.format.open_memmap(path, "w+", np.uint8, shape)
    return pixels


def _in_order(
    pool: ThreadPoolExecutor, load: Callable[[Row], _Loaded], rows: Iterable[Row]
) -> Iterable[tuple[Row, _Loaded]]:
    """Results in the rows' order, only so many ahead of the reader that memory stays bounded."""
    todo = iter(rows)
    waiting = [(row, pool.submit(load, row)) for row in islice(todo, _AHEAD)]
    while waiting:
        done, future = waiting.pop(0)
        waiting.extend((row, pool.submit(load, row)) for row in islice(todo, 1))
        yield done, future.result()
