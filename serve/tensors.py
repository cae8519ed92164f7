"""Tensors of the Open Inference Protocol, as JSON and in Triton's binary extension.

https://github.com/triton-inference-server/server/tree/main/docs/protocol: extensions
binary_tensor_data and classification.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_json
from starlette.responses import Response

from catalog.errors import InvalidRequest
from serve.bodies import decode_base64, parse_json

HEADER: Final = "Inference-Header-Content-Length"
_DIGITS: Final = 18  # of a length
_LENGTH_BYTES: Final = 4  # before each element of BYTES, little endian


class Tensor(BaseModel):
    """A tensor of a request; `data` is left out where it is binary."""

    model_config = ConfigDict(extra="ignore")

    name: str
    shape: list[Annotated[int, Field(ge=0, lt=2**31)]] = Field(max_length=8)
    datatype: str
    parameters: dict[str, Any] = Field(default_factory=dict)
    data: Any = None


class Wanted(BaseModel):
    """A tensor that is asked for."""

    model_config = ConfigDict(extra="ignore")

    name: str
    parameters: dict[str, Any] = Field(default_factory=dict)


class InferBody(BaseModel):
    """The JSON of an inference request."""

    model_config = ConfigDict(extra="ignore")

    id: str | None = None
    inputs: list[Tensor] = Field(min_length=1)
    outputs: list[Wanted] | None = None
    parameters: dict[str, Any] = Field(default_factory=dict)


@dataclass(frozen=True)
class Output:
    """A tensor of an answer.

    Attributes:
        values: float32, or a list of texts.
        labels: of the last axis, for the classification extension.
    """

    values: NDArray[np.float32] | Sequence[Any]
    labels: Sequence[str] = ()


def parse_infer(body: bytes, announced: str | None) -> tuple[InferBody, memoryview]:
    """The JSON part of a body, and the bytes that follow it.

    Args:
        body: whole.
        announced: the header that says how long the JSON is; None where it is all.

    Raises:
        InvalidRequest: the JSON or its length is wrong.
    """
    if announced is None:
        return parse_json(body, InferBody), memoryview(b"")
    if not announced.isdecimal() or len(announced) > _DIGITS or int(announced) > len(body):
        raise InvalidRequest("not a length within the body.", where=HEADER)
    cut = int(announced)
    return parse_json(body[:cut], InferBody), memoryview(body)[cut:]


def read_pixels(tensor: Tensor, blob: memoryview, size: int, most: int) -> NDArray[np.uint8]:
    """Photos that are decoded, uint8 [N, S, S, 3], N at most so many.

    Raises:
        InvalidRequest: another type or shape, or data that do not fit it.
    """
    shape = tuple(tensor.shape)
    if tensor.datatype != "UINT8" or len(shape) != 4 or shape[1:] != (size, size, 3):
        raise InvalidRequest(
            f"it is {tensor.datatype} {list(shape)}.",
            where="inputs.images",
            fix=f"Send UINT8 [N, {size}, {size}, 3], or whole files as `encoded`.",
        )
    _check_count(shape[0], most)
    count = math.prod(shape)
    if _is_binary(tensor, blob):
        fits = len(blob) == count
        values = np.frombuffer(blob, np.uint8)
    else:
        flat = _flat(tensor.data, count)
        fits = len(flat) == count and all(type(one) is int and 0 <= one < 256 for one in flat)
        values = np.array(flat if fits else [], np.uint8)
    if not fits:
        raise InvalidRequest("the data do not fit the shape and type.", where="inputs.images")
    return values.reshape(shape)


def read_photos(tensor: Tensor, blob: memoryview, limit: int, most: int) -> list[bytes]:
    """Photos as files, at most so many.

    Raises:
        InvalidRequest: another type or shape, or data that do not fit it.
        ImageTooLarge: one is over the limit.
    """
    if tensor.datatype != "BYTES" or len(tensor.shape) not in (1, 2):
        raise InvalidRequest(
            f"it is {tensor.datatype} {tensor.shape}.",
            where="inputs.encoded",
            fix="Send BYTES [N].",
        )
    count = math.prod(tensor.shape)
    _check_count(count, most)
    if _is_binary(tensor, blob):
        photos = _elements(blob, count)
    else:
        texts = _flat(tensor.data, count)
        if not all(isinstance(one, str) for one in texts):
            raise InvalidRequest("the data are no base64 texts.", where="inputs.encoded")
        photos = [
            decode_base64(one, limit, f"inputs.encoded.{place}") for place, one in enumerate(texts)
        ]
    if len(photos) != count:
        raise InvalidRequest(
            f"the shape is {tensor.shape}, and there are {len(photos)} photos.",
            where="inputs.encoded",
        )
    return photos


def written(asked: InferBody, head: Mapping[str, Any], outputs: Mapping[str, Output]) -> Response:
    """The answer, with the outputs that were asked for, as they were asked for.

    Raises:
        InvalidRequest: there is no such output.
    """
    wanted = asked.outputs or [Wanted(name=name) for name in outputs]
    if len({one.name for one in wanted}) < len(wanted):
        raise InvalidRequest("an output is asked for twice.", where="outputs")
    binary = bool(asked.parameters.get("binary_data_output", False))
    tensors, blobs = [], []
    for one in wanted:
        if one.name not in outputs:
            raise InvalidRequest(
                f"there is no output {one.name[:40]!r}.",
                where="outputs",
                fix=f"There are {', '.join(outputs)}.",
            )
        values = _ranked(outputs[one.name], one.parameters.get("classification"))
        in_bytes = bool(one.parameters.get("binary_data", binary))
        tensor, blob = _tensor(one.name, values, in_bytes)
        tensors.append(tensor)
        blobs.append(blob)
    document = {**head, "outputs": tensors} | ({} if asked.id is None else {"id": asked.id})
    text, tail = to_json(document), b"".join(blobs)
    if not tail:
        return Response(text, media_type="application/json")
    headers = {HEADER: str(len(text))}
    return Response(text + tail, media_type="application/octet-stream", headers=headers)


def _is_binary(tensor: Tensor, blob: memoryview) -> bool:
    size = tensor.parameters.get("binary_data_size")
    if size is None:
        return False
    if not isinstance(size, int) or size != len(blob):
        raise InvalidRequest(
            f"it says {str(size)[:20]} bytes, and {len(blob)} follow.",
            where=f"inputs.{tensor.name}.binary_data_size",
        )
    return True


def _check_count(photos: int, most: int) -> None:
    if not 0 < photos <= most:
        raise InvalidRequest(
            f"{photos} photos in one request; from 1 to {most} are read.",
            where="inputs",
            fix="Send several requests.",
        )


def _flat(data: Any, most: int) -> list[Any]:
    """The elements of lists within lists, no more than one over so many."""
    found: list[Any] = []
    left: list[Iterator[Any]] = [iter(data if isinstance(data, list) else ())]
    while left and len(found) <= most:
        for one in left[-1]:
            if isinstance(one, list):
                left.append(iter(one))
                break
            found.append(one)
            if len(found) > most:
                break
        else:
            left.pop()
    return found


def _elements(blob: memoryview, most: int) -> list[bytes]:
    found: list[bytes] = []
    while blob and len(found) <= most:
        end = _LENGTH_BYTES + int.from_bytes(blob[:_LENGTH_BYTES], "little")
        if len(blob) < end:
            raise InvalidRequest("an element is cut off.", where="inputs.encoded")
        found.append(bytes(blob[_LENGTH_BYTES:end]))
        blob = blob[end:]
    return found


def _ranked(output: Output, top: object) -> NDArray[np.float32] | Sequence[Any]:
    """The classification extension: `value:index:label` of the largest values."""
    values = output.values
    if top is None or not isinstance(values, np.ndarray):
        return values
    if type(top) is not int or not 1 <= top <= values.shape[1]:
        raise InvalidRequest(
            f"not a number from 1 to {values.shape[1]}.", where="outputs.classification"
        )
    found = []
    for row in values:
        order = np.argsort(-row, kind="stable")[:top].tolist()
        labels = [f":{output.labels[place]}" if output.labels else "" for place in order]
        pairs = zip(order, labels, strict=True)
        found.append([f"{row[place]:f}:{place}{label}" for place, label in pairs])
    return found


def _tensor(
    name: str, values: NDArray[np.float32] | Sequence[Any], binary: bool
) -> tuple[dict[str, Any], bytes]:
    """A tensor's JSON, and its bytes where they are binary."""
    if isinstance(values, np.ndarray):
        tensor: dict[str, Any] = {"name": name, "datatype": "FP32", "shape": list(values.shape)}
        if not binary:
            return tensor | {"data": values.ravel().tolist()}, b""
        blob = np.ascontiguousarray(values, np.dtype("<f4")).tobytes()
    else:
        array = np.asarray(values, dtype=object)
        tensor = {"name": name, "datatype": "BYTES", "shape": list(array.shape)}
        texts = [str(one) for one in array.ravel().tolist()]
        if not binary:
            return tensor | {"data": texts}, b""
        encoded = [text.encode() for text in texts]
        blob = b"".join(len(one).to_bytes(_LENGTH_BYTES, "little") + one for one in encoded)
    return tensor | {"parameters": {"binary_data_size": len(blob)}}, blob
