"""Runs of the graph on a GPU: fixed shapes, buffers that stay where they are, CUDA graphs.

A batch is padded to one of a few sizes (buckets). Each bucket has its own buffers on the device,
bound once, and a page-locked buffer on the host, so that a run is one copy there, one launch of
the captured CUDA graph, one copy back, and memory stays what it was after the warm-up.
"""

import ctypes
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from inference.devices import cuda_runtime, unavailable


class BoundRuns:
    """A session on a GPU with its buffers.

    Args:
        session: of the graph.
        buckets: batch sizes, ascending.
        side: of the square photos, px.
        widths: of the outputs `probabilities` and `embedding`.

    Raises:
        DeviceUnavailable: the CUDA runtime cannot be loaded.
    """

    def __init__(
        self,
        session: ort.InferenceSession,
        buckets: Sequence[int],
        side: int,
        widths: tuple[int, int],
    ) -> None:
        self._session = session
        self._runs = {size: _Bucket(session, size, side, widths) for size in buckets}
        self._buckets = tuple(buckets)
        # The buffers are shared, and ONNX Runtime captures CUDA graphs per thread.
        self._thread = ThreadPoolExecutor(1, "gpu")

    def run(self, images: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Probabilities [N, C] and embeddings [N, D] of uint8 [N, S, S, 3]; N of any size."""
        largest = self._buckets[-1]
        parts = [
            self._run(images[first : first + largest]) for first in range(0, len(images), largest)
        ]
        if len(parts) == 1:
            return parts[0]
        return np.concatenate([p for p, _ in parts]), np.concatenate([e for _, e in parts])

    def _run(self, images: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        size = next(size for size in self._buckets if size >= len(images))
        return self._thread.submit(self._runs[size].run, self._session, images).result()


class _Bucket:
    """The buffers of one batch size."""

    def __init__(
        self, session: ort.InferenceSession, size: int, side: int, widths: tuple[int, int]
    ) -> None:
        shape = (size, side, side, 3)
        self._host = _page_locked(shape)
        self._images = ort.OrtValue.ortvalue_from_shape_and_type(shape, np.uint8, "cuda", 0)
        self._outputs = [
            ort.OrtValue.ortvalue_from_shape_and_type((size, width), np.float32, "cuda", 0)
            for width in widths
        ]
        self._binding = session.io_binding()
        self._binding.bind_ortvalue_input("images", self._images)
        for name, value in zip(("probabilities", "embedding"), self._outputs, strict=True):
            self._binding.bind_ortvalue_output(name, value)
        self._options = ort.RunOptions()
        # Each bucket captures a CUDA graph of its own.
        self._options.add_run_config_entry("gpu_graph_id", str(size))

    def run(
        self, session: ort.InferenceSession, images: NDArray[np.uint8]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """At most as many images as the bucket has; what is beyond them is left as it was."""
        photos = len(images)
        self._host[:photos] = images
        self._images.update_inplace(self._host)
        session.run_with_iobinding(self._binding, self._options)
        probabilities, embeddings = (value.numpy()[:photos] for value in self._outputs)
        return probabilities, embeddings


def _page_locked(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Zeros that the GPU copies from directly (cudaHostRegister); locked as long as we live."""
    buffer = np.zeros(shape, dtype=np.uint8)
    pointer, size = ctypes.c_void_p(buffer.ctypes.data), ctypes.c_size_t(buffer.nbytes)
    status = cuda_runtime().cudaHostRegister(pointer, size, 0)
    if status:
        raise unavailable("cuda", f"cudaHostRegister failed with error {status}")
    return buffer
