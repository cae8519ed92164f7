"""Even channels: the same function, with ranges that 8 bits per tensor can hold.

Between two convolutions without an activation each channel may be scaled and shifted, if the next
weights and biases undo it (cross-layer equalisation, Nagel et al. 2019, arXiv:1906.04721; shifts,
Wei et al. 2023, arXiv:2304.09145). Residual additions tie the channels of several tensors. Behind
a ReLU6 it did not pay: a channel that is quiet on these photos is cut on the next ones.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto

from export.pieces import observe
from export.wiring import Wiring, integers

# How much of the channels' unevenness moves from the activations into the next weights.
_EXPONENTS = (0.0, 0.25, 0.5, 0.75, 1.0)
_STEPS = 255
_WEIGHT_STEPS = 127
_QUIET = 1e-3


@dataclass(frozen=True)
class Channels:
    """What each channel of a tensor held on the photos seen; float32 [C] each."""

    low: NDArray[np.float32]
    high: NDArray[np.float32]
    mean: NDArray[np.float32]
    square: NDArray[np.float32]

    @property
    def reach(self) -> NDArray[np.float32]:
        """The largest magnitude."""
        return np.maximum(np.abs(self.low), np.abs(self.high))

    def shifted(self, by: NDArray[np.float32]) -> "Channels":
        """After ``by`` was taken away."""
        square = self.square - 2 * by * self.mean + by**2
        return Channels(self.low - by, self.high - by, self.mean - by, square)

    def scaled(self, by: NDArray[np.float32]) -> "Channels":
        """After a multiplication by positive factors."""
        return Channels(self.low * by, self.high * by, self.mean * by, self.square * by**2)


def see_channels(
    model: ModelProto, names: Iterable[str], photos: NDArray[np.uint8]
) -> dict[str, Channels]:
    """Per channel of the tensors [N, C, H, W], on photos uint8 [N, S, S, 3]."""
    names = list(names)
    seen: dict[str, Channels] = {}
    for batch in observe(model, names, photos):
        for name, value in zip(names, batch, strict=True):
            axes = (0, 2, 3)
            share = len(value) / len(photos)
            new = Channels(
                value.min(axes),
                value.max(axes),
                value.mean(axes) * share,
                np.einsum("nchw,nchw->c", value, value) * (share * value.shape[1] / value.size),
            )
            old = seen.get(name, replace(new, mean=0.0 * new.mean, square=0.0 * new.square))
            seen[name] = Channels(
                np.minimum(old.low, new.low),
                np.maximum(old.high, new.high),
                old.mean + new.mean,
                old.square + new.square,
            )
    return seen


@dataclass
class _Group:
    """Tensors whose channels must be scaled alike, because additions tie them.

    Attributes:
        tensors: their names.
        makers: convolutions that write into the group.
        readers: convolutions that read from it.
        free: no other node writes or reads them.
    """

    tensors: set[str]
    makers: list[NodeProto] = field(default_factory=list)
    readers: list[NodeProto] = field(default_factory=list)
    free: bool = True


def equalise(model: ModelProto, channels: Mapping[str, Channels]) -> dict[str, Channels]:
    """Change weights and biases in place; returns the channels as they are afterwards."""
    wiring = Wiring.of(model)
    found = dict(channels)
    for group in _groups(wiring):
        if group.makers and group.readers and all(name in found for name in group.tensors):
            _centre(wiring, group, found)
            held = [found[name] for name in group.tensors]
            scale = _best_scale(wiring, group, held)
            _rescale(wiring, group, scale)
            found.update({name: found[name].scaled(scale) for name in group.tensors})
    return found


def _groups(wiring: Wiring) -> list[_Group]:
    of_tensor = {name: _Group({name}) for name in wiring.maps}
    sums = [node for node in wiring.nodes if _ties(wiring, node)]
    for node in sums:
        merged = of_tensor[node.output[0]]
        for name in node.input:
            merged.tensors |= of_tensor[name].tensors
        for name in merged.tensors:
            of_tensor[name] = merged
    plain = [
        node
        for node in wiring.convolutions()
        if all(len(wiring.readers[name]) == 1 for name in node.input[1:])
    ]
    for node in plain:
        of_tensor[node.output[0]].makers.append(node)
        if node.input[0] in of_tensor:
            of_tensor[node.input[0]].readers.append(node)
    known = {node.name for node in (*sums, *plain)}
    for node in wiring.nodes:
        if node.name not in known:
            for name in (*node.input, *node.output):
                if name in of_tensor:
                    of_tensor[name].free = False
    unique = {id(group): group for group in of_tensor.values()}
    return [group for group in unique.values() if group.free]


def _ties(wiring: Wiring, node: NodeProto) -> bool:
    return node.op_type == "Add" and all(
        name in wiring.maps for name in (*node.input, *node.output)
    )


def _centre(wiring: Wiring, group: _Group, found: dict[str, Channels]) -> None:
    """Take each channel's mean out of the makers' biases; the readers' biases give it back."""
    biased = all(len(node.input) == 3 for node in (*group.makers, *group.readers))
    padded = any(any(integers(node, "pads", ())) for node in group.readers)
    if not biased or padded:
        return
    shift = {node.output[0]: found[node.output[0]].mean for node in group.makers}
    for node in wiring.nodes:
        if node.op_type == "Add" and node.output[0] in group.tensors:
            shift[node.output[0]] = shift[node.input[0]] + shift[node.input[1]]
    for node in group.makers:
        bias = wiring.value(node.input[2]) - shift[node.output[0]]
        wiring.set_value(node.input[2], bias.astype(np.float32))
    for node in group.readers:
        moved, weight = shift[node.input[0]], wiring.value(node.input[1]).sum(axis=(2, 3))
        back = weight[:, 0] * moved if wiring.depthwise(node) else weight @ moved
        bias = wiring.value(node.input[2]) + back
        wiring.set_value(node.input[2], bias.astype(np.float32))
    found.update({name: found[name].shifted(by) for name, by in shift.items()})


def _best_scale(wiring: Wiring, group: _Group, held: list[Channels]) -> NDArray[np.float32]:
    """The scale per channel, float32 [C], with the least expected error in the readers."""
    reach = np.max([one.reach for one in held], axis=0)
    top = max(float(reach.max()), 1e-12)
    even = top / np.maximum(reach, _QUIET * top)
    scales = [(even**exponent).astype(np.float32) for exponent in _EXPONENTS]
    noises = [_noise(wiring, group, held, scale) for scale in scales]
    return scales[int(np.argmin(noises))]


def _noise(
    wiring: Wiring, group: _Group, held: list[Channels], scale: NDArray[np.float32]
) -> float:
    """Squared error of the readers' outputs from rounding their inputs and weights, relative."""
    after = [one.scaled(scale) for one in held]
    step = max(float(one.high.max() - one.low.min()) for one in after) / _STEPS
    square = np.max([one.square for one in after], axis=0)
    total = 0.0
    for node in group.readers:
        weight = wiring.value(node.input[1]) / _along(wiring, node, scale)
        total += step**2 * float(np.square(weight).sum())
        if not wiring.depthwise(node):
            steps = np.abs(weight).max(axis=(1, 2, 3)) / _WEIGHT_STEPS
            taps = weight.shape[2] * weight.shape[3]
            total += float(np.square(steps).sum() * square.sum() * taps)
    return total


def _rescale(wiring: Wiring, group: _Group, scale: NDArray[np.float32]) -> None:
    for node in group.makers:
        wiring.set_value(node.input[1], wiring.value(node.input[1]) * scale[:, None, None, None])
        if len(node.input) == 3:
            wiring.set_value(node.input[2], wiring.value(node.input[2]) * scale)
    for node in group.readers:
        weight = wiring.value(node.input[1]) / _along(wiring, node, scale)
        wiring.set_value(node.input[1], weight)


def _along(wiring: Wiring, node: NodeProto, scale: NDArray[np.float32]) -> NDArray[np.float32]:
    """The scale, ready to multiply a reader's weights [out, in, kh, kw]."""
    depthwise = wiring.depthwise(node)
    return scale[:, None, None, None] if depthwise else scale[None, :, None, None]
