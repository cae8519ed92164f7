"""kill -9 in the middle of a training: a worker's, and the whole run's."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from train.backbones import SMALLEST
from train.run import read_run

pytestmark = pytest.mark.e2e

_EPOCHS = 4
_SETTINGS = (
    "--recipe", "finetune", "--backbone", SMALLEST, "--epochs", str(_EPOCHS), "--batch-size", "16",
)  # fmt: skip


def start(shop: Path, run: Path, *more: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "catalens.cli", "train", str(shop), "--run", str(run)]
    # A session of its own, so that the test can kill everything the run has started.
    return subprocess.Popen([*command, *_SETTINGS, *more], start_new_session=True)


@pytest.fixture(scope="module")
def unbroken(small_shop: Path, tmp_path_factory: pytest.TempPathFactory) -> float:
    run = tmp_path_factory.mktemp("unbroken") / "run"
    assert start(small_shop, run).wait(timeout=400) == 0
    document = read_run(run).document
    assert document.restarts == ()
    return float(document.metrics["top1"])


def test_a_killed_worker_goes_on_from_its_last_epoch(
    small_shop: Path, unbroken: float, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    training = start(small_shop, run)
    _wait(lambda: _has_checkpoint(run), training)
    workers = [
        child
        for child in psutil.Process(training.pid).children(recursive=True)
        if "RayTrainWorker" in " ".join(child.cmdline())
    ]
    assert workers
    workers[0].kill()
    assert training.wait(timeout=400) == 0
    document = read_run(run).document
    assert len(document.restarts) == 1
    assert document.restarts[0] > 0
    epochs = [record["epoch"] for record in document.epochs if record["phase"] == "finetune"]
    assert epochs == list(range(1, _EPOCHS + 1))
    _within_noise(float(document.metrics["top1"]), unbroken, document.data["held_out_photos"])


def test_a_killed_run_goes_on_with_resume(
    small_shop: Path, unbroken: float, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    training = start(small_shop, run)
    _wait(lambda: _has_checkpoint(run), training)
    family = [training.pid, *(c.pid for c in psutil.Process(training.pid).children(recursive=True))]
    for process in family:
        if psutil.pid_exists(process):
            os.kill(process, signal.SIGKILL)
    training.wait(timeout=60)
    assert not (run / "run.json").exists()
    assert start(small_shop, run, "--resume").wait(timeout=400) == 0
    document = read_run(run).document
    assert document.restarts
    assert document.restarts[0] > 0
    _within_noise(float(document.metrics["top1"]), unbroken, document.data["held_out_photos"])


def _has_checkpoint(run: Path) -> bool:
    """Whether Ray has taken note of a checkpoint, which is up to 2 s after it was written."""
    notes = list(run.glob("ray/*/checkpoint_manager_snapshot.json"))
    return any("checkpoint_" in note.read_text() for note in notes)


def _wait(condition: Callable[[], bool], training: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 400
    while not condition():
        assert training.poll() is None, "the training ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _within_noise(broken: float, unbroken: float, photos: int) -> None:
    # Three standard errors of a difference of two shares near 0.9 on so many photos.
    assert abs(broken - unbroken) <= 3 * (2 * 0.9 * 0.1 / photos) ** 0.5
