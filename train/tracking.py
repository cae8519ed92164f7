"""A finished run, and its bundle, in MLflow: settings, curves, figures, report, files."""

from pathlib import Path
from typing import Any, Final

from catalog.errors import InvalidRequest
from train.run import DOCUMENT, REPORT, Run

_LONGEST: Final = 500  # characters of a parameter that MLflow keeps


def track(run: Run, bundle: Path | None, uri: str | None, experiment: str) -> str:
    """Log a run; its id in MLflow.

    Args:
        run: a finished one.
        bundle: directory of what was exported of it, to be logged with it.
        uri: of the tracking server or folder; what MLflow's own environment says if not given.
        experiment: made if there is none of that name.

    Raises:
        InvalidRequest: MLflow is not installed, or refuses.
    """
    try:
        import mlflow
        from mlflow.exceptions import MlflowException
    except ImportError:
        raise InvalidRequest(
            "MLflow is not installed.", fix="pip install 'catalens[mlflow]', or mlflow-skinny."
        ) from None
    document = run.document
    try:
        if uri is not None:
            mlflow.set_tracking_uri(uri)
        mlflow.set_experiment(experiment)
        with mlflow.start_run(run_name=run.directory.name) as logged:
            mlflow.log_params({key: str(value)[:_LONGEST] for key, value in _params(run).items()})
            for step, record in enumerate(document.epochs):
                mlflow.log_metrics(_numbers(record), step=step)
            mlflow.log_metrics(_numbers({**document.metrics, "minutes": run.minutes}))
            mlflow.set_tags({"recipe": document.recipe, "data": document.data["fingerprint"]})
            for file in (DOCUMENT, REPORT):
                if (run.directory / file).exists():
                    mlflow.log_artifact(str(run.directory / file))
            if bundle is not None:
                mlflow.log_artifacts(str(bundle), "bundle")
            return str(logged.info.run_id)
    except MlflowException as error:
        raise InvalidRequest(
            f"MLflow refuses: {str(error).splitlines()[0]}", where=uri or "--uri"
        ) from error


def _params(run: Run) -> dict[str, Any]:
    document = run.document
    return {
        **document.config,
        "photos": document.data["photos"],
        "categories": len(document.classes),
        "manifest": document.manifest["source"],
    }


def _numbers(values: dict[str, Any], prefix: str = "") -> dict[str, float]:
    """The numbers of a record; those of a record within it have its name before theirs."""
    found: dict[str, float] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            found |= _numbers(value, f"{prefix}{key}_")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found[f"{prefix}{key}"] = float(value)
    return found
