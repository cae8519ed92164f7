"""Does the exported graph answer as PyTorch does, at every batch size, on real photos?"""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from catalog.errors import InvalidBundle
from export.graph import ServedNetwork
from export.sessions import cpu_session

BATCH_SIZES = (1, 2, 3, 7, 16, 33)
TOLERANCE = 1e-4


def check_parity(served: ServedNetwork, graph: Path, photos: NDArray[np.uint8]) -> dict[int, float]:
    """Largest absolute difference of probabilities and embeddings per batch size.

    Args:
        served: the network in PyTorch.
        graph: the exported file.
        photos: uint8 [N, S, S, 3]; repeated where a batch wants more.

    Raises:
        InvalidBundle: a difference over 1e-4.
    """
    session = cpu_session(graph)
    differences = {}
    for size in BATCH_SIZES:
        batch = np.resize(photos, (size, *photos.shape[1:]))
        with torch.inference_mode():
            expected = [output.numpy() for output in served(torch.from_numpy(batch))]
        actual = session.run(["probabilities", "embedding"], {"images": batch})
        differences[size] = max(
            float(np.abs(left - right).max()) for left, right in zip(expected, actual, strict=True)
        )
        if not differences[size] <= TOLERANCE:
            raise InvalidBundle(
                f"the exported graph differs from PyTorch by {differences[size]:.2g} at batch "
                f"{size}; {TOLERANCE:.0e} is allowed.",
                where=str(graph),
                fix="Another backbone, or another torch.onnx version, is needed.",
            )
    return differences
