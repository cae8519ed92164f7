"""The fp16 graph, for GPUs: half the bytes, and tensor cores. A CPU runs it through casts.

From the features on everything stays float32: head, softmax, embedding and its length. ONNX
Runtime's own converter would cast to fp16 and back between each two of these nodes.
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper
from onnx.shape_inference import infer_shapes

from export.wiring import Wiring

_LINEAR = ("Gemm", "MatMul")


def write_fp16(graph: Path, path: Path) -> None:
    """Convert a graph of `export.graph.write_graph`; inputs and outputs keep their types."""
    model = infer_shapes(onnx.load(graph))
    wiring = Wiring.of(model)
    floats = {
        value.name
        for value in model.graph.value_info
        if value.name in wiring.maker and value.type.tensor_type.elem_type == TensorProto.FLOAT
    }
    kept = _after_features(wiring)
    nodes: list[NodeProto] = []
    back: dict[str, str] = {}
    for node in wiring.nodes:
        if node.name not in kept:
            _halve(wiring, node)
        for position, name in enumerate(node.input):
            if node.name in kept and name in floats and wiring.maker[name].name not in kept:
                if name not in back:
                    back[name] = f"{name}_fp32"
                    nodes.append(_cast(name, back[name]))
                node.input[position] = back[name]
        nodes.append(node)
    used = {name for node in nodes for name in node.input}
    constants = [value for name, value in wiring.constants.items() if name in used]
    inputs, outputs = model.graph.input, model.graph.output
    half = helper.make_graph(nodes, model.graph.name, inputs, outputs, constants)
    model.graph.CopyFrom(half)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def _after_features(wiring: Wiring) -> set[str]:
    """Names of the nodes from the outputs back to the head's and the embedding's linear layers."""
    names: set[str] = set()
    stack = [output.name for output in wiring.model.graph.output]
    while stack:
        node = wiring.maker.get(stack.pop())
        if node is not None and node.name not in names:
            names.add(node.name)
            if node.op_type not in _LINEAR:
                stack.extend(node.input)
    return names


def _halve(wiring: Wiring, node: NodeProto) -> None:
    """Let a node compute in fp16: its constants, and what it casts to."""
    for position, name in enumerate(node.input):
        constant = wiring.constants.get(name)
        if constant is None or constant.data_type != TensorProto.FLOAT:
            continue
        half = f"{name}_fp16"
        if half not in wiring.constants:
            largest = np.finfo(np.float16).max
            value = np.clip(wiring.value(name), -largest, largest).astype(np.float16)
            wiring.constants[half] = numpy_helper.from_array(value, half)
        node.input[position] = half
    for attribute in node.attribute:
        if node.op_type == "Cast" and attribute.name == "to" and attribute.i == TensorProto.FLOAT:
            attribute.i = TensorProto.FLOAT16


def _cast(name: str, output: str) -> NodeProto:
    return helper.make_node("Cast", [name], [output], f"{output}_cast", to=TensorProto.FLOAT)
