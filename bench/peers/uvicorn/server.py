"""Starlette on uvicorn, one photo at a time in each worker."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from bench.peers.graph import Graph, decode_with_pillow
from catalog.images import ImageSpec, decode

THREADS = 1


def make_app() -> Starlette:
    """The application of one worker: BUNDLE names the bundle, DECODE how photos become pixels.

    DECODE is ``pillow``; ``whole`` for Pillow that decodes each photo at its full size first, as a
    server would that leaves scaling to the resize; ``ours`` for what our own server does.
    """
    graph = Graph(Path(os.environ["BUNDLE"]), THREADS)
    decodes: dict[str, Callable[[bytes], NDArray[np.uint8]]] = {
        "pillow": graph.decode,
        "whole": partial(decode_with_pillow, size=graph.size, crop=graph.crop, draft=False),
        "ours": partial(decode, spec=ImageSpec(graph.size, graph.crop, (0, 0, 0), (1, 1, 1))),
    }
    pixels = decodes[os.environ["DECODE"]]

    async def classify(request: Request) -> JSONResponse:
        photo = await request.body()
        return JSONResponse(graph.answer(graph.run(pixels(photo)[None])[0]))

    return Starlette(routes=[Route("/classify", classify, methods=["POST"])])
