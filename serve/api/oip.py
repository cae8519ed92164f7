"""`/v2`: the Open Inference Protocol, for clients of Triton and KServe.

https://github.com/kserve/open-inference-protocol. There are two models of the one bundle,
`classifier` and `embedder`. Each takes photos as `images`, uint8 [N, S, S, 3] of the size that the
metadata say, or as `encoded`, whole JPEG, PNG, ... files: BYTES [N], in JSON as base64.
"""

from typing import Any, Final

import numpy as np
from fastapi import APIRouter, Request, Response
from numpy.typing import NDArray

from catalog.errors import InvalidRequest, UnknownModel
from inference.bundle import BundleDocument
from inference.session import Prediction
from serve.bodies import read_whole
from serve.service import Service
from serve.tensors import (
    HEADER,
    InferBody,
    Output,
    Tensor,
    parse_infer,
    read_photos,
    read_pixels,
    written,
)

_PROTOCOL: Final = "2"
_EXTENSIONS: Final = ("binary_tensor_data", "classification", "model_configuration")
_MODELS: Final = ("classifier", "embedder")


def oip_routes(service: Service) -> APIRouter:
    """The calls, bound to a replica's service."""
    router = APIRouter(prefix="/v2")

    @router.get("")
    async def server() -> dict[str, Any]:
        """What answers, and which extensions of the protocol it knows."""
        return {"name": "catalens", "version": _PROTOCOL, "extensions": list(_EXTENSIONS)}

    @router.get("/health/live")
    async def live() -> dict[str, bool]:
        """Whether the process answers."""
        return {"live": True}

    @router.get("/health/ready")
    async def ready() -> dict[str, bool]:
        """Whether the model answers: a real inference passed."""
        await service.check_ready()
        return {"ready": True}

    @router.get("/models/{name}")
    @router.get("/models/{name}/versions/{version}")
    async def metadata(name: str, version: str | None = None) -> dict[str, Any]:
        """Inputs and outputs of a model."""
        return _metadata(name, _document(service, name, version))

    @router.get("/models/{name}/config")
    @router.get("/models/{name}/versions/{version}/config")
    async def configuration(name: str, version: str | None = None) -> dict[str, Any]:
        """The same as Triton's configuration of a model, which its perf_analyzer asks for."""
        return _configuration(_metadata(name, _document(service, name, version)))

    @router.get("/models/{name}/ready")
    @router.get("/models/{name}/versions/{version}/ready")
    async def model_ready(name: str, version: str | None = None) -> dict[str, Any]:
        """Whether a model answers."""
        _document(service, name, version)
        await service.check_ready()
        return {"name": name, "ready": True}

    @router.post("/models/{name}/infer")
    @router.post("/models/{name}/versions/{version}/infer")
    async def infer(request: Request, name: str, version: str | None = None) -> Response:
        """Classify or embed photos; tensors as JSON or binary."""
        settings = service.settings
        body = await read_whole(request, settings.max_body_bytes)
        # Only now: another bundle may have come while the body was read.
        model = service.model
        document = _document(service, name, version)
        announced = request.headers.get(HEADER)

        def understand() -> tuple[InferBody, NDArray[np.uint8] | list[bytes]]:
            asked, blob = parse_infer(body, announced)
            tensor, most = _only_input(asked), settings.max_photos
            if tensor.name == "images":
                return asked, read_pixels(tensor, blob, document.image.size, most)
            return asked, read_photos(tensor, blob, settings.max_photo_bytes, most)

        asked, photos = await service.off_loop(understand)
        if isinstance(photos, list):
            names = [f"encoded.{place}" for place in range(len(photos))]
            prediction = await model.predict(photos, names)
        else:
            prediction = await model.predict_pixels(photos)
        outputs = _outputs(name, document, prediction)
        head = {"model_name": name, "model_version": document.version}
        return await service.off_loop(written, asked, head, outputs)

    return router


def _document(service: Service, name: str, version: str | None) -> BundleDocument:
    document = service.model.document
    if name not in _MODELS or version not in (None, document.version):
        raise UnknownModel(
            f"there is no model {name[:40]!r} of version {(version or 'any')[:40]!r}.",
            where="models",
            fix=f"There are {' and '.join(_MODELS)}, of version {document.version}.",
        )
    return document


def _metadata(name: str, document: BundleDocument) -> dict[str, Any]:
    size, width = document.image.size, document.embedding_dimension
    outputs = {
        "classifier": [
            {"name": "probabilities", "datatype": "FP32", "shape": [-1, len(document.classes)]},
            {"name": "category", "datatype": "BYTES", "shape": [-1]},
        ],
        "embedder": [{"name": "embedding", "datatype": "FP32", "shape": [-1, width]}],
    }
    return {
        "name": name,
        "versions": [document.version],
        "platform": "onnxruntime_onnx",
        "inputs": [
            {"name": "images", "datatype": "UINT8", "shape": [-1, size, size, 3]},
            {"name": "encoded", "datatype": "BYTES", "shape": [-1]},
        ],
        "outputs": outputs[name],
    }


def _configuration(metadata: dict[str, Any]) -> dict[str, Any]:
    def tensor(of: dict[str, Any]) -> dict[str, Any]:
        kind = "STRING" if of["datatype"] == "BYTES" else of["datatype"]
        return {"name": of["name"], "data_type": f"TYPE_{kind}", "dims": of["shape"]}

    return {
        "name": metadata["name"],
        "platform": metadata["platform"],
        "backend": "onnxruntime",
        "max_batch_size": 0,  # the shapes say where the batch is
        "input": [tensor(one) | {"optional": True} for one in metadata["inputs"]],
        "output": [tensor(one) for one in metadata["outputs"]],
    }


def _only_input(asked: InferBody) -> Tensor:
    if len(asked.inputs) > 1 or asked.inputs[0].name not in ("images", "encoded"):
        raise InvalidRequest(
            "a request has one input, `images` or `encoded`.",
            where="inputs",
            fix="See the model's metadata.",
        )
    return asked.inputs[0]


def _outputs(name: str, document: BundleDocument, prediction: Prediction) -> dict[str, Output]:
    if name == "embedder":
        return {"embedding": Output(prediction.embeddings)}
    best = prediction.probabilities.argmax(axis=1).tolist()
    return {
        "probabilities": Output(prediction.probabilities, document.classes),
        "category": Output([document.classes[place] for place in best]),
    }
