"""A graph's wiring: which node makes a tensor, which nodes read it, what its constants are."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from onnx.shape_inference import infer_shapes


@dataclass(frozen=True)
class Wiring:
    """Look-ups over a model; stale once nodes are added or removed.

    Attributes:
        model: the model.
        nodes: in an order in which they can run.
        maker: the node that makes a tensor.
        readers: the nodes that read a tensor.
        constants: initializers by name.
        maps: names of inner float tensors [N, C, H, W].
    """

    model: ModelProto
    nodes: tuple[NodeProto, ...]
    maker: dict[str, NodeProto]
    readers: dict[str, list[NodeProto]]
    constants: dict[str, TensorProto]
    maps: frozenset[str]

    @classmethod
    def of(cls, model: ModelProto) -> "Wiring":
        """Look at a model, whose shapes must be inferable."""
        readers: dict[str, list[NodeProto]] = {}
        for node in model.graph.node:
            for name in node.input:
                readers.setdefault(name, []).append(node)
        maker = {name: node for node in model.graph.node for name in node.output}
        maps = frozenset(
            value.name
            for value in infer_shapes(model).graph.value_info
            if value.name in maker
            and value.type.tensor_type.elem_type == TensorProto.FLOAT
            and len(value.type.tensor_type.shape.dim) == 4
        )
        constants = {constant.name: constant for constant in model.graph.initializer}
        return cls(model, tuple(model.graph.node), maker, readers, constants, maps)

    def value(self, name: str) -> NDArray[Any]:
        """A constant's value."""
        return numpy_helper.to_array(self.constants[name])

    def set_value(self, name: str, value: NDArray[Any]) -> None:
        """Replace a constant's value."""
        self.constants[name].CopyFrom(numpy_helper.from_array(np.ascontiguousarray(value), name))

    def convolutions(self) -> list[NodeProto]:
        """Those with constant weights, dense or depthwise."""
        return [
            node
            for node in self.nodes
            if node.op_type == "Conv"
            and node.input[1] in self.constants
            and (integer(node, "group", 1) == 1 or self.depthwise(node))
        ]

    def depthwise(self, node: NodeProto) -> bool:
        """Each channel has its own filter."""
        dims = self.constants[node.input[1]].dims
        return bool(integer(node, "group", 1) == dims[0] > 1 and dims[1] == 1)


def integer(node: NodeProto, name: str, default: int) -> int:
    """An integer attribute of a node."""
    found = [one for one in node.attribute if one.name == name]
    return int(helper.get_attribute_value(found[0])) if found else default


def integers(node: NodeProto, name: str, default: tuple[int, ...]) -> tuple[int, ...]:
    """A list attribute of a node."""
    found = [one for one in node.attribute if one.name == name]
    return tuple(helper.get_attribute_value(found[0])) if found else default
