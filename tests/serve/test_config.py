"""The configuration files of Ray Serve, and `promote`, which changes them and what runs."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import yaml
from ray.serve.schema import ServeDeploySchema

from catalog.errors import InvalidBundle, InvalidRequest
from inference.bundle import read_bundle
from serve.access.keys import create_key
from serve.app import AppArguments, UserConfig
from serve.ports import free_ports
from serve.promote import watch, write_bundle
from serve.settings import read_settings
from tests.bundles import another
from tests.colours import colour_photo
from tests.serve.conftest import Running, empty_catalog, running

CONFIGS = sorted(Path("serve/config").glob("*.yaml"))
RED = colour_photo("Warm/Red")


@pytest.fixture(params=CONFIGS, ids=lambda path: path.stem)
def config(request: pytest.FixtureRequest) -> ServeDeploySchema:
    return ServeDeploySchema.model_validate(yaml.safe_load(request.param.read_text()))


def test_there_is_one_for_cpus_and_one_for_gpus() -> None:
    assert [path.stem for path in CONFIGS] == ["gpu", "local"]


def test_ray_and_the_application_take_it(config: ServeDeploySchema) -> None:
    (application,) = config.applications
    arguments = AppArguments.model_validate(application.args)
    assert arguments.bundle is None
    classifier = next(one for one in application.deployments if one.name == "Classifier")
    assert isinstance(classifier.user_config, dict)
    assert UserConfig.model_validate(classifier.user_config).bundle


def test_load_that_is_gone_does_not_decide(config: ServeDeploySchema) -> None:
    """A decision that averages over longer than it waits for sees load from before the last one."""
    for deployment in config.applications[0].deployments:
        scaling = deployment.autoscaling_config
        if isinstance(scaling, dict):
            assert scaling["look_back_period_s"] < scaling["upscale_delay_s"]
            assert 4 * scaling["upscale_delay_s"] < scaling["downscale_delay_s"]


def test_only_the_bundle_changes_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "serve.yaml"
    for source in CONFIGS:
        file.write_text(source.read_text())
        before = yaml.safe_load(file.read_text())
        old = write_bundle(file, "s3://shop/bundles/second")
        (classifier, *_) = before["applications"][0]["deployments"]
        assert old == classifier["user_config"]["bundle"]
        classifier["user_config"]["bundle"] = "s3://shop/bundles/second"
        assert yaml.safe_load(file.read_text()) == before
        changed = zip(source.read_text().splitlines(), file.read_text().splitlines(), strict=True)
        assert sum(left != right for left, right in changed) == 1
        assert write_bundle(file, old) == "s3://shop/bundles/second"
        assert file.read_text() == source.read_text()


@pytest.mark.parametrize(
    "text",
    [
        "applications: []\n",
        "a: [\n",
        "    user_config:\n      bundle: /a\n---\n",
        "a:\n  user_config:\n    bundle: /a\nb:\n  user_config:\n    bundle: /b\n",
    ],
)
def test_a_file_without_just_one_bundle_is_left_alone(tmp_path: Path, text: str) -> None:
    file = tmp_path / "serve.yaml"
    file.write_text(text)
    with pytest.raises(InvalidRequest):
        write_bundle(file, "/second")
    assert file.read_text() == text


@pytest.mark.parametrize("bundle", ["{a: b}", "/a: b", "~", "007", "/a # b", "é"])
def test_a_path_is_written_as_it_is(tmp_path: Path, bundle: str) -> None:
    file = tmp_path / "serve.yaml"
    file.write_text(CONFIGS[0].read_text())
    write_bundle(file, bundle)
    written = yaml.safe_load(file.read_text())["applications"][0]["deployments"][0]
    assert written["user_config"] == {"bundle": bundle}
    assert write_bundle(file, "/next") == bundle


@pytest.mark.parametrize("bundle", ["", "/a\nargs: {}", "/a\x00"])
def test_what_cannot_be_a_path_is_refused(tmp_path: Path, bundle: str) -> None:
    file = tmp_path / "serve.yaml"
    file.write_text(CONFIGS[0].read_text())
    with pytest.raises(InvalidRequest, match="no such path"):
        write_bundle(file, bundle)
    assert file.read_text() == CONFIGS[0].read_text()


@pytest.fixture
def followed(tiny_bundle: Path) -> Iterator[Running]:
    with running(tiny_bundle) as server:
        yield server


def test_it_is_watched_until_all_answer_with_the_bundle(
    followed: Running, tiny_bundle: Path, tmp_path: Path
) -> None:
    second = another(tiny_bundle, tmp_path / "second", temperature=2.0)
    followed.on_loop(lambda: followed.service.slot.follow(str(second)))
    seen = list(watch(followed.url, str(second), wait_s=60))
    assert seen[-1][0].version == read_bundle(second).document.version
    assert [agreed for _, agreed in seen[-3:]] == [98, 99, 100]


def test_a_key_that_may_ask_seldom_is_enough(tiny_bundle: Path, tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    key = create_key(keys, "slow", "read", "60/second")
    with running(tiny_bundle, settings=read_settings(api_keys=str(keys))) as server:
        seen = list(watch(server.url, str(tiny_bundle), wait_s=30, key=key))
    assert [agreed for _, agreed in seen] == list(range(1, 101))


def test_a_bundle_that_is_refused_is_told(followed: Running, tmp_path: Path) -> None:
    bad = str(tmp_path / "bad")
    followed.on_loop(lambda: followed.service.slot.follow(bad))
    with pytest.raises(InvalidBundle, match="no bundle"):
        list(watch(followed.url, bad, wait_s=60))


def test_a_change_that_was_never_applied_is_told(followed: Running, tiny_bundle: Path) -> None:
    from serve.problems import NotReady

    with pytest.raises(NotReady, match=f"still follows {tiny_bundle}"):
        list(watch(followed.url, "/another", wait_s=1))


@dataclass(frozen=True)
class Deployed:
    """A Ray cluster of one node with the application of a configuration file."""

    url: str
    dashboard: str
    config: Path
    environment: dict[str, str]
    logs: Path

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", *command],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )


@pytest.fixture
def deployed(tiny_bundle: Path, tmp_path: Path) -> Iterator[Deployed]:
    port, dashboard, gcs = free_ports(3)
    mark = uuid.uuid4().hex
    environment = os.environ | {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": uuid.uuid4().hex * 2,
        "RAY_SERVE_ENABLE_HA_PROXY": "0",
        "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
        "TEST_MARK": mark,
        "RAY_ADDRESS": f"127.0.0.1:{gcs}",
    }
    config = tmp_path / "serve.yaml"
    text = Path("serve/config/local.yaml").read_text()
    catalog = empty_catalog(tiny_bundle, tmp_path / "catalog")
    for old, new in (
        ("/data/bundles/first", str(tiny_bundle)),
        ("/data/catalog", catalog),
        ("port: 8000", f"port: {port}"),
        ("host: 0.0.0.0", "host: 127.0.0.1"),
    ):
        assert old in text
        text = text.replace(old, new)
    config.write_text(text)
    address = "http://127.0.0.1"
    temporary = tempfile.mkdtemp(prefix="ray-")  # not below tmp_path: sockets have short names
    logs = Path(temporary) / "session_latest" / "logs" / "serve"
    found = Deployed(f"{address}:{port}", f"{address}:{dashboard}", config, environment, logs)
    start = (
        *("ray.scripts.scripts", "start", "--head", f"--port={gcs}", "--node-ip-address=127.0.0.1"),
        *("--include-dashboard=true", f"--dashboard-port={dashboard}", "--num-cpus=4"),
        *("--disable-usage-stats", f"--temp-dir={temporary}"),
    )
    try:
        started = found.run(*start)
        assert started.returncode == 0, started.stderr
        sent = found.run("ray.serve.scripts", "deploy", str(config), "-a", found.dashboard)
        assert sent.returncode == 0, sent.stderr
        yield found
    finally:
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if mark.encode() in (process / "environ").read_bytes():
                    os.kill(int(process.name), signal.SIGKILL)
            except OSError:
                continue
        shutil.rmtree(temporary, ignore_errors=True)


def ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=5, trust_env=False).is_success
    except httpx.HTTPError:
        return False


@pytest.mark.e2e
def test_a_bundle_is_promoted_under_load_and_a_bad_one_taken_back(
    deployed: Deployed, tiny_bundle: Path, tmp_path: Path
) -> None:
    end = time.monotonic() + 120
    while not ready(deployed.url):
        assert time.monotonic() < end
        time.sleep(0.5)
    second = another(tiny_bundle, tmp_path / "second", temperature=2.0)
    statuses: list[int] = []
    stop = threading.Event()

    def load() -> None:
        with httpx.Client(base_url=deployed.url, timeout=30, trust_env=False) as http:
            while not stop.is_set():
                statuses.append(http.post("/v1/classify", content=RED).status_code)

    thread = threading.Thread(target=load)
    thread.start()
    try:
        promote = ("catalens.cli", "promote")
        through = ("--dashboard", deployed.dashboard)
        done = deployed.run(*promote, str(second), deployed.url, *through)
        assert done.returncode == 0, done.stderr
        version = read_bundle(second).document.version
        assert httpx.get(f"{deployed.url}/v1/model", trust_env=False).json()["model"] == version

        refused = deployed.run(*promote, str(tmp_path / "none"), deployed.url, *through)
        assert refused.returncode == 1
        assert "no bundle" in refused.stderr
        assert httpx.get(f"{deployed.url}/v1/model", trust_env=False).json()["model"] == version

        replicas = deployed.logs.glob("replica_catalens_Classifier_*.log")
        assert any(f"bundle {tmp_path / 'none'} refused" in one.read_text() for one in replicas)

        back = deployed.run(
            *promote, str(tiny_bundle), deployed.url, *through, "--config", str(deployed.config)
        )
        assert back.returncode == 0, back.stderr
    finally:
        stop.set()
        thread.join()
    assert set(statuses) == {200}
    assert len(statuses) > 20
