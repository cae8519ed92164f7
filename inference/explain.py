"""Why a photo got its answer: which part of it mattered, and which training photos are like it.

By occlusion (Zeiler & Fergus 2014, arXiv:1311.2901): a window of the photo's mean colour covers one
part after the other, and the parts whose loss costs the answer most are those it rests on. That
asks nothing of the graph but its answers, so it holds for every backbone and variant.
"""

import base64
from itertools import product
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from catalog.examples import Examples
from catalog.images import jpeg
from catalog.tree import CategoryTree

_PLACES: Final = 7  # of the window along each side
_WINDOW: Final = 0.25  # of the photo's side
_SLIGHT: Final = 0.02  # in log probability: a part that costs less is not shown as important
_DIMMEST: Final = 0.15
_NEAREST: Final = 5


def covered(photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The photo with a window over each part in turn: uint8 [S, S, 3] -> [49, S, S, 3]."""
    side = len(photo)
    window = max(1, round(_WINDOW * side))
    starts = np.linspace(0, side - window, _PLACES).round().astype(int).tolist()
    colour = photo.mean(axis=(0, 1)).round().astype(np.uint8)
    copies = np.repeat(photo[None], _PLACES * _PLACES, axis=0)
    for copy, (top, left) in zip(copies, product(starts, starts), strict=True):
        copy[top : top + window, left : left + window] = colour
    return copies


def importance(whole: float, without: NDArray[np.float32]) -> NDArray[np.float32]:
    """How much each part matters, 0 to 1: what covering it costs in log probability.

    Args:
        whole: probability of the category for the whole photo.
        without: float32 [49], that of the photos of `covered`.

    Returns:
        float32 [7, 7]; the most important part has 1, but where covering it changes nearly nothing.
    """
    tiny = 1e-9
    cost = np.log(whole + tiny) - np.log(without.astype(np.float64) + tiny)
    cost = np.maximum(cost, 0).reshape(_PLACES, _PLACES)
    return np.asarray(cost / max(float(cost.max()), _SLIGHT), dtype=np.float32)


def spotlight(photo: NDArray[np.uint8], parts: NDArray[np.float32]) -> bytes:
    """JPEG of the photo, uint8 [S, S, 3], bright where it matters and dim elsewhere."""
    side = len(photo)
    heat = Image.fromarray(parts).resize((side, side), Image.Resampling.BICUBIC)
    light = _DIMMEST + (1 - _DIMMEST) * np.clip(np.asarray(heat), 0, 1)
    return jpeg((photo * light[:, :, None]).round().astype(np.uint8), side)


def explanation(
    tree: CategoryTree,
    path: str,
    photo: NDArray[np.uint8],
    whole: NDArray[np.float32],
    without: NDArray[np.float32],
    embedding: NDArray[np.float32],
    examples: Examples | None,
) -> dict[str, Any]:
    """The `explanation` of a classify answer, as plain JSON values.

    Args:
        tree: of the model's classes.
        path: the category answered, which is explained.
        photo: uint8 [S, S, 3], as the network saw it.
        whole: float32 [classes], its probabilities.
        without: float32 [49, classes], those of `covered`.
        embedding: float32 [D], unit length.
        examples: training photos, where the bundle has them.
    """
    column = tree.nodes.index(tree.require(path))
    shares = tree.roll_up(np.concatenate([whole[None], without]))[:, column]
    parts = importance(float(shares[0]), shares[1:])
    nearest = [] if examples is None else examples.nearest(embedding, _NEAREST)
    return {
        "path": path,
        "saliency": _base64(spotlight(photo, parts)),
        "nearest": [
            {
                "image": one.image,
                "path": one.category,
                "similarity": one.similarity,
                "photo": _base64(one.photo),
            }
            for one in nearest
        ],
    }


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
