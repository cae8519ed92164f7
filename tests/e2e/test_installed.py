"""Catalens as `pip install .` leaves it, used from another folder."""

import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from catalens.background import started
from serve.ports import free_ports

UV = str(Path(".venv/bin/uv").absolute())


@pytest.fixture
def catalens(tmp_path: Path) -> str:
    """The command, in an environment with nothing but what pyproject.toml asks for."""
    environment = tmp_path / "environment"
    subprocess.run([UV, "venv", "--quiet", "--python", sys.executable, environment], check=True)
    python = environment / "bin" / "python"
    install = [
        UV,
        "pip",
        "install",
        "--quiet",
        "--compile-bytecode",
        "--constraint",
        "requirements.lock",
        ".",
    ]
    subprocess.run([*install, "--python", python], check=True)
    return str(python.with_name("catalens"))


@pytest.mark.e2e
def test_a_shop_is_learnt_and_served_with_the_page_from_another_folder(
    catalens: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for line in (
        "sample shop --products 60 --photos 2 --size 224",
        "train shop/manifest.csv --run run --recipe probe",
        "export run bundle",
        "import bundle shop/manifest.csv catalog",
    ):
        done = subprocess.run(
            [catalens, *line.split()], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
    (port,) = free_ports(1)
    serve = [catalens, "serve", "bundle", "--catalog", "catalog", "--port", str(port)]
    with started(serve, port) as url, httpx.Client(base_url=url, trust_env=False) as http:
        assert "<title>Catalens" in http.get("/").text
        for path in ("/page/app.js", "/docs", "/openapi.json", "/v1/model/report"):
            assert http.get(path).is_success, path
        photo = next(Path("shop/photos").glob("*.jpg")).read_bytes()
        answer = http.post("/v1/classify", content=photo, headers={"Content-Type": "image/jpeg"})
        assert answer.json()["results"][0]["categories"]
