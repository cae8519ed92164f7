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
