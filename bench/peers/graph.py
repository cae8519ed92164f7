"""The bundle as every peer runs it: our decode, ONNX Runtime, the five best categories.

Imports numpy, Pillow and ONNX Runtime alone, so that a peer's own requirements stay few.
"""

import json
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from catalog.images import ImageSpec, decode

_BEST = 5


class Graph:
    """The fp32 graph on the CPU.

    Args:
        bundle: a folder with bundle.json and its graph.
        threads: intra-op threads.
    """

    def __init__(self, bundle: Path, threads: int) -> None:
        document = json.loads((bundle / "bundle.json").read_text(encoding="utf-8"))
        self.classes: list[str] = document["classes"]
        image = document["image"]
        self.spec = ImageSpec(
            image["size"], image["crop"], tuple(image["mean"]), tuple(image["std"])
        )
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = ort.InferenceSession(
            bundle / document["variants"]["fp32"]["file"],
            options,
            providers=["CPUExecutionProvider"],
        )

    def decode(self, photo: bytes) -> NDArray[np.uint8]:
        """One photo's pixels, uint8 [S, S, 3]."""
        return decode(photo, self.spec)

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
