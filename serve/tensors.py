"""Tensors of the Open Inference Protocol, as JSON and in Triton's binary extension.

https://github.com/triton-inference-server/server/tree/main/docs/protocol: extensions
binary_tensor_data and classification.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response

from catalog.errors import InvalidRequest
from serve.bodies import decode_base64, parse_json, read_whole

_HEADER: Final = "Inference-Header-Content-Length"
_LENGTH_BYTES: Final = 4  # before each element of BYTES, little endian


class Tensor(BaseModel):
    """A tensor of a request; `data` is left out where it is binary."""

    model_config = ConfigDict(extra="ignore")

    name: str
    shape: list[int] = Field(max_length=8)
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


async def read_infer(request: Request, limit: int) -> tuple[InferBody, memoryview]:
    """The JSON part of a body, and the bytes that follow it.

    Raises:
        RequestTooLarge: over the limit.
        InvalidRequest: the JSON or its length is wrong.
    """
    body = await read_whole(request, limit)
    announced = request.headers.get(_HEADER)
    if announced is None:
        return parse_json(body, InferBody), memoryview(b"")
    if not announced.isdecimal() or int(announced) > len(body):
        raise InvalidRequest("not a length within the body.", where=_HEADER)
    cut = int(announced)
    return parse_json(body[:cut], InferBody), memoryview(body)[cut:]


def read_pixels(tensor: Tensor, blob: memoryview, size: int) -> NDArray[np.uint8]:
    """Photos that are decoded, uint8 [N, S, S, 3].

    Raises:
        InvalidRequest: another type or shape, or data that do not fit it.
    """
    shape = tuple(tensor.shape)
    fits = len(shape) == 4 and shape[0] > 0 and shape[1:] == (size, size, 3)
    if tensor.datatype != "UINT8" or not fits:
        raise InvalidRequest(
            f"it is {tensor.datatype} {list(shape)}.",
            where="inputs.images",
            fix=f"Send UINT8 [N, {size}, {size}, 3], or whole files as `encoded`.",
        )
    try:
        if _is_binary(tensor, blob):
            return np.frombuffer(blob, np.uint8).reshape(shape)
        values = np.asarray(tensor.data)
        if values.dtype.kind not in "iu" or values.min() < 0 or values.max() > 255:
            raise ValueError("not whole numbers from 0 to 255")
        return values.astype(np.uint8).reshape(shape)
    except (ValueError, TypeError, OverflowError):
        raise InvalidRequest(
            "the data do not fit the shape and type.", where="inputs.images"
        ) from None


def read_photos(tensor: Tensor, blob: memoryview, limit: int) -> list[bytes]:
    """Photos as files.

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
    if _is_binary(tensor, blob):
        photos = _elements(blob)
    elif isinstance(tensor.data, list) and all(isinstance(one, str) for one in tensor.data):
        photos = [
            decode_base64(one, limit, f"inputs.encoded.{place}")
            for place, one in enumerate(tensor.data)
        ]
    else:
        raise InvalidRequest("the data are no list of base64 texts.", where="inputs.encoded")
    if int(np.prod(tensor.shape)) != len(photos):
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
    headers = {_HEADER: str(len(text))}
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


def _elements(blob: memoryview) -> list[bytes]:
    found = []
    while blob:
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
    if not isinstance(top, int) or top < 1:
        raise InvalidRequest("not a number from 1.", where="outputs.classification")
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
