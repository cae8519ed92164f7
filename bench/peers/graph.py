"""The bundle as every peer runs it: Pillow, ONNX Runtime, the five best categories.

Imports numpy, Pillow and ONNX Runtime alone, so that a peer's own requirements stay few.
"""

import io
import json
import math
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from PIL import Image

_BEST = 5
_DRAFT_GAP = 1.5  # as ours: a JPEG is decoded at no less than this multiple of the target


class Graph:
    """The fp32 graph on the CPU.

    Args:
        bundle: a folder with bundle.json and its graph.
        threads: intra-op threads.
    """

    def __init__(self, bundle: Path, threads: int) -> None:
        document = json.loads((bundle / "bundle.json").read_text(encoding="utf-8"))
        self.classes: list[str] = document["classes"]
        self.size: int = document["image"]["size"]
        self.crop: float = document["image"]["crop"]
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = ort.InferenceSession(
            bundle / document["variants"]["fp32"]["file"],
            options,
            providers=["CPUExecutionProvider"],
        )

    def decode(self, photo: bytes) -> NDArray[np.uint8]:
        """One photo's pixels, uint8 [S, S, 3]."""
        return decode_with_pillow(photo, self.size, self.crop)

    def run(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Probabilities float32 [N, classes] of ``images`` uint8 [N, S, S, 3]."""
        return self._session.run(["probabilities"], {"images": images})[0]

    def answer(self, probabilities: NDArray[np.float32]) -> dict[str, object]:
        """What a client reads, from one photo's float32 [classes]."""
        best = np.argsort(-probabilities)[:_BEST]
        return {
            "categories": [
                {"path": self.classes[place], "probability": float(probabilities[place])}
                for place in best
            ]
        }


def decode_with_pillow(
    photo: bytes, size: int, crop: float, *, draft: bool = True
) -> NDArray[np.uint8]:
    """The central square of one JPEG, uint8 [size, size, 3].

    Args:
        photo: the JPEG's bytes.
        size: side of the result, px.
        crop: side of the square as a share of the photo's shorter side.
        draft: let libjpeg decode a large photo at a fraction of its size; without, all of it is
            decoded before it is scaled.
    """
    image = Image.open(io.BytesIO(photo))
    if draft:
        image.draft("RGB", (math.ceil(size / crop * _DRAFT_GAP),) * 2)
    image = image.convert("RGB")
    side = min(image.size) * crop
    left, top = (image.width - side) / 2, (image.height - side) / 2
    box = (left, top, left + side, top + side)
    return np.asarray(image.resize((size, size), Image.Resampling.BICUBIC, box=box))
