"""One ONNX Runtime session on a bundle's graph: photos in, probabilities and embeddings out."""

import ctypes
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from catalog.errors import DeviceUnavailable
from inference.bundle import Bundle

Device = Literal["auto", "cpu", "cuda", "tensorrt"]
_PROVIDERS = {
    "cpu": ["CPUExecutionProvider"],
    "cuda": ["CUDAExecutionProvider", "CPUExecutionProvider"],
    "tensorrt": ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"],
}


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
        variant: which graph.
        device: ``auto`` takes a GPU where one works; ``cuda`` and ``tensorrt`` refuse to fall
            back to the CPU.
        threads: intra-op threads on the CPU; all cores if not given.

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
    ) -> None:
        self.bundle = bundle
        self.variant = variant
        self.device = _usable(device)
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads or len(os.sched_getaffinity(0))
        options.log_severity_level = 3
        self._session = ort.InferenceSession(
            str(bundle.graph(variant)), options, providers=_PROVIDERS[self.device]
        )
        wanted = _PROVIDERS[self.device][0]
        if wanted not in self._session.get_providers():
            raise _unavailable(self.device, f"ONNX Runtime could not start {wanted}")

    def run(self, images: NDArray[np.uint8]) -> Prediction:
        """Classify and embed a batch; ``images`` uint8 [N, S, S, 3] RGB."""
        probabilities, embeddings = self._session.run(
            ["probabilities", "embedding"], {"images": images}
        )
        return Prediction(probabilities, embeddings)


def mean_embedding(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    """One product's embedding from those of its photos.

    Args:
        embeddings: float32 [N, D].

    Returns:
        their mean brought back to unit length, float32 [D].
    """
    mean = embeddings.mean(axis=0)
    return np.asarray(mean / np.linalg.norm(mean), dtype=np.float32)


def _usable(device: Device) -> Literal["cpu", "cuda", "tensorrt"]:
    if device == "cpu":
        return "cpu"
    missing = _missing_library(device)
    if device == "auto":
        return "cpu" if missing else "cuda"
    if missing:
        raise _unavailable(device, missing)
    return device


def _missing_library(device: Device) -> str:
    """Why the provider would not load, or an empty string."""
    provider = _PROVIDERS["cuda" if device == "auto" else device][0]
    if provider not in ort.get_available_providers():
        return f"this ONNX Runtime was built without {provider}"
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return "the NVIDIA driver (libcuda.so.1) is not installed"
    ort.preload_dlls()
    name = "cuda" if provider.startswith("CUDA") else "tensorrt"
    capi = Path(ort.__file__).parent / "capi"
    try:
        ctypes.CDLL(str(capi / "libonnxruntime_providers_shared.so"), ctypes.RTLD_GLOBAL)
        ctypes.CDLL(str(capi / f"libonnxruntime_providers_{name}.so"))
    except OSError as error:
        return str(error)
    return ""


def _unavailable(device: str, reason: str) -> DeviceUnavailable:
    return DeviceUnavailable(
        f"device {device!r} cannot be used: {reason}.",
        where="--device",
        fix="Install what is missing, or use --device cpu.",
    )
