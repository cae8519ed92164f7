"""A graph looked into: its inner tensors on real photos, and runs of one piece at a time."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper

from export.sessions import cpu_session
from export.wiring import Wiring

_BATCH = 8


def observe(
    model: ModelProto, names: Sequence[str], photos: NDArray[np.uint8]
) -> Iterator[list[NDArray[np.float32]]]:
    """Inner tensors in the order of ``names``, a batch at a time.

    Args:
        model: a graph with the input ``images``.
        names: of its tensors.
        photos: uint8 [N, S, S, 3].
    """
    seen = ModelProto()
    seen.CopyFrom(model)
    del seen.graph.output[:]
    seen.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in names)
    session = cpu_session(seen)
    for start in range(0, len(photos), _BATCH):
        yield session.run(list(names), {"images": photos[start : start + _BATCH]})


class Pieces:
    """Runs a graph piece by piece over all photos, and holds only what is still needed.

    Args:
        wiring: of the graph; its constants may change between pieces.
        photos: uint8 [N, S, S, 3].
    """

    def __init__(self, wiring: Wiring, photos: NDArray[np.uint8]) -> None:
        self._wiring = wiring
        self._live: dict[str, NDArray] = {"images": photos}
        self._count = len(photos)

    def run(self, target: str) -> NDArray[np.float32]:
        """A tensor, computed from what is held."""
        if target in self._live:
            return self._live[target]
        names, front = self._path([target])
        nodes = [node for node in self._wiring.nodes if node.name in names]
        used = {name for node in nodes for name in node.input}
        inputs = [
            helper.make_tensor_value_info(
                name,
                helper.np_dtype_to_tensor_dtype(self._live[name].dtype),
                [None, *self._live[name].shape[1:]],
            )
            for name in front
        ]
        constants: list[TensorProto] = [
            value for name, value in self._wiring.constants.items() if name in used
        ]
        output = helper.make_empty_tensor_value_info(target)
        graph = helper.make_graph(nodes, "piece", inputs, [output], constants)
        model = self._wiring.model
        session = cpu_session(
            helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
        )
        return np.concatenate(
            [
                session.run([target], {name: self._live[name][at : at + _BATCH] for name in front})[
                    0
                ]
                for at in range(0, self._count, _BATCH)
            ]
        )

    def hold(self, name: str, value: NDArray[np.float32]) -> None:
        """Take a tensor's value as given from here on."""
        self._live[name] = value

    def drop_all_but(self, targets: Iterable[str]) -> None:
        """Let go of what these tensors do not need."""
        _, front = self._path(targets)
        self._live = {name: value for name, value in self._live.items() if name in front}

    def _path(self, targets: Iterable[str]) -> tuple[set[str], list[str]]:
        """Names of the nodes between what is held and the targets, and what is read there."""
        names: set[str] = set()
        front: list[str] = []
        done: set[str] = set()
        stack = list(targets)
        while stack:
            tensor = stack.pop()
            if not tensor or tensor in done or tensor in self._wiring.constants:
                continue
            done.add(tensor)
            if tensor in self._live:
                front.append(tensor)
            else:
                node = self._wiring.maker[tensor]
                names.add(node.name)
                stack.extend(node.input)
        return names, front
