"""Weights rounded one after the other, each taking up the error of those before it.

GPTQ (Frantar et al. 2022, arXiv:2210.17323): rounding errors are pushed into directions that the
inputs hardly use. A photo's white background is such an input: one value over half the picture.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from export.wiring import integers

Floats = NDArray[np.float64]

_DAMPING: Final = 0.01
_REFIT: Final = 0.05
_BLOCK: Final = 128
_LARGEST: Final = 127


def refit(weights: Floats, inputs: NDArray, errors: NDArray) -> Floats:
    """Weights moved by a ridge regression of what the outputs lack on the inputs.

    Args:
        weights: [G, outputs, D] for G independent groups.
        inputs: centred, [G, rows, D].
        errors: wanted minus actual outputs, centred, [G, rows, outputs].
    """
    second = _second_moment(inputs, _REFIT)
    cross = inputs.transpose(0, 2, 1) @ errors / inputs.shape[1]
    return weights + np.linalg.solve(second, cross).transpose(0, 2, 1)


def round_weights(weights: Floats, scale: Floats, inputs: NDArray) -> NDArray[np.int8]:
    """Multiples of the scale, [G, outputs, D].

    Args:
        weights: [G, outputs, D].
        scale: [G, outputs].
        inputs: centred, [G, rows, D].
    """
    second = _second_moment(inputs, _DAMPING)
    # Those that matter most first: the later ones can still take up their errors.
    order = np.argsort(-np.diagonal(second, axis1=1, axis2=2).mean(axis=0))
    second = second[:, order][:, :, order]
    left = weights[:, :, order].copy()
    upper = np.linalg.cholesky(np.linalg.inv(second)).transpose(0, 2, 1)
    rounded = np.zeros(left.shape, np.int8)
    width = left.shape[2]
    for start in range(0, width, _BLOCK):
        end = min(start + _BLOCK, width)
        errors = np.zeros((*left.shape[:2], end - start))
        for at in range(start, end):
            steps = np.clip(np.round(left[..., at] / scale), -_LARGEST, _LARGEST)
            rounded[..., order[at]] = steps
            error = (left[..., at] - steps * scale) / upper[:, at, at][:, None]
            errors[..., at - start] = error
            left[..., at + 1 : end] -= error[..., None] * upper[:, None, at, at + 1 : end]
        left[..., end:] -= errors @ upper[:, start:end, end:]
    return rounded


def _second_moment(inputs: NDArray, damping: float) -> Floats:
    second = (inputs.transpose(0, 2, 1) @ inputs).astype(np.float64) / inputs.shape[1]
    width = second.shape[1]
    level = damping * np.trace(second, axis1=1, axis2=2) / width + 1e-12
    damped: Floats = second + level[:, None, None] * np.eye(width)
    return damped


def patches(
    maps: NDArray[np.float32], node: NodeProto, kernel: tuple[int, int], at: NDArray[np.intp]
) -> NDArray[np.float32]:
    """What a convolution reads for some of its outputs.

    Args:
        maps: its input, float32 [N, C, H, W].
        node: the convolution.
        kernel: height and width.
        at: row and column of the outputs, intp [2, N, P].

    Returns:
        float32 [N * P, C, taps].
    """
    top, left, bottom, right = integers(node, "pads", (0, 0, 0, 0))
    down, across = integers(node, "strides", (1, 1))
    gap_down, gap_across = integers(node, "dilations", (1, 1))
    padded = np.pad(maps, ((0, 0), (0, 0), (top, bottom), (left, right)))
    rows = at[0][..., None] * down + np.arange(kernel[0]) * gap_down  # [N, P, kh]
    columns = at[1][..., None] * across + np.arange(kernel[1]) * gap_across  # [N, P, kw]
    photo = np.arange(len(maps))[:, None, None, None]
    taken = padded[photo, :, rows[..., :, None], columns[..., None, :]]  # [N, P, kh, kw, C]
    taps = kernel[0] * kernel[1]
    return taken.reshape(-1, taps, maps.shape[1]).transpose(0, 2, 1)
