"""The manifests: valid, closed to strangers, and of one mind with the code."""

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import ray
import yaml

from serve.launch import environment
from serve.launch_config import ServeConfig
from serve.settings import Settings
from tests.k8s.builds import (
    JOBS,
    OVERLAYS,
    PLACES,
    Resource,
    build,
    of_kind,
    pods,
    ray_cluster,
    run_tool,
)

KUBERNETES = "1.33"
_GO_ON = "$(test -d /data/runs/second && echo --resume)"
CRDS = Path(os.environ.get("CATALENS_DATA", "../shared/data")) / "kuberay-crds"
# Kinds of operators and clouds, whose schemas Kubernetes does not have.
FOREIGN = ("ray.io/", "monitoring.coreos.com/", "networking.gke.io/", "cloud.google.com/")
# Made by hand, see docs/kubernetes.md: they hold what belongs into no repository.
SECRETS = {"catalens-redis", "catalens-api-keys", "catalens-tls"}

places = pytest.mark.parametrize("place", PLACES)
overlays = pytest.mark.parametrize("place", [f"overlays/{name}" for name in OVERLAYS])


@places
def test_kubernetes_takes_every_resource(place: str) -> None:
    for one in (*build(place), *pods(place)):
        if not one["apiVersion"].startswith(FOREIGN):
            kubernetes_validate.validate(one, KUBERNETES, strict=True)
        assert one["metadata"].get("namespace") == "catalens"


@places
def test_kuberay_takes_its_resources_and_knows_every_field(place: str) -> None:
    if not CRDS.exists():
        pytest.skip("the CRDs of KubeRay are not here")
    (one,) = [one for one in build(place) if one["apiVersion"].startswith("ray.io/")]
    schema = _schema(one["kind"])
    jsonschema.Draft202012Validator(schema).validate(one)
    assert list(_unknown(one, schema)) == []


def _schema(kind: str) -> Resource:
    crd = yaml.safe_load((CRDS / f"ray.io_{kind.lower()}s.yaml").read_text())
    (version,) = [one for one in crd["spec"]["versions"] if one["name"] == "v1"]
    found: Resource = _plain(version["schema"]["openAPIV3Schema"])
    # A CRD leaves what all resources have to Kubernetes.
    found["properties"]["metadata"] = {"type": "object", "additionalProperties": True}
    return found


def _plain(schema: Any) -> Any:
    """A CRD's schema as JSON schema: quantities are numbers or text."""
    if isinstance(schema, list):
        return [_plain(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: _plain(value) for key, value in schema.items()}
    if schema.get("x-kubernetes-int-or-string") is True:
        found.pop("type", None)
    return found


def _unknown(value: Any, schema: Resource, where: str = "") -> Any:
    """Fields that Kubernetes would drop in silence."""
    if isinstance(value, list):
        for place, one in enumerate(value):
            yield from _unknown(one, schema.get("items", {}), f"{where}[{place}]")
    open_ended = {"x-kubernetes-preserve-unknown-fields", "additionalProperties"} & schema.keys()
    if not isinstance(value, dict) or open_ended:
        return
    properties = schema.get("properties", {})
    for key, one in value.items():
        if key in properties:
            yield from _unknown(one, properties[key], f"{where}.{key}")
        else:
            yield f"{where}.{key}"


@overlays
def test_the_application_is_that_of_the_configuration_file(place: str) -> None:
    (service,) = of_kind(place, "RayService")
    name = "local" if place.endswith("local") else "gpu"
    expected = yaml.safe_load(Path(f"serve/config/{name}.yaml").read_text())
    found = yaml.safe_load(service["spec"]["serveConfigV2"])
    (application,) = found["applications"]
    # Where bundle and catalog lie is the overlay's own.
    places_of_data = (application["args"], application["deployments"][0]["user_config"])
    own = expected["applications"][0]
    for mine, theirs in zip(
        places_of_data, (own["args"], own["deployments"][0]["user_config"]), strict=True
    ):
        for key in ("catalog", "bundle"):
            if key in theirs:
                assert mine[key].partition("://")[2] or mine[key] == theirs[key]
                theirs[key] = mine[key]
    assert found == expected


def test_local_and_gpu_hold_the_very_files() -> None:
    for name in ("local", "gpu"):
        copy = Path(f"k8s/overlays/{name}/serve.yaml").read_text()
        assert copy == Path(f"serve/config/{name}.yaml").read_text()


@places
def test_what_a_pod_names_is_there(place: str) -> None:
    made = {(one["kind"], one["metadata"]["name"]) for one in build(place)}
    if place.startswith("jobs/"):  # which find what the overlay gpu has made
        made |= {(one["kind"], one["metadata"]["name"]) for one in build("overlays/gpu")}
    for pod in pods(place):
        spec = pod["spec"]
        needed = {("ServiceAccount", spec.get("serviceAccountName"))} - {("ServiceAccount", None)}
        for volume in spec["volumes"]:
            if "secret" in volume:
                assert volume["secret"]["secretName"] in SECRETS
            if "persistentVolumeClaim" in volume:
                claim = volume["persistentVolumeClaim"]["claimName"]
                needed.add(("PersistentVolumeClaim", claim))
        for container in spec["containers"]:
            for source in container.get("envFrom", ()):
                needed.add(("ConfigMap", source["configMapRef"]["name"]))
            mounted = {mount["name"] for mount in container["volumeMounts"]}
            mounted -= {"data"} if "redis" in pod["metadata"]["name"] else set()  # its claim
            assert mounted <= {volume["name"] for volume in spec["volumes"]}
        assert needed <= made


@places
def test_no_container_may_do_more_than_it_must(place: str) -> None:
    contexts = [
        (pod["metadata"]["name"], pod["spec"].get("securityContext", {}), container)
        for pod in pods(place)
        for container in pod["spec"]["containers"]
    ]
    scaler = ray_cluster(place).get("autoscalerOptions")
    if scaler is not None:
        contexts.append(("autoscaler", contexts[0][1], scaler))
    for name, pod, container in contexts:
        own = container["securityContext"]
        assert own["allowPrivilegeEscalation"] is False, name
        assert own["readOnlyRootFilesystem"] is True, name
        assert own["capabilities"] == {"drop": ["ALL"]}, name
        assert pod["runAsNonRoot"] is True, name
        assert pod["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert container["resources"].keys() >= {"requests", "limits"}, name
    for pod in pods(place):
        spec = pod["spec"]
        assert not spec.keys() & {"hostNetwork", "hostPID", "hostIPC"}
        assert all("hostPath" not in volume for volume in spec["volumes"])
        holds_token = pod["metadata"]["name"] == "head" and place.startswith("overlays/")
        assert spec["automountServiceAccountToken"] is holds_token  # the autoscaler's


@dataclass(frozen=True)
class Caller:
    """A pod that tries to connect: its labels, and the namespace it is in."""

    labels: dict[str, str]
    namespace: str = "catalens"


def reachable(place: str, target: dict[str, str], caller: Caller) -> set[Any]:
    """Ports of a pod that another may connect to; `all` for every one of them."""
    ports: set[Any] = set()
    for policy in of_kind(place, "NetworkPolicy"):
        wanted = policy["spec"]["podSelector"].get("matchLabels", {})
        if not wanted.items() <= target.items():
            continue
        for rule in policy["spec"].get("ingress", ()):
            if "from" not in rule or any(_lets(peer, caller) for peer in rule["from"]):
                ports |= {port["port"] for port in rule.get("ports", ())} or {"all"}
    return ports


def _lets(peer: Resource, caller: Caller) -> bool:
    if "namespaceSelector" in peer:
        wanted = peer["namespaceSelector"].get("matchLabels", {})
        if not wanted.items() <= {"kubernetes.io/metadata.name": caller.namespace}.items():
            return False
    elif caller.namespace != "catalens":
        return False
    labels: dict[str, str] = peer["podSelector"].get("matchLabels", {})
    return labels.items() <= caller.labels.items()


NAME = "app.kubernetes.io/name"
STRANGERS = [
    Caller({"app": "somebody"}),
    Caller({"app": "somebody"}, "elsewhere"),
    # Who says that it is one of those who are let in.
    Caller({NAME: "kuberay-operator"}, "elsewhere"),
    Caller({NAME: "prometheus"}, "elsewhere"),
    Caller({NAME: "catalens"}, "elsewhere"),
]


@overlays
@pytest.mark.parametrize("caller", STRANGERS, ids=str)
def test_a_stranger_reaches_the_api_of_the_workers_and_nothing_else(
    place: str, caller: Caller
) -> None:
    for pod in pods(place):
        labels = pod["metadata"]["labels"]
        expected = {8000} if labels.get("app.kubernetes.io/component") == "worker" else set()
        assert reachable(place, labels, caller) == expected
        # None that is not selected by a policy at all, which would be open.
        assert any(
            one["spec"]["podSelector"]["matchLabels"].items() <= labels.items()
            for one in of_kind(place, "NetworkPolicy")
        )


@overlays
def test_rays_pods_reach_each_other_and_redis_and_the_operator_the_dashboard(place: str) -> None:
    head, worker, redis = (pod["metadata"]["labels"] for pod in pods(place))
    for one in (head, worker):
        for other in (head, worker):
            assert "all" in reachable(place, one, Caller(other))
        assert reachable(place, redis, Caller(one)) == {6379}
    operator = Caller({NAME: "kuberay-operator"}, "kuberay")
    assert 8265 in reachable(place, head, operator)
    assert 6379 not in reachable(place, head, operator)
    assert reachable(place, worker, Caller({NAME: "prometheus"}, "monitoring")) == {8000, 8080}


@overlays
def test_names_are_resolved_wherever_the_cluster_does_it(place: str) -> None:
    (policy,) = [
        one for one in of_kind(place, "NetworkPolicy") if one["metadata"]["name"] == "catalens-ray"
    ]
    dns = [
        peer
        for rule in policy["spec"]["egress"]
        if {"port": 53, "protocol": "UDP"} in rule.get("ports", ())
        for peer in rule["to"]
    ]
    said = str(dns)
    assert "kube-dns" in said
    assert "node-local-dns" in said
    assert "169.254.20.10/32" in said


@overlays
def test_no_pod_reaches_the_metadata_of_its_node(place: str) -> None:
    for policy in of_kind(place, "NetworkPolicy"):
        for rule in policy["spec"].get("egress", ()):
            for peer in rule.get("to", ()):
                block = peer.get("ipBlock", {})
                if block.get("cidr") == "0.0.0.0/0":
                    assert "169.254.0.0/16" in block["except"]
                elif block and block["cidr"] != "169.254.20.10/32":
                    # Workload Identity, which gives the pod's own identity
                    assert place == "overlays/gcp"


def test_scaled_to_zero_the_first_request_waits_on_the_head(tmp_path: Path) -> None:
    overlay = tmp_path / "k8s" / "overlays" / "zero"
    shutil.copytree("k8s", tmp_path / "k8s", dirs_exist_ok=True)
    overlay.mkdir()
    overlay.joinpath("kustomization.yaml").write_text(
        "resources: [../gpu]\ncomponents: [../../components/scale-to-zero]\n"
    )
    built = subprocess.run(
        ["kubectl", "kustomize", str(overlay)], capture_output=True, text=True, check=True
    )
    resources = list(yaml.safe_load_all(built.stdout))
    (service,) = [one for one in resources if one["kind"] == "RayService"]
    assert service["spec"]["excludeHeadPodFromServeSvc"] is False
    assert service["spec"]["rayClusterConfig"]["workerGroupSpecs"][0]["minReplicas"] == 0
    (api,) = [one for one in resources if one["metadata"]["name"] == "catalens-api"]
    assert api["spec"]["podSelector"]["matchLabels"] == {NAME: "catalens"}


@overlays
def test_a_pod_is_given_the_time_to_drain(place: str) -> None:
    (found,) = [
        one["data"]
        for one in of_kind(place, "ConfigMap")
        if one["metadata"]["name"].startswith("catalens-environment")
    ]
    (service,) = of_kind(place, "RayService")
    (application,) = yaml.safe_load(service["spec"]["serveConfigV2"])["applications"]
    stopping = application["deployments"][0]["graceful_shutdown_timeout_s"]
    drain = float(found["RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S"])
    assert stopping < drain
    for pod in pods(place):
        if pod["metadata"]["labels"].get(NAME) == "catalens":
            assert drain + 15 < pod["spec"]["terminationGracePeriodSeconds"]


@overlays
def test_the_environment_is_that_of_catalens_serve(place: str, tmp_path: Path) -> None:
    (found,) = [
        one["data"]
        for one in of_kind(place, "ConfigMap")
        if one["metadata"]["name"].startswith("catalens-environment")
    ]
    own = environment(ServeConfig(), tmp_path)
    differing = {key for key in found.keys() & own.keys() if found[key] != own[key]}
    assert differing == {"RAY_SERVE_HAPROXY_BINARY_PATH", "RAY_SERVE_HAPROXY_LOG_TARGET"}
    of_one_machine = re.compile(
        r"_PORT$|SOCKET|_LOC$|SERVER_STATE|WINDOWS_OR_OSX|NBTHREAD|AUTH_MODE|MIN_DRAINING|CATALENS_"
    )
    missing = {key for key in own.keys() - found.keys() if not of_one_machine.search(key)}
    assert missing == set()
    settings = {name.removeprefix("CATALENS_").lower() for name in found if "CATALENS_" in name}
    assert settings <= Settings.model_fields.keys()


@places
def test_ray_is_the_one_that_is_locked(place: str) -> None:
    cluster = ray_cluster(place)
    assert cluster["rayVersion"] == ray.__version__
    assert cluster["authOptions"] == {"mode": "token"}


@overlays
def test_a_worker_has_room_for_a_replica(place: str) -> None:
    (service,) = of_kind(place, "RayService")
    (application,) = yaml.safe_load(service["spec"]["serveConfigV2"])["applications"]
    (group,) = ray_cluster(place)["workerGroupSpecs"]
    requests = group["template"]["spec"]["containers"][0]["resources"]["requests"]
    arguments = application["args"]
    assert float(requests["cpu"]) >= arguments["cpus"]
    assert float(requests.get("nvidia.com/gpu", 0)) >= arguments.get("gpus", 0)
    scaling = application["deployments"][0]["autoscaling_config"]
    per_worker = int(float(requests["cpu"]) // arguments["cpus"])
    assert scaling["max_replicas"] <= per_worker * group["maxReplicas"]
    assert scaling["min_replicas"] <= per_worker * max(1, group["minReplicas"])


def test_an_upgrade_that_follows_bit_by_bit_needs_few_more_gpus() -> None:
    (service,) = of_kind("overlays/incremental", "RayService")
    strategy = service["spec"]["upgradeStrategy"]
    assert strategy["type"] == "NewClusterWithIncrementalUpgrade"
    assert strategy["clusterUpgradeOptions"]["maxSurgePercent"] <= 25
    assert of_kind("overlays/incremental", "Ingress") == []


@pytest.mark.parametrize("name", JOBS)
def test_a_job_runs_a_command_that_there_is(name: str) -> None:
    from catalens.cli.app import COMMANDS, make_app

    (job,) = of_kind(f"jobs/{name}", "RayJob")
    commands = {command.name for command in COMMANDS}
    entrypoint = job["spec"]["entrypoint"].replace(_GO_ON, "--resume")
    for line in entrypoint.split("&&"):
        program, command, *arguments = line.split()
        assert program == "catalens"
        assert command in commands
        make_app().parse_args([command, *arguments], exit_on_error=False, print_error=False)


# Checks that do not hold, and why.
EXCEPTIONS = {
    "CKV_K8S_43": "digests come from who builds and pushes the images (kustomize edit set image)",
    "CKV_K8S_15": "local takes the image that `kind load` put on the node; the others pull always",
    "CKV_K8S_38": "the head's token is the autoscaler's, which asks Kubernetes for pods",
    "CKV_K8S_8": "the container that shows the audit log is a `tail`, which nobody waits for",
    "CKV_K8S_9": "the same",
    "CKV2_K8S_6": "a job's pods are closed by the policies of the overlay, which it is used with",
}


def test_checkov_finds_nothing(tmp_path: Path) -> None:
    """It does not know Ray's kinds, so it is shown the pods that they lead to."""
    for place in PLACES:
        file = tmp_path / f"{place.replace('/', '-')}.yaml"
        file.write_text(yaml.safe_dump_all([*build(place), *pods(place)]))
    command = (
        *("--directory", str(tmp_path), "--framework", "kubernetes", "--output", "json"),
        *("--quiet", "--compact", "--skip-download", "--skip-check", ",".join(EXCEPTIONS)),
    )
    scan = run_tool("checkov==3.3.30", "checkov", *command)
    report = json.loads(scan.stdout)
    failed = [
        f"{one['file_path']} {one['resource']}: {one['check_id']} {one['check_name']}"
        for one in report["results"]["failed_checks"]
    ]
    assert failed == []
    assert report["summary"]["passed"] > 50 * len(PLACES)
