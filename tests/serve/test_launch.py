import socket
import stat
from pathlib import Path

import pytest

from catalog.errors import (
    CatalogMissing,
    DeviceUnavailable,
    EmbeddingMismatch,
    InvalidBundle,
    InvalidRequest,
)
from catalog.store import Catalog
from serve.launch import check, environment
from serve.launch_config import ServeConfig
from tests.serve.conftest import empty_catalog


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def test_a_good_bundle_with_its_catalog_passes(
    tiny_bundle: Path, tmp_path: Path, port: int
) -> None:
    catalog = empty_catalog(tiny_bundle, tmp_path / "catalog")
    check(str(tiny_bundle), ServeConfig(catalog=catalog, port=port, device="cpu"))


def test_a_bundle_with_a_changed_byte_is_refused(
    tiny_bundle: Path, tmp_path: Path, port: int
) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in tiny_bundle.iterdir():
        content = bytearray(file.read_bytes())
        if file.suffix == ".onnx":
            content[len(content) // 2] ^= 1
        (copy / file.name).write_bytes(content)
    with pytest.raises(InvalidBundle, match="was changed"):
        check(str(copy), ServeConfig(port=port))


def test_a_catalog_that_is_missing_or_anothers_is_refused(
    tiny_bundle: Path, tmp_path: Path, port: int
) -> None:
    with pytest.raises(CatalogMissing):
        check(str(tiny_bundle), ServeConfig(catalog=str(tmp_path / "none"), port=port))
    Catalog.create(str(tmp_path / "other"), "0" * 16, 32)
    with pytest.raises(EmbeddingMismatch):
        check(str(tiny_bundle), ServeConfig(catalog=str(tmp_path / "other"), port=port))


def test_a_busy_port_is_refused(tiny_bundle: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        taken = busy.getsockname()[1]
        with pytest.raises(InvalidRequest, match=f"127.0.0.1:{taken}"):
            check(str(tiny_bundle), ServeConfig(port=taken))


@pytest.mark.skipif(Path("/dev/nvidia0").exists(), reason="this machine has a GPU")
@pytest.mark.parametrize("device", ["cuda", "tensorrt"])
def test_a_gpu_that_is_not_there_is_refused_with_the_missing_library(
    tiny_bundle: Path, port: int, device: str
) -> None:
    with pytest.raises(DeviceUnavailable, match=r"lib|built without"):
        check(str(tiny_bundle), ServeConfig(port=port, device=device))  # type: ignore[arg-type]


def test_fewer_gpus_than_none_are_refused(tiny_bundle: Path, port: int) -> None:
    with pytest.raises(InvalidRequest, match="--gpus"):
        check(str(tiny_bundle), ServeConfig(port=port, gpus=-1))


def test_settings_that_contradict_each_other_are_refused(
    tiny_bundle: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CATALENS_MAX_QUEUE", "4")
    with pytest.raises(InvalidRequest, match="max_queue is 4 and max_batch 16"):
        check(str(tiny_bundle), ServeConfig(port=port))


def test_rays_haproxy_is_stood_in_for_by_ours(tmp_path: Path) -> None:
    found = environment(ServeConfig(host="0.0.0.0", port=8123), tmp_path)
    stand_in = Path(found["RAY_SERVE_HAPROXY_BINARY_PATH"])
    assert stand_in.stat().st_mode & stat.S_IXUSR
    assert "0.0.0.0 8123" in stand_in.read_text()
    assert found["RAY_AUTH_MODE"] == "token"
    sockets = [value for name, value in found.items() if name.endswith("SOCKET_PATH")]
    assert all(value.startswith(str(tmp_path)) for value in sockets)
