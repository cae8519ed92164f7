"""Many photos through the network: read and decoded in threads while the session runs a batch."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from catalog.errors import CatalensError
from catalog.images import ImageSpec, decode, jpeg_copy
from catalog.manifest import BadRow, Row
from catalog.tables import read_bytes
from inference.session import Prediction, Session, cores

BATCH_SIZE = 32

# One batch is in the session while the next two are being read and decoded.
_BATCHES_AHEAD = 3


@dataclass(frozen=True)
class SeenRow:
    """A row of the manifest and what the network says of its photo.

    Attributes:
        row: the row.
        probabilities: float32 [classes]; None where the row has no photo.
        embedding: float32 [D] of unit length; None where the row has no photo.
        copy: small JPEG of the photo, where one was asked for.
    """

    row: Row
    probabilities: NDArray[np.float32] | None = None
    embedding: NDArray[np.float32] | None = None
    copy: bytes | None = None

    @property
    def prediction(self) -> Prediction | None:
        """Both as of a batch of one; None where the row has no photo."""
        if self.probabilities is None or self.embedding is None:
            return None
        return Prediction(self.probabilities[None], self.embedding[None])


@dataclass(frozen=True)
class _Decoded:
    row: Row
    pixels: NDArray[np.uint8] | None
    copy: bytes | None


def see_rows(
    session: Session,
    rows: Iterable[Row],
    *,
    copy_side: int | None = None,
    batch_size: int = BATCH_SIZE,
    read: Callable[[str], bytes] = read_bytes,
) -> Iterator[SeenRow | BadRow]:
    """One answer per row, in the rows' order; a photo that cannot be read gives a `BadRow`.

    A few batches are held in memory, however many rows there are.

    Args:
        session: the network.
        rows: rows without a photo come back as they are.
        copy_side: longest side of the JPEG copies, px; none are made if not given.
        batch_size: photos per run of the network.
        read: gives the photo of a row's ``image``, from several threads.
    """
    spec = session.bundle.document.image
    # More threads than cores: reading from object storage is mostly waiting.
    with ThreadPoolExecutor(cores() + 4, "photo") as pool:
        source = iter(rows)
        waiting: deque[Future[_Decoded | BadRow]] = deque()
        try:
            while True:
                for row in islice(source, batch_size * _BATCHES_AHEAD - len(waiting)):
                    waiting.append(pool.submit(_decode, row, spec, copy_side, read))
                if not waiting:
                    return
                taken = [waiting.popleft() for _ in range(min(batch_size, len(waiting)))]
                yield from _answer(session, [future.result() for future in taken])
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _decode(
    row: Row, spec: ImageSpec, copy_side: int | None, read: Callable[[str], bytes]
) -> _Decoded | BadRow:
    if row.image is None:
        return _Decoded(row, None, None)
    try:
        data = read(row.image)
        copy = None if copy_side is None else jpeg_copy(data, copy_side)
        return _Decoded(row, decode(data, spec), copy)
    except CatalensError as error:
        return BadRow(row.line, row.image, "image", error.what, row.split)


def _answer(session: Session, batch: list[_Decoded | BadRow]) -> Iterator[SeenRow | BadRow]:
    pixels = [one.pixels for one in batch if isinstance(one, _Decoded) and one.pixels is not None]
    prediction = session.run(np.stack(pixels)) if pixels else None
    photo = 0
    for one in batch:
        if isinstance(one, BadRow):
            yield one
        elif one.pixels is None or prediction is None:
            yield SeenRow(one.row)
        else:
            yield SeenRow(
                one.row, prediction.probabilities[photo], prediction.embeddings[photo], one.copy
            )
            photo += 1
