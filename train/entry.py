"""What Ray Train runs in each process."""

import json
from typing import Any, Final

import numpy as np
import ray.train
import ray.train.torch
import torch
from numpy.typing import NDArray
from torch import Tensor

from catalog.calibration import fit_temperature
from catalog.examples import write_examples
from catalog.pool import CategoriseWeights
from catalog.tags import write_tag_model
from train.data_check import find_issues, other_splits
from train.data_issues import write_issues
from train.distributed import Ranks
from train.embedding import embedding_width
from train.examples import choose_examples
from train.features import shared_features
from train.folding import fold_normalisation
from train.network import new_network, save_network
from train.photos import open_photos
from train.pooling import learn_pooling
from train.progress import ProgressWriter, Step
from train.recipes import RECIPES, Outcome
from train.run import DATA_ISSUES, EXAMPLES, TAGS, WEIGHTS, HeldOut, write_predictions
from train.split import hold_out
from train.tags import learn_tags
from train.worker import PREPARED, PROGRESS, RESULT, UNLABELLED, Job, Worker

# Photos beside a mistake in the report, and of how many mistakes.
_NEAREST: Final = 3
_MISTAKES: Final = 100


def train_worker(config: dict[str, Job]) -> None:
    """Train, and on rank 0 leave weights, predictions and records in the run's directory."""
    worker = _worker(config["job"])
    others = other_splits(worker)  # before a recipe changes the network
    outcome = RECIPES[worker.job.config.recipe](worker)
    issues = find_issues(worker, outcome.probe_logits, others)
    if worker.ranks.first:
        _write(worker, outcome)
        write_issues(worker.job.directory / DATA_ISSUES, issues)
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
    if device.type == "cpu":
        fold_normalisation(network.backbone, network.architecture.image.size)
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


def _nearest(worker: Worker, outcome: Outcome) -> tuple[tuple[str, ...], ...]:
    """For each photo judged, the images nearest to it of other products; only of mistakes.

    Of the surest mistakes, which are those that a person looks at.
    """
    products = np.array([row.id for row in worker.photos.rows])
    images = [row.image or "" for row in worker.photos.rows]
    sureness, guesses = torch.softmax(outcome.logits, dim=1).max(dim=1)
    wrong = np.flatnonzero((guesses != worker.targets[outcome.rows]).numpy())
    surest = wrong[np.argsort(-sureness.numpy()[wrong], kind="stable")][:_MISTAKES]
    found: list[tuple[str, ...]] = [()] * len(outcome.rows)
    for place in surest.tolist():
        row = outcome.rows[place]
        similarity = outcome.embeddings @ outcome.embeddings[row]
        similarity[products == products[row]] = -np.inf
        order = np.argsort(-similarity, kind="stable")[:_NEAREST]
        found[place] = tuple(images[near] for near in order if np.isfinite(similarity[near]))
    return tuple(found)


def _learn_tags(worker: Worker, outcome: Outcome) -> dict[str, Any]:
    """Leave the tag model in the run, where there are tags; what run.json says of it."""
    tags = [row.tags for row in worker.photos.rows]
    if not any(tags):
        return {}
    config = worker.job.config
    if config.recipe == "probe":  # judged all photos
        aside = hold_out(*worker.groups, config.held_out, config.seed)
    else:
        aside = np.zeros(len(tags), dtype=np.bool_)
        aside[outcome.rows] = len(outcome.rows) < len(tags)
    learnt = learn_tags(outcome.embeddings, tags, np.flatnonzero(~aside), np.flatnonzero(aside))
    if learnt is None:
        return {}
    write_tag_model(worker.job.directory / TAGS, learnt.model)
    return learnt.to_json()


def _learn_pooling(worker: Worker, outcome: Outcome) -> CategoriseWeights:
    """What the parts of categorising weigh; the default where no photo was left out.

    A fine-tuning sets few photos aside; the probe beside it judges all of them out of fold, and the
    exponents that fit its answers suit those of the better network too.
    """
    rows, classes = worker.photos.rows, worker.job.classes
    tuned = worker.job.config.recipe != "probe"
    if tuned and len(outcome.rows) == len(rows):
        return CategoriseWeights()

    groups, seed = np.array(worker.groups[1]), worker.job.config.seed

    def learn(
        judged: NDArray[np.int64],
        logits: Tensor,
        embeddings: NDArray[np.float32],
        known: CategoriseWeights | None = None,
    ) -> CategoriseWeights:
        truth = [rows[row].category or "" for row in judged]
        tempered = (logits / fit_temperature(classes, logits.numpy(), truth)).numpy()
        return learn_pooling(rows, judged, tempered, embeddings, groups, classes, seed, known)

    known = None
    if tuned:
        known = learn(np.arange(len(rows)), outcome.probe_logits, outcome.probe_embeddings)
    return learn(outcome.rows, outcome.logits, outcome.embeddings, known)


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
        "categorise": _learn_pooling(worker, outcome).to_json(),
    }
    (job.directory / PREPARED / RESULT).write_text(json.dumps(result))
