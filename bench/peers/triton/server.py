"""NVIDIA Triton through PyTriton, with its dynamic batcher: `python server.py BUNDLE PORT`."""

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pytriton.decorators import batch
from pytriton.model_config import DynamicBatcher, ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig

from bench.peers.graph import Graph

INSTANCES = 2
THREADS = 1
BATCH = 8
BATCH_MICROSECONDS = 2000


def infer_function(graph: Graph):
    """What one instance calls for a batch."""

    @batch
    def infer(photo: NDArray[np.object_]) -> dict[str, NDArray[np.float32]]:
        pixels = np.stack([graph.decode(bytes(data)) for data in photo[:, 0]])
        return {"probabilities": graph.run(pixels)}

    return infer


def main(bundle: Path, port: int) -> None:
    """Serve until stopped."""
    graphs = [Graph(bundle, THREADS) for _ in range(INSTANCES)]
    config = TritonConfig(
        http_address="127.0.0.1", http_port=port, allow_grpc=False, allow_metrics=False
    )
    with Triton(config=config) as triton:
        triton.bind(
            model_name="classifier",
            infer_func=[infer_function(graph) for graph in graphs],
            inputs=[Tensor(name="photo", dtype=bytes, shape=(1,))],
            outputs=[
                Tensor(name="probabilities", dtype=np.float32, shape=(len(graphs[0].classes),))
            ],
            config=ModelConfig(
                max_batch_size=BATCH,
                batcher=DynamicBatcher(max_queue_delay_microseconds=BATCH_MICROSECONDS),
            ),
        )
        triton.serve()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
