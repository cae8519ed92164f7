"""Where a graph runs: a device that was asked for is there, or refused; no silent replacement."""

import ctypes
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import onnxruntime as ort

from catalog.errors import DeviceUnavailable
from inference.bundle import BundleDocument

Device = Literal["auto", "cpu", "cuda", "tensorrt"]
RealDevice = Literal["cpu", "cuda", "tensorrt"]
VariantName = Literal["auto", "fp32", "fp16", "int8"]
Options = dict[str, str]

# The CUDA context and cuDNN's own memory come on top of ONNX Runtime's arena.
_ARENA_PART: Final = 0.8
_CUDART: Final = ("libcudart.so.13", "libcudart.so.12", "libcudart.so")
_CPUINFO: Final = Path("/proc/cpuinfo")
# Without such an instruction int8 is no faster, and on older x86 its sums saturate.
_INT8_INSTRUCTIONS: Final = frozenset(("avx512_vnni", "avx_vnni", "asimddp"))


@dataclass(frozen=True)
class GpuConfig:
    """How a replica may use its GPU.

    Attributes:
        share: of the GPU's memory, so that replicas on one GPU cannot starve each other; 0 (none
            was asked for) and 1 or more set no limit.
        engine_cache: directory where TensorRT keeps what it built; without one, each start
            builds again, which takes minutes.
    """

    share: float = 1.0
    engine_cache: str | None = None


def usable(device: Device) -> RealDevice:
    """The device to run on; ``auto`` is a GPU where one works.

    Raises:
        DeviceUnavailable: the GPU asked for is not there; says which library is missing.
    """
    if device == "cpu":
        return "cpu"
    missing = _missing_library(device)
    if device == "auto":
        return "cpu" if missing else "cuda"
    if missing:
        raise unavailable(device, missing)
    return device


def best_variant(document: BundleDocument, device: RealDevice) -> str:
    """The fastest graph of a bundle on that device; all of them keep their budgets."""
    wanted = ("fp16",) if device != "cpu" else ("int8",) if has_int8_instructions() else ()
    return next((name for name in (*wanted, "fp32") if name in document.variants), "fp32")


def providers(
    device: RealDevice, gpu: GpuConfig, *, cuda_graphs: bool, fp16: bool = False
) -> list[tuple[str, Options]]:
    """ONNX Runtime's execution providers for a device, best first, with their options."""
    cpu: tuple[str, Options] = ("CPUExecutionProvider", {})
    if device == "cpu":
        return [cpu]
    cuda: Options = {
        # As much as is asked for: doubling would overshoot the limit of a fractional GPU.
        "arena_extend_strategy": "kSameAsRequested",
        # Shapes are fixed and warmed up, so the search is paid once, before the replica is ready.
        "cudnn_conv_algo_search": "EXHAUSTIVE",
        "enable_cuda_graph": "1" if cuda_graphs and device == "cuda" else "0",
    }
    limit = None
    if 0 < gpu.share < 1:
        limit = int(_gpu_memory_bytes() * gpu.share * _ARENA_PART)
    if limit is not None:
        cuda["gpu_mem_limit"] = str(limit)
    if device == "cuda":
        return [("CUDAExecutionProvider", cuda), cpu]
    tensorrt: Options = {
        "trt_fp16_enable": "1" if fp16 else "0",
        "trt_cuda_graph_enable": "1" if cuda_graphs else "0",
    }
    if limit is not None:
        tensorrt["trt_max_workspace_size"] = str(limit // 2)
    if gpu.engine_cache is not None:
        tensorrt |= {
            "trt_engine_cache_enable": "1",
            "trt_engine_cache_path": gpu.engine_cache,
            "trt_timing_cache_enable": "1",
            "trt_timing_cache_path": gpu.engine_cache,
        }
    return [("TensorrtExecutionProvider", tensorrt), ("CUDAExecutionProvider", cuda), cpu]


def cuda_runtime() -> ctypes.CDLL:
    """NVIDIA's runtime library.

    Raises:
        DeviceUnavailable: it cannot be loaded.
    """
    for name in _CUDART:
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    raise unavailable("cuda", f"none of {', '.join(_CUDART)} can be loaded")


def unavailable(device: str, reason: str) -> DeviceUnavailable:
    """The refusal to run elsewhere than asked."""
    return DeviceUnavailable(
        f"device {device!r} cannot be used: {reason}.",
        where="--device",
        fix="Install what is missing, or use --device cpu.",
    )


def _missing_library(device: Device) -> str:
    """Why the provider would not load, or an empty string."""
    provider = "TensorrtExecutionProvider" if device == "tensorrt" else "CUDAExecutionProvider"
    if provider not in ort.get_available_providers():
        return f"this ONNX Runtime was built without {provider}"
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return "the NVIDIA driver (libcuda.so.1) is not installed"
    ort.preload_dlls()
    name = "tensorrt" if device == "tensorrt" else "cuda"
    capi = Path(ort.__file__).parent / "capi"
    try:
        ctypes.CDLL(str(capi / "libonnxruntime_providers_shared.so"), ctypes.RTLD_GLOBAL)
        ctypes.CDLL(str(capi / f"libonnxruntime_providers_{name}.so"))
    except OSError as error:
        return str(error)
    return ""


def _gpu_memory_bytes() -> int:
    free, total = ctypes.c_size_t(), ctypes.c_size_t()
    status = cuda_runtime().cudaMemGetInfo(ctypes.byref(free), ctypes.byref(total))
    if status:
        raise unavailable("cuda", f"cudaMemGetInfo failed with error {status}")
    return total.value


def has_int8_instructions() -> bool:
    """Whether this CPU sums products of int8 in one instruction, which does not saturate."""
    if not _CPUINFO.exists():
        return platform.machine() == "arm64"
    words = _CPUINFO.read_text(encoding="utf-8", errors="replace").split()
    return not _INT8_INSTRUCTIONS.isdisjoint(words)
