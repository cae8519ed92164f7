"""BentoML with its adaptive batching: `bentoml serve server:Classifier --arg bundle=BUNDLE`."""

from pathlib import Path

import bentoml
import numpy as np
from pydantic import BaseModel

from bench.peers.graph import Graph

WORKERS = 2
THREADS = 1
BATCH = 8


class Arguments(BaseModel):
    """What `--arg` gives."""

    bundle: Path


arguments = bentoml.use_arguments(Arguments)


@bentoml.service(
    workers=WORKERS,
    metrics={"enabled": False},
    logging={"access": {"enabled": False}},
)
class Classifier:
    """A JPEG file in a form in, its five best categories out."""

    def __init__(self) -> None:
        self._graph = Graph(arguments.bundle, THREADS)

    @bentoml.api(batchable=True, max_batch_size=BATCH, max_latency_ms=10_000, route="/classify")
    def classify(self, photos: list[Path]) -> list[dict]:
        """Decode and run the photos of several requests."""
        pixels = np.stack([self._graph.decode(photo.read_bytes()) for photo in photos])
        return [self._graph.answer(row) for row in self._graph.run(pixels)]
