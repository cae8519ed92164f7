"""One ONNX Runtime session on a bundle's graph: photos in, probabilities and embeddings out."""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from inference.bundle import Bundle
from inference.devices import (
    Device,
    GpuConfig,
    RealDevice,
    best_variant,
    providers,
    unavailable,
    usable,
)
from inference.gpu import BoundRuns

_CPU_BATCH: Final = 4
_CPU_LIMIT: Final = Path("/sys/fs/cgroup/cpu.max")


@dataclass(frozen=True)
class Prediction:
    """What one run of the graph gives.

    Attributes:
        probabilities: float32 [N, classes], rows sum to 1.
        embeddings: float32 [N, dimension], unit length.
    """

    probabilities: NDArray[np.float32]
    embeddings: NDArray[np.float32]


class Session:
    """A loaded graph; `run` may be called from several threads.

    Args:
        bundle: a verified bundle.
        variant: which graph; ``auto`` is the fastest on the device.
        device: ``auto`` takes a GPU where one works; ``cuda`` and ``tensorrt`` refuse to fall
            back to the CPU.
        threads: of one run on the CPU; all cores if not given.
        max_batch: photos that a GPU takes in one run; larger batches are split.
        gpu: how the GPU may be used.

    Raises:
        DeviceUnavailable: the device asked for is not there; says which library is missing.
        InvalidBundle: no such variant.
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        variant: str = "fp32",
        device: Device = "auto",
        threads: int | None = None,
        max_batch: int = 32,
        gpu: GpuConfig = GpuConfig(),
    ) -> None:
        self.bundle = bundle
        self.device: RealDevice = usable(device)
        document = bundle.document
        self.variant = best_variant(document, self.device) if variant == "auto" else variant
        self.threads = threads or cores()
        self._max_batch = max_batch
        self._session = self._open(gpu)
        self._bound = None
        if self.device != "cpu":
            widths = len(document.classes), document.embedding_dimension
            self._bound = BoundRuns(self._session, buckets(max_batch), document.image.size, widths)

    @property
    def batch_sizes(self) -> tuple[int, ...]:
        """Batches to run, ascending: few sizes, so that memory does not grow with new ones.

        On a GPU any size up to the largest is padded to a bucket here; a CPU would compute the
        padding, so there whoever batches keeps to the buckets. Larger ones than 4 photos leave a
        core's cache (on 2 cores: 221 photos/s in twos, 218 in fours, 200 in sixteens).
        """
        if self.device == "cpu":
            return buckets(min(self._max_batch, _CPU_BATCH))
        return tuple(range(1, self._max_batch + 1))

    @property
    def warm_up_sizes(self) -> tuple[int, ...]:
        """Batches to run before the first photo: one of each shape that will ever be run."""
        if self.device == "cpu":
            return self.batch_sizes
        return buckets(self._max_batch)

    def run(self, images: NDArray[np.uint8]) -> Prediction:
        """Classify and embed a batch; ``images`` uint8 [N, S, S, 3] RGB."""
        if self._bound is not None:
            return Prediction(*self._bound.run(images))
        probabilities, embeddings = self._session.run(
            ["probabilities", "embedding"], {"images": images}
        )
        return Prediction(probabilities, embeddings)

    def _open(self, gpu: GpuConfig) -> ort.InferenceSession:
        try:
            session = self._session_on(gpu, cuda_graphs=True)
        except Exception:
            if self.device == "cpu":
                raise
            # A graph with a node that stays on the CPU cannot be captured; it still runs.
            session = self._session_on(gpu, cuda_graphs=False)
        wanted = providers(self.device, gpu, cuda_graphs=False)[0][0]
        if wanted not in session.get_providers():
            raise unavailable(self.device, f"ONNX Runtime could not start {wanted}")
        return session

    def _session_on(self, gpu: GpuConfig, *, cuda_graphs: bool) -> ort.InferenceSession:
        options = ort.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.log_severity_level = 3
        chosen = providers(self.device, gpu, cuda_graphs=cuda_graphs, fp16=self.variant == "fp16")
        return ort.InferenceSession(str(self.bundle.graph(self.variant)), options, providers=chosen)


def cores() -> int:
    """Cores that this process may use: of the machine, and by the limit of its container."""
    found = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        found = len(os.sched_getaffinity(0))
    with suppress(OSError, ValueError):
        quota, period = _CPU_LIMIT.read_text().split()
        found = min(found, max(1, round(int(quota) / int(period))))  # "max" without a limit
    return found


def buckets(max_batch: int) -> tuple[int, ...]:
    """Powers of two below ``max_batch``, and ``max_batch`` itself."""
    powers = (2**power for power in range(max_batch.bit_length()))
    return (*(size for size in powers if size < max_batch), max_batch)
