"""TorchServe's custom handler: a batch of raw JPEGs to their five best categories."""

from pathlib import Path

import numpy as np

from bench.peers.graph import Graph

THREADS = 1


class Handler:
    """``initialize`` runs in each worker."""

    def initialize(self, context) -> None:
        """Load the graph, which lies in the unpacked archive beside its bundle.json."""
        self._graph = Graph(Path(context.system_properties["model_dir"]), THREADS)

    def handle(self, data: list[dict[str, bytearray]], context) -> list[dict[str, object]]:
        """Decode and run the photos of several requests."""
        pixels = np.stack([self._graph.decode(bytes(row["body"])) for row in data])
        return [self._graph.answer(row) for row in self._graph.run(pixels)]
