"""The quantised convolutions settled in order, each on what the ones before it really give.

Weights are rounded with regard to the inputs (`export.rounding`), and each channel's mean error
goes into the bias (bias correction, Nagel et al. 2019, arXiv:1906.04721).
"""

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto

from export.pieces import Pieces
from export.rounding import patches, refit, round_weights
from export.wiring import Wiring

# Outputs looked at per photo. A dense convolution has thousands of weights per output to fit.
_POSITIONS = 64
_POSITIONS_DEPTHWISE = 16
# Few enough weights per output that a refit on these photos holds on others.
_REFIT_UP_TO = 64
# Above so many weights per output their inputs' matrix costs more time than it is worth.
_ROUNDED_UP_TO = 2048
_INT32 = 2**31 - 1


def settle(model: ModelProto, quantised: ModelProto, photos: NDArray[np.uint8]) -> None:
    """Change the quantised graph's weights and biases in place.

    Args:
        model: the float graph.
        quantised: the same with Q/DQ pairs; convolutions keep their names.
        photos: uint8 [N, S, S, 3]; all inner maps of two layers are in memory at once.
    """
    wiring, exact = Wiring.of(quantised), Wiring.of(model)
    pieces, exact_pieces = Pieces(wiring, photos), Pieces(exact, photos)
    wanted = {node.name: node for node in exact.convolutions()}
    todo = [
        node
        for node in wiring.nodes
        if node.name in wanted and all(name in wiring.maker for name in node.input[1:])
    ]
    rng = np.random.default_rng(0)
    for number, node in enumerate(todo):
        twin = wanted[node.name]
        maps = pieces.run(node.input[0])
        pieces.hold(node.input[0], maps)
        target = exact_pieces.run(twin.output[0])
        _settle_weights(wiring, node, exact, twin, maps, target, rng)
        actual = pieces.run(node.output[0])
        if len(node.input) == 3:
            actual = actual - _settle_bias(wiring, node, actual, target)
        pieces.hold(node.output[0], actual)
        exact_pieces.hold(twin.output[0], target)
        rest = todo[number + 1 :]
        pieces.drop_all_but([one.output[0] for one in rest])
        exact_pieces.drop_all_but([wanted[one.name].output[0] for one in rest])


def _settle_weights(
    wiring: Wiring,
    node: NodeProto,
    exact: Wiring,
    twin: NodeProto,
    maps: NDArray[np.float32],
    target: NDArray[np.float32],
    rng: np.random.Generator,
) -> None:
    steps, scale_name = wiring.maker[node.input[1]].input[:2]
    weights = exact.value(twin.input[1]).astype(np.float64)
    scale = wiring.value(scale_name).astype(np.float64)
    if weights[0].size > _ROUNDED_UP_TO:
        return
    depthwise = exact.depthwise(twin)
    at = _positions(target, _POSITIONS_DEPTHWISE if depthwise else _POSITIONS, rng)
    seen = patches(maps, node, weights.shape[2:], at)  # [rows, C, taps]
    outputs = target[np.arange(len(target))[:, None], :, at[0], at[1]].reshape(len(seen), -1)
    if depthwise:
        inputs, asked = seen.transpose(1, 0, 2), outputs.T[:, :, None]
        grouped, scales = weights.reshape(len(weights), 1, -1), scale[:, None]
    else:
        inputs, asked = seen.reshape(1, len(seen), -1), outputs[None]
        grouped, scales = weights.reshape(1, len(weights), -1), scale[None]
    inputs = inputs - inputs.mean(axis=1, keepdims=True)
    if grouped.shape[2] <= _REFIT_UP_TO:
        asked = asked - asked.mean(axis=1, keepdims=True)
        grouped = refit(grouped, inputs, asked - inputs @ grouped.transpose(0, 2, 1))
    wiring.set_value(steps, round_weights(grouped, scales, inputs).reshape(weights.shape))


def _positions(
    target: NDArray[np.float32], wanted: int, rng: np.random.Generator
) -> NDArray[np.intp]:
    """Row and column of some outputs of each photo, intp [2, N, P]."""
    count, _, height, width = target.shape
    area = height * width
    chosen = rng.integers(area, size=(count, min(wanted, area)))
    return np.stack([chosen // width, chosen % width])


def _settle_bias(
    wiring: Wiring, node: NodeProto, actual: NDArray[np.float32], target: NDArray[np.float32]
) -> NDArray[np.float32]:
    """What the outputs are lowered by, float32 [C, 1, 1]."""
    name, scale_name = wiring.maker[node.input[2]].input[:2]
    scale = wiring.value(scale_name).astype(np.float64)
    axes = (0, 2, 3)
    error = actual.mean(axes, dtype=np.float64) - target.mean(axes, dtype=np.float64)
    before = wiring.value(name).astype(np.int64)
    after = np.clip(before - np.round(error / scale).astype(np.int64), -_INT32, _INT32)
    wiring.set_value(name, after.astype(np.int32))
    lowered: NDArray[np.float32] = ((before - after) * scale).astype(np.float32)
    return lowered[:, None, None]
