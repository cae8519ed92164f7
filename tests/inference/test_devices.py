import subprocess
import sys
from pathlib import Path

import onnxruntime as ort
import pytest

from inference import devices
from inference.devices import GpuConfig, providers


@pytest.mark.parametrize("share", [0.0, 1.0, 2.0])
def test_a_replica_that_shares_no_gpu_has_no_memory_limit(share: float) -> None:
    (name, options), _ = providers("cuda", GpuConfig(share), cuda_graphs=True)
    assert name == "CUDAExecutionProvider"
    assert "gpu_mem_limit" not in options
    assert options["enable_cuda_graph"] == "1"


def test_a_share_of_a_gpu_is_a_share_of_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_gpu_memory_bytes", lambda: 10_000)
    (_, options), _ = providers("cuda", GpuConfig(0.25), cuda_graphs=False)
    assert options["gpu_mem_limit"] == "2000"


@pytest.mark.skipif(sys.platform != "linux", reason="the GPU's packages are for Linux")
def test_nothing_but_the_driver_is_missing_for_a_gpu() -> None:
    """Pip installs all that ONNX Runtime's CUDA provider loads, but NVIDIA's driver."""
    if "CUDAExecutionProvider" not in ort.get_available_providers():
        pytest.skip("this ONNX Runtime is for CPUs")
    capi = Path(ort.__file__).parent / "capi"
    code = (
        "import ctypes, onnxruntime; onnxruntime.preload_dlls()\n"
        f"ctypes.CDLL({str(capi / 'libonnxruntime_providers_shared.so')!r}, ctypes.RTLD_GLOBAL)\n"
        f"ctypes.CDLL({str(capi / 'libonnxruntime_providers_cuda.so')!r})\n"
    )
    command = [sys.executable, "-c", code]
    loaded = subprocess.run(command, capture_output=True, text=True, check=False)
    if loaded.returncode:
        assert "libcuda.so.1: cannot open" in loaded.stderr
