"""The int8 graph: uint8 activations, int8 weights per channel, from pixels to pooled features.

QDQ form, which ONNX Runtime fuses into integer convolutions on channels-last maps. Pooling, head,
embedding and both normalisations stay float32: they cost nothing there.
"""

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, helper, numpy_helper
from onnx.shape_inference import infer_shapes
from onnxruntime.quantization import CalibrationMethod, QuantType
from onnxruntime.quantization.calibrate import TensorsData
from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

from catalog.images import ImageSpec
from export.equalise import equalise, see_channels
from export.settle import settle
from export.wiring import Wiring

_SETTLED_ON = 64
_OPERATORS = ("Conv", "Relu", "Clip", "Add", "MaxPool")
Range = tuple[float, float]


def write_int8(graph: Path, path: Path, spec: ImageSpec, photos: NDArray[np.uint8]) -> None:
    """Quantise a graph of `export.graph.write_graph`.

    Args:
        graph: the float32 graph.
        path: where the int8 one goes.
        spec: how the graph normalises.
        photos: to calibrate on, uint8 [N, S, S, 3].
    """
    model = onnx.load(graph)
    pixels = _read_pixels_directly(model, spec)
    model = infer_shapes(model)
    wiring = Wiring.of(model)
    chosen = [node for node in wiring.nodes if _quantisable(wiring, node)]
    channels = see_channels(model, _activations(wiring, chosen), photos)
    channels = equalise(model, channels)
    ranges = {
        name: (min(0.0, float(one.low.min())), max(0.0, float(one.high.max())))
        for name, one in channels.items()
    } | pixels
    quantised = _insert_pairs(model, chosen, ranges)
    settle(model, quantised, photos[:: max(1, len(photos) // _SETTLED_ON)][:_SETTLED_ON])
    onnx.checker.check_model(quantised, full_check=True)
    onnx.save(quantised, path)


def _read_pixels_directly(model: ModelProto, spec: ImageSpec) -> dict[str, Range]:
    """Let the pixels be the first convolution's input as they are, where one scale fits all.

    A dequantised uint8 is the normalised pixel exactly when mean and deviation are the same for
    every channel and the mean is whole; then casts, arithmetic and transposition fall away.

    Returns:
        the exact range of the tensor that held the normalised pixels; nothing if it does not fit.
    """
    mean, std = spec.mean[0], spec.std[0]
    if set(spec.mean) != {mean} or set(spec.std) != {std} or not mean.is_integer():
        return {}
    readers = Wiring.of(model).readers
    chain: list[NodeProto] = []
    name = "images"
    for operator in ("Transpose", "Cast", "Sub", "Div"):
        following = [node for node in readers.get(name, []) if node.op_type == operator]
        if len(following) != 1 or (chain and len(readers[name]) != 1):
            return {}
        chain.append(following[0])
        name = following[0].output[0]
    for node in chain:
        model.graph.node.remove(node)
    model.graph.initializer.extend(
        (
            numpy_helper.from_array(np.array(1 / std, np.float32), "pixel_scale"),
            numpy_helper.from_array(np.array(mean, np.uint8), "pixel_zero"),
        )
    )
    inputs = ["images", "pixel_scale", "pixel_zero"]
    first = helper.make_node("DequantizeLinear", inputs, ["pixels"], "dequantize_pixels")
    second = helper.make_node("Transpose", ["pixels"], [name], "channels_first", perm=(0, 3, 1, 2))
    model.graph.node.insert(0, first)
    model.graph.node.insert(1, second)
    return {name: (-mean / std, (255 - mean) / std)}


def _quantisable(wiring: Wiring, node: NodeProto) -> bool:
    if node.op_type not in _OPERATORS or node.output[0] not in wiring.maps:
        return False
    if node.op_type == "Conv":
        return node.input[1] in wiring.constants
    return node.op_type != "Add" or all(name in wiring.maps for name in node.input)


def _activations(wiring: Wiring, chosen: list[NodeProto]) -> list[str]:
    """Every tensor [N, C, H, W] that the chosen nodes read or make, once."""
    names = (name for node in chosen for name in (*node.input, *node.output))
    return [name for name in dict.fromkeys(names) if name in wiring.maps]


def _insert_pairs(
    model: ModelProto, chosen: list[NodeProto], ranges: dict[str, Range]
) -> ModelProto:
    """Q/DQ pairs around the chosen nodes; a ReLU or Clip vanishes into the range."""
    data = {name: (np.float32(low), np.float32(high)) for name, (low, high) in ranges.items()}
    copy = ModelProto()
    copy.CopyFrom(model)
    quantizer = QDQQuantizer(
        copy,
        True,  # weights per channel
        False,  # all 8 bits: their sums do not overflow where `inference` picks this variant
        QuantType.QInt8,
        QuantType.QUInt8,
        TensorsData(CalibrationMethod.MinMax, data),
        [node.name for node in chosen],
        [],
        list(_OPERATORS),
        {},
    )
    quantizer.quantize_model()
    quantizer.model.topological_sort()
    quantised: ModelProto = quantizer.model.model
    return quantised
