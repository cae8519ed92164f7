"""LitServe with its batching: `python server.py BUNDLE PORT`."""

import sys
from pathlib import Path
from typing import Annotated

import litserve
import numpy as np
from fastapi import Body
from numpy.typing import NDArray

from bench.peers.graph import Graph

WORKERS = 2
THREADS = 1
BATCH = 4
BATCH_SECONDS = 0.002
API_SERVERS = 2
FAST_QUEUE = True


class Classifier(litserve.LitAPI):
    """A raw JPEG in, its five best categories out; ``setup`` runs in each worker."""

    def __init__(self, bundle: Path) -> None:
        super().__init__(max_batch_size=BATCH, batch_timeout=BATCH_SECONDS, api_path="/classify")
        self._bundle = bundle

    def setup(self, device: str) -> None:
        """Load the graph."""
        self._graph = Graph(self._bundle, THREADS)

    def decode_request(
        self, request: Annotated[bytes, Body(media_type="image/jpeg")]
    ) -> NDArray[np.uint8]:
        """Pixels of one photo."""
        return self._graph.decode(request)

    def predict(self, x: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Probabilities of a batch, or of one photo where batching is off."""
        return self._graph.run(x) if BATCH > 1 else self._graph.run(x[None])[0]

    def encode_response(self, output: NDArray[np.float32]):
        """One photo's answer; annotated, FastAPI would validate it."""
        return self._graph.answer(output)


if __name__ == "__main__":
    server = litserve.LitServer(
        Classifier(Path(sys.argv[1])),
        accelerator="cpu",
        workers_per_device=WORKERS,
        fast_queue=FAST_QUEUE,
    )
    server.run(
        host="127.0.0.1",
        port=int(sys.argv[2]),
        num_api_servers=API_SERVERS,
        log_level="warning",
        generate_client_file=False,
        access_log=False,
    )
