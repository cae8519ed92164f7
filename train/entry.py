"""What Ray Train runs in each process."""

import json
from typing import Any, Final

import numpy as np
import ray.train
import ray.train.torch
import torch
from torch import Tensor

from catalog.examples import write_examples
from catalog.manifest import Row
from catalog.tags import write_tag_model
from train.cross_validation import judge_out_of_fold
from train.data_issues import (
    DataIssue,
    doubtful_labels,
    leaks,
    twins_of_two_labels,
    write_issues,
)
from train.distributed import Ranks
from train.embedding import embedding_width
from train.examples import choose_examples
from train.features import shared_features
from train.network import new_network, save_network
from train.photos import open_photos
from train.progress import ProgressWriter, Step
from train.recipes import RECIPES, Outcome
from train.run import DATA_ISSUES, EXAMPLES, TAGS, WEIGHTS, HeldOut, write_predictions
from train.split import hold_out
from train.tags import learn_tags
from train.worker import OTHER_SPLITS, PREPARED, PROGRESS, RESULT, UNLABELLED, Job, Worker

# Of the probe whose answers put labels in doubt where the recipe is another.
_PENALTY: Final = 10.0
_NEAREST: Final = 3


def train_worker(config: dict[str, Job]) -> None:
    """Train, and on rank 0 leave weights, predictions and records in the run's directory."""
    worker = _worker(config["job"])
    others = _other_splits(worker)  # before a recipe changes the network
    outcome = RECIPES[worker.job.config.recipe](worker)
    logits = outcome.logits if outcome.out_of_fold else _probe_out_of_fold(worker)
    if worker.ranks.first:
        _write(worker, outcome)
        write_issues(worker.job.directory / DATA_ISSUES, _data_issues(worker, logits, others))
    worker.ranks.wait()


def _worker(job: Job) -> Worker:
    torch.set_num_threads(job.threads)
    torch.manual_seed(job.config.seed)
    context = ray.train.get_context()
    ranks = Ranks(context.get_world_rank(), context.get_world_size())
    device = ray.train.torch.get_device()
    prepared = job.directory / PREPARED
    photos = open_photos(prepared)
    unlabelled = prepared / UNLABELLED
    index = {path: number for number, path in enumerate(job.classes)}
    targets = torch.tensor([index[row.category or ""] for row in photos.rows])
    network = (
        new_network(
            job.config.backbone,
            classes=len(job.classes),
            embedding=embedding_width(job.config.embedding, len(photos.rows)),
            size=job.config.size,
            weights=job.config.weights,
        )
        .to(device)
        .to(memory_format=torch.channels_last)
    )
    progress = ProgressWriter(job.directory / PROGRESS, active=ranks.first)
    features = shared_features(
        network,
        photos.plain,
        device,
        ranks,
        prepared / "features.npy",
        lambda done, total: progress(Step("features", done, total)),
    )
    return Worker(
        job,
        ranks,
        device,
        photos,
        open_photos(unlabelled) if unlabelled.exists() else None,
        targets,
        network,
        features,
        progress,
    )


def _other_splits(worker: Worker) -> tuple[tuple[Row, ...], Tensor] | None:
    """Rows of splits that are not trained on, with features of the pretrained backbone."""
    prepared = worker.job.directory / PREPARED / OTHER_SPLITS
    if not (prepared / "rows.json").exists():
        return None
    photos = open_photos(prepared)
    features = shared_features(
        worker.network,
        photos.plain,
        worker.device,
        worker.ranks,
        prepared / "features.npy",
        lambda done, total: worker.progress(Step("features, other splits", done, total)),
    )
    return photos.rows, features


def _probe_out_of_fold(worker: Worker) -> Tensor:
    """Logits float32 [N, classes] of all labelled photos by heads that did not see them."""
    found = judge_out_of_fold(
        worker,
        (_PENALTY,),
        lambda fold, used: worker.progress(Step("doubtful labels", fold, used)),
    )
    return found.logits[0]


def _data_issues(
    worker: Worker, logits: Tensor, others: tuple[tuple[Row, ...], Tensor] | None
) -> list[DataIssue]:
    rows, features = worker.photos.rows, worker.features.numpy()
    probabilities = torch.softmax(logits, dim=1).numpy()
    targets = worker.targets.numpy()
    issues = doubtful_labels(rows, probabilities, targets, worker.job.classes)
    issues += twins_of_two_labels(rows, features)
    if others is not None:
        issues += leaks(rows, features, others[0], others[1].numpy())
    return issues


def _nearest(worker: Worker, outcome: Outcome) -> tuple[tuple[str, ...], ...]:
    """The images of the photos nearest to each that was judged, of other products."""
    products = np.array([row.id for row in worker.photos.rows])
    images = [row.image or "" for row in worker.photos.rows]
    found = []
    for row in outcome.rows:
        similarity = outcome.embeddings @ outcome.embeddings[row]
        similarity[products == products[row]] = -np.inf
        order = np.argsort(-similarity, kind="stable")[:_NEAREST]
        found.append(tuple(images[near] for near in order if np.isfinite(similarity[near])))
    return tuple(found)


def _learn_tags(worker: Worker, outcome: Outcome) -> dict[str, Any]:
    """Leave the tag model in the run, where there are tags; what run.json says of it."""
    tags = [row.tags for row in worker.photos.rows]
    if not any(tags):
        return {}
    config = worker.job.config
    aside = np.zeros(len(tags), dtype=np.bool_)
    if outcome.out_of_fold:
        aside = hold_out(*worker.groups(), config.held_out, config.seed)
    elif len(outcome.rows) < len(tags):
        aside[outcome.rows] = True
    learnt = learn_tags(outcome.embeddings, tags, np.flatnonzero(~aside), np.flatnonzero(aside))
    if learnt is None:
        return {}
    write_tag_model(worker.job.directory / TAGS, learnt.model)
    return learnt.to_json()


def _write(worker: Worker, outcome: Outcome) -> None:
    job, network = worker.job, worker.network
    judged = [worker.photos.rows[row] for row in outcome.rows]
    write_predictions(
        job.directory,
        HeldOut(
            tuple(row.image or "" for row in judged),
            tuple(row.category or "" for row in judged),
            outcome.logits.numpy(),
            outcome.familiarity,
            _nearest(worker, outcome),
        ),
    )
    examples = choose_examples(worker.photos, outcome.embeddings, worker.targets.numpy())
    write_examples(job.directory / EXAMPLES, examples)
    network.cpu().to(memory_format=torch.contiguous_format)
    save_network(network, job.directory / WEIGHTS)
    result: dict[str, Any] = {
        "architecture": network.architecture.to_json(),
        "records": outcome.records,
        "restarts": outcome.restarts,
        "tags": _learn_tags(worker, outcome),
    }
    (job.directory / PREPARED / RESULT).write_text(json.dumps(result))
