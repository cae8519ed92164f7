"""Starlette on uvicorn, one photo at a time in each worker."""

import io
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from bench.peers.graph import Graph

THREADS = 1


def make_app() -> Starlette:
    """The application of one worker: BUNDLE names the bundle.

    WHOLE_PHOTO set to anything decodes each photo at its full size first, as a server would that
    leaves scaling to the resize.
    """
    graph = Graph(Path(os.environ["BUNDLE"]), THREADS)
    whole = bool(os.environ.get("WHOLE_PHOTO"))

    async def classify(request: Request) -> JSONResponse:
        photo = await request.body()
        pixels = _decode_whole(photo, graph) if whole else graph.decode(photo)
        return JSONResponse(graph.answer(graph.run(pixels[None])[0]))

    return Starlette(routes=[Route("/classify", classify, methods=["POST"])])


def _decode_whole(photo: bytes, graph: Graph) -> NDArray[np.uint8]:
    image = Image.open(io.BytesIO(photo)).convert("RGB")
    side = min(image.size) * graph.spec.crop
    left, top = (image.width - side) / 2, (image.height - side) / 2
    box = (left, top, left + side, top + side)
    size = (graph.spec.size, graph.spec.size)
    return np.asarray(image.resize(size, Image.Resampling.BICUBIC, box=box))
