"""Training from the driver's side: read, decode, run the workers, write the run."""

import importlib.metadata
import json
import os
import shutil
import time
from collections import Counter
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

from rich.console import Console
from scipy.special import softmax

from catalog.errors import InvalidManifest, InvalidRequest
from catalog.images import ImageSpec
from catalog.manifest import Manifest, ManifestConfig, read_manifest
from catalog.metrics import classification_report
from catalog.names.categories import write_name_categories
from catalog.tree import CategoryTree
from train.backbones import create_backbone
from train.choice import choose
from train.cluster import ray_cluster
from train.config import TrainConfig
from train.launch import STORAGE, run_workers
from train.name_categories import learn_name_categories
from train.network import Architecture
from train.photos import Photos, prepare_photos
from train.plan import PLAN, Plan, new_plan, read_plan, write_plan
from train.progress import ProgressBars, Step
from train.report.page import write_report
from train.run import (
    BAD_ROWS,
    DOCUMENT,
    NAME_CATEGORIES,
    HeldOut,
    Run,
    RunDocument,
    read_predictions,
    read_run,
    write_document,
)
from train.speed import measure_speed
from train.worker import OTHER_SPLITS, PREPARED, PROGRESS, RESULT, UNLABELLED

_VERSIONED = ("catalens", "torch", "torchvision", "timm", "ray", "pillow", "numpy")


def train(
    source: str,
    run_directory: Path | str,
    manifest_config: ManifestConfig = ManifestConfig(),
    config: TrainConfig = TrainConfig(),
    *,
    resume: bool = False,
    console: Console | None = None,
) -> Run:
    """Train on a manifest's ``train`` rows, or on all of them when it has no splits.

    Args:
        source: manifest, as `catalog.manifest.read_manifest` takes it.
        run_directory: a new directory, or with ``resume`` the one of a run that was stopped.
        manifest_config: column names.
        config: how to train.
        resume: go on with a stopped run, with the manifest and settings it was started with.
        console: where progress is drawn.

    Raises:
        InvalidManifest: it cannot be used, or has fewer than two categories.
        InvalidRun: the directory is taken, or there is nothing to resume.
        InvalidRequest: a setting that makes no sense.
        DeviceUnavailable: a GPU was asked for and Ray has none.
    """
    started = time.time()
    directory = Path(run_directory).absolute()
    if resume and (directory / DOCUMENT).exists():
        return read_run(directory)
    plan = read_plan(directory) if resume else new_plan(directory, source, manifest_config, config)
    whole = read_manifest(plan.source, plan.manifest)
    manifest, others = _training_rows(whole), _other_rows(whole)
    unlabelled = _unlabelled(plan)
    console = console or Console(stderr=True)
    plan = _chosen(plan, len(manifest.rows), console)
    _, spec = create_backbone(plan.config.backbone, size=plan.config.size, pretrained=False)
    write_plan(directory, plan)
    (directory / PROGRESS).unlink(missing_ok=True)
    with ProgressBars(directory / PROGRESS, console) as bars:
        photos = prepare_photos(
            manifest,
            directory / PREPARED,
            spec,
            with_canvas=plan.config.recipe != "probe",
            threads=os.cpu_count() or 1,
            bad_rows_file=directory / BAD_ROWS,
            progress=lambda done, total: bars.show(Step("decode", done, total)),
        )
        if unlabelled is not None:
            _decode_more(unlabelled, directory, UNLABELLED, spec, bars, with_canvas=True)
        if others is not None:
            with suppress(InvalidManifest):  # none can be read, so none can be a leak
                _decode_more(others, directory, OTHER_SPLITS, spec, bars, with_canvas=False)
        classes = _classes(photos, plan.source)
        _learn_names(directory, photos)
        decoded = time.time()
        with ray_cluster():
            run_workers(directory, plan.name, plan.config, classes, started)
    seconds = {"decode": decoded - started, "train": time.time() - decoded}
    write_document(directory, _document(directory, plan, manifest, photos, classes, seconds))
    run = read_run(directory)
    write_report(run)
    _tidy(directory)
    return run


def _learn_names(directory: Path, photos: Photos) -> None:
    """What names say of categories, where products have names."""
    names = {row.id: (row.name, row.category) for row in photos.rows if row.name and row.category}
    learnt = learn_name_categories(list(names.values()))
    if learnt is not None:
        write_name_categories(directory / NAME_CATEGORIES, learnt)


def _decode_more(
    manifest: Manifest,
    directory: Path,
    name: str,
    spec: ImageSpec,
    bars: ProgressBars,
    *,
    with_canvas: bool,
) -> None:
    """Decode photos beside the labelled ones that are trained on."""
    step = f"decode {name.replace('_', ' ')}"
    prepare_photos(
        manifest,
        directory / PREPARED / name,
        spec,
        with_canvas=with_canvas,
        threads=os.cpu_count() or 1,
        bad_rows_file=directory / f"{name}_{BAD_ROWS}",
        progress=lambda done, total: bars.show(Step(step, done, total)),
    )


def _training_rows(manifest: Manifest) -> Manifest:
    has_splits = any(row.split for row in manifest.rows)
    return manifest.split("train") if has_splits else manifest


def _other_rows(manifest: Manifest) -> Manifest | None:
    """Rows that are not trained on, to tell leaks; what cannot be read of them stops nothing."""
    if len({row.split for row in manifest.rows}) < 2:
        return None
    rows = tuple(row for row in manifest.rows if row.split != "train" and row.image)
    return replace(manifest, rows=rows, bad=(), max_bad=1.0) if rows else None


def _unlabelled(plan: Plan) -> Manifest | None:
    """The photos without labels, where the recipe learns from them."""
    source = plan.config.unlabelled
    if plan.config.recipe not in ("transductive", "unsupervised"):
        if source is not None:
            raise InvalidRequest(
                f"the recipe {plan.config.recipe} learns from labelled photos alone.",
                where="--unlabelled",
                fix="Take --recipe transductive or unsupervised, or leave it out.",
            )
        return None
    if source is not None:
        return read_manifest(source, plan.manifest, needs=frozenset({"image"}))
    if plan.config.recipe == "transductive":
        raise InvalidRequest(
            "the recipe transductive learns from photos without labels too.",
            where="--unlabelled",
            fix="Name a folder or a table of them.",
        )
    return None


def _chosen(plan: Plan, photos: int, console: Console) -> Plan:
    """The plan with recipe and backbone chosen, and why said."""
    choice = choose(plan.config, photos, lambda: measure_speed(plan.config.device))
    if choice.reason is not None:
        console.print(choice.reason, soft_wrap=True)
    return replace(plan, config=choice.config, reason=choice.reason)


def _classes(photos: Photos, source: str) -> tuple[str, ...]:
    classes = tuple(sorted({row.category or "" for row in photos.rows}))
    if len(classes) < 2:
        raise InvalidManifest(
            f"only one category ({', '.join(classes) or 'none'}) has photos to train on.",
            where=source,
            fix="Give photos of at least two categories.",
        )
    return classes


def _document(
    directory: Path,
    plan: Plan,
    manifest: Manifest,
    photos: Photos,
    classes: tuple[str, ...],
    seconds: dict[str, float],
) -> RunDocument:
    result = json.loads((directory / PREPARED / RESULT).read_text(encoding="utf-8"))
    held_out = read_predictions(directory)
    probabilities = softmax(held_out.logits, axis=1)
    return RunDocument(
        recipe=plan.config.recipe,
        config=plan.config_json(),
        manifest={"source": plan.source, **asdict(plan.manifest)},
        data={
            "fingerprint": photos.fingerprint,
            "photos": len(photos.rows),
            "products": len({row.id for row in photos.rows}),
            "held_out_photos": len(held_out.images),
            "bad_rows": len(manifest.rows) - len(photos.rows) + len(manifest.bad),
        },
        classes=classes,
        architecture=Architecture.from_json(result["architecture"]),
        epochs=tuple(result["records"]),
        metrics=classification_report(CategoryTree(classes), probabilities, held_out.truth),
        seconds={step: round(value, 1) for step, value in seconds.items()},
        versions={name: importlib.metadata.version(name) for name in _VERSIONED},
        notes=(*manifest.notes, *_notes(photos, plan, held_out)),
        restarts=tuple(result["restarts"]),
        tags=result["tags"],
        categorise=result["categorise"],
    )


def _notes(photos: Photos, plan: Plan, held_out: HeldOut) -> list[str]:
    counts = Counter(row.category or "" for row in photos.rows)
    single = sorted(category for category, count in counts.items() if count == 1)
    notes = [plan.reason] if plan.reason else []
    if single:
        notes.append(f"{len(single)} categories have a single photo: {', '.join(single[:20])}")
    if plan.config.recipe != "probe" and len(held_out.images) == len(photos.rows):
        notes.append("too few products to set any aside: figures are on the training photos")
    return notes


def _tidy(directory: Path) -> None:
    """Leave only what the contract names."""
    for scratch in (PREPARED, STORAGE):
        shutil.rmtree(directory / scratch, ignore_errors=True)
    for file in (PLAN, PROGRESS):
        (directory / file).unlink(missing_ok=True)
