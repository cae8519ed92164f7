"""`sample`, `train` and `export`: from labelled photos to a bundle."""

import shlex
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter
from rich.console import Console
from rich.markup import escape

from catalens.cli.markup import bold, counted
from catalens.cli.progress import progress_bar, step
from catalens.cli.stopped import told_when_stopped
from catalens.sample import SampleConfig
from catalog.errors import InvalidManifest, InvalidRequest, InvalidRun
from catalog.manifest import ManifestConfig
from inference.bundle import refuse_taken
from train.config import TrainConfig

_LEAST: Final = {
    "epochs": 1,
    "embedding": 1,
    "batch_size": 1,
    "folds": 2,
    "workers": 1,
}


def sample(
    directory: Path,
    /,
    *,
    config: Annotated[SampleConfig, Parameter(name="*")] = SampleConfig(),
) -> None:
    """Draw a sample shop.

    Args:
        directory: a new or empty folder.
        config: how large, and which one.
    """
    from catalens.sample import draw_shop

    with progress_bar("Drawing photos") as progress:
        manifest = draw_shop(directory, config, progress)
    Console().print(
        f"Drew {counted(config.products, 'product')}. Next: "
        f"{bold(f'catalens train {shlex.quote(str(manifest))} --run RUN')}",
        soft_wrap=True,
    )


def train(
    manifest: str,
    /,
    *,
    run: Path,
    resume: bool = False,
    config: Annotated[TrainConfig, Parameter(name="*")] = TrainConfig(),
    columns: Annotated[ManifestConfig, Parameter(name="*", group="Manifest")] = ManifestConfig(),
) -> None:
    """Learn from a manifest's train rows, or from all of them when it has no splits.

    Args:
        manifest: a folder tree of photos, or a .csv, .parquet or .ndjson table.
        run: a new directory for the run.
        resume: go on with the run that was stopped there, with the settings it was started with.
        config: how to train.
        columns: how to read the manifest.
    """
    _check(manifest, config, resume)
    from train.training import train as learn  # PyTorch and Ray take seconds

    with told_when_stopped(lambda: _how_to_go_on(manifest, run)):
        finished = learn(manifest, run, columns, config, resume=resume)
    Console().print(
        f"Next: {bold(f'catalens export {shlex.quote(str(finished.directory))} BUNDLE')}",
        soft_wrap=True,
    )


def _check(manifest: str, config: TrainConfig, resume: bool) -> None:
    """Refuse at once what would be refused after the imports, or trained in vain."""
    if not resume and "://" not in manifest and not Path(manifest).exists():
        raise InvalidManifest("no such file or folder.", where=manifest)
    if config.budget is not None:
        _check_budget(config.budget)
    for name, least in _LEAST.items():
        if getattr(config, name) < least:
            raise InvalidRequest(
                f"it is {getattr(config, name)}.",
                where=f"--{name.replace('_', '-')}",
                fix=f"Give {least} or more.",
            )


def _check_budget(budget: str) -> None:
    from train.budget import parse_budget

    if budget.strip().startswith("-") or parse_budget(budget) <= 0:
        raise InvalidRequest(
            f"{budget} leaves no time to train.",
            where="--budget",
            fix="Give more than nothing, such as 25m, 90s or 1h30m.",
        )


def _how_to_go_on(manifest: str, run: Path) -> str:
    from train.plan import PLAN

    if not (run / PLAN).exists():
        return "Nothing was learnt yet: start it again."
    command = shlex.join(["catalens", "train", manifest, "--run", str(run), "--resume"])
    return f"`{command}` goes on."


def export(run: Path, bundle: Path, /, *, mirror: bool = False) -> None:
    """Make a bundle of a finished run.

    Args:
        run: directory of the run.
        bundle: a new directory for the bundle.
        mirror: look at each photo and its mirror image and average: a little better, twice as
            slow.
    """
    if not run.is_dir():
        raise InvalidRun("no such folder.", where=str(run), fix="`catalens train` makes a run.")
    refuse_taken(bundle)  # now, not after minutes
    from export.bundle import export_run  # PyTorch takes seconds

    console = Console()
    with step("Reading the run and its held-out photos") as tell:
        exported = export_run(run, bundle, mirror=mirror, tell=tell)
    document = exported.bundle.document
    largest = max(exported.parity.values())
    console.print(
        f"Bundle {bold(bundle)}, version {document.version}: "
        f"{counted(len(document.classes), 'class', 'classes')}, at most {largest:.1e} from PyTorch "
        f"at batches of {', '.join(map(str, exported.parity))}.",
        soft_wrap=True,
    )
    for name, variant in document.variants.items():
        console.print(
            f"{name}: top-1 {variant.accuracy:.3f} on {variant.photos} held-out photos, "
            f"{variant.agreement:.1%} as fp32, {variant.images_per_second:.0f} photos/s here.",
            soft_wrap=True,
        )
    for name, reason in exported.refused.items():
        console.print(f"{name} left out: {reason}.", markup=False, soft_wrap=True)


def report(old: Path, new: Path, page: Path = Path("comparison.html"), /) -> None:
    """Write what a new run gains and loses against an old one.

    Args:
        old: a run.
        new: another, of the same photos.
        page: to write.
    """
    from train.report.comparison import write_comparison
    from train.run import read_run

    found = write_comparison(read_run(old), read_run(new), page)
    gain, low, high = found.gain
    Console().print(
        f"{bold(page)}: {100 * gain:+.1f} points of {counted(len(found.images), 'photo')} "
        f"(between {100 * low:+.1f} and {100 * high:+.1f}), {int(found.gained.sum())} gained, "
        f"{int(found.lost.sum())} lost.",
        soft_wrap=True,
    )


def track(
    run: Path,
    /,
    *,
    bundle: Path | None = None,
    uri: str | None = None,
    experiment: str = "catalens",
) -> None:
    """Log a finished run in MLflow.

    Args:
        run: a finished run.
        bundle: directory of its bundle, to be logged with it.
        uri: of the tracking server or folder; MLFLOW_TRACKING_URI if not given.
        experiment: made if there is none of that name.
    """
    from train.run import read_run
    from train.tracking import track as log

    logged = log(read_run(run), bundle, uri, experiment)
    Console().print(
        f"{bold(run)} is run {logged} of experiment {escape(experiment)}.", soft_wrap=True
    )
