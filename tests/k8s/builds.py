"""What `kubectl kustomize` makes of each overlay and job."""

import subprocess
from collections.abc import Iterator
from functools import cache
from typing import Any

import yaml

OVERLAYS = ("local", "gpu", "aws", "gcp", "incremental")
JOBS = ("train", "batch", "import")
PLACES = tuple(f"overlays/{name}" for name in OVERLAYS) + tuple(f"jobs/{name}" for name in JOBS)

Resource = dict[str, Any]


def run_tool(package: str, *command: str) -> subprocess.CompletedProcess[str]:
    """A checker, in an environment of its own: its dependencies would hold up ours."""
    tool = [".venv/bin/uv", "tool", "run", "--quiet", "--from", package, *command]
    return subprocess.run(tool, capture_output=True, text=True, check=False)


@cache
def build(place: str) -> tuple[Resource, ...]:
    """The resources of a folder below k8s/."""
    built = subprocess.run(
        ["kubectl", "kustomize", f"k8s/{place}"], capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr
    return tuple(yaml.safe_load_all(built.stdout))


def of_kind(place: str, kind: str) -> list[Resource]:
    return [one for one in build(place) if one["kind"] == kind]


def ray_cluster(place: str) -> Resource:
    """The spec of the one cluster of an overlay or job."""
    for one in build(place):
        if one["kind"] == "RayService":
            return dict(one["spec"]["rayClusterConfig"])
        if one["kind"] == "RayJob":
            return dict(one["spec"]["rayClusterSpec"])
    raise AssertionError(f"{place} has no cluster")


def pods(place: str) -> Iterator[Resource]:
    """Every pod that the resources lead to, as one: head, workers, Redis."""
    cluster = ray_cluster(place)
    groups = {"head": cluster["headGroupSpec"]}
    groups |= {one["groupName"]: one for one in cluster["workerGroupSpecs"]}
    for name, group in groups.items():
        yield _pod(name, group["template"])
    for one in of_kind(place, "StatefulSet"):
        yield _pod(one["metadata"]["name"], one["spec"]["template"])


def _pod(name: str, template: Resource) -> Resource:
    metadata = {"name": name, "namespace": "catalens", **template.get("metadata", {})}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}
