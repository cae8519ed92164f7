"""`make release`."""

import os
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest


@pytest.mark.e2e
def test_a_release_has_the_tags_version_and_all_that_ships(tmp_path: Path) -> None:
    clone, binaries = tmp_path / "clone", Path(".venv/bin").absolute()
    subprocess.run(["git", "clone", "--quiet", ".", str(clone)], check=True)
    subprocess.run(["git", "tag", "v9.8.7"], cwd=clone, check=True)
    make = ["make", "--old-file", ".venv/.installed", f"BIN={binaries}", "release"]
    made = subprocess.run(make, cwd=clone, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    (wheel,) = (clone / "dist").glob("*.whl")
    assert wheel.name.startswith("catalens-9.8.7-")
    shipped = {name.split("/", 1)[0] for name in zipfile.ZipFile(wheel).namelist()}
    packages = {"catalens", "catalog", "inference", "train", "export", "serve"}
    assert shipped == packages | {"catalens-9.8.7.dist-info"}
    assert "serve/page/app.js" in zipfile.ZipFile(wheel).namelist()
    with tarfile.open(clone / "dist" / "k8s.tar.gz") as manifests:
        assert "k8s/base/kustomization.yaml" in manifests.getnames()
    assert (clone / "dist" / "docs" / "index.html").exists()

    # The context is a copy without history, and builds with the version that it is told.
    context = tmp_path / "context"
    with tarfile.open(clone / "dist" / "image-context.tar.gz") as archive:
        archive.extractall(context, filter="data")
    assert {"Dockerfile", "requirements.lock", "k8s"} <= {path.name for path in context.iterdir()}
    build = [str(binaries / "uv"), "build", "--quiet", "--wheel", "--out-dir", str(tmp_path)]
    told = {**os.environ, "SETUPTOOLS_SCM_PRETEND_VERSION": "9.8.7"}
    subprocess.run(build, cwd=context, env=told, check=True)
    assert (tmp_path / wheel.name).exists()
