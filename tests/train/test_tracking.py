"""A run in MLflow, kept in a folder of files."""

import json
from pathlib import Path
from types import SimpleNamespace

import mlflow
import pytest

from catalog.errors import InvalidRequest
from train.run import Run
from train.tracking import track


@pytest.fixture
def run(tmp_path: Path) -> Run:
    directory = tmp_path / "run"
    directory.mkdir()
    (directory / "run.json").write_text(json.dumps({"recipe": "probe"}))
    (directory / "report.html").write_text("<h1>report</h1>")
    document = SimpleNamespace(
        recipe="finetune",
        config={"epochs": 2, "weights": None, "budget": "30m"},
        manifest={"source": "shop/manifest.csv"},
        data={"fingerprint": "f1", "photos": 40},
        classes=("A/B", "A/C"),
        epochs=({"phase": "finetune", "loss": 1.5}, {"phase": "finetune", "loss": 0.5}),
        metrics={"top1": 0.75, "depth": {"1": 1.0}},
        seconds={"decode": 30.0, "train": 90.0},
    )
    return Run(directory, document)  # type: ignore[arg-type]


def test_settings_curves_figures_and_files_are_logged(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # a database needs more than the client
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    (bundle / "bundle.json").write_text("{}")
    uri = (tmp_path / "mlruns").as_uri()
    logged = track(run, bundle, uri, "shop")
    client = mlflow.MlflowClient(uri)
    found = client.get_run(logged).data
    assert found.params["budget"] == "30m"
    assert found.metrics["top1"] == 0.75
    assert found.metrics["depth_1"] == 1.0
    assert found.metrics["minutes"] == 2.0
    assert [one.value for one in client.get_metric_history(logged, "loss")] == [1.5, 0.5]
    files = {one.path for one in client.list_artifacts(logged)}
    assert files == {"run.json", "report.html", "bundle"}
    assert [one.path for one in client.list_artifacts(logged, "bundle")] == ["bundle/bundle.json"]


def test_a_server_that_is_none_is_told(run: Run) -> None:
    with pytest.raises(InvalidRequest, match="MLflow refuses"):
        track(run, None, "nonsense://server", "shop")
