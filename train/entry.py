"""What Ray Train runs in each process."""

import json

import ray.train
import ray.train.torch
import torch

from catalog.examples import write_examples
from train.distributed import Ranks
from train.embedding import embedding_width
from train.examples import choose_examples
from train.features import shared_features
from train.network import new_network, save_network
from train.photos import open_photos
from train.progress import ProgressWriter, Step
from train.recipes import RECIPES, Outcome
from train.run import EXAMPLES, WEIGHTS, HeldOut, write_predictions
from train.worker import PREPARED, PROGRESS, RESULT, UNLABELLED, Job, Worker


def train_worker(config: dict[str, Job]) -> None:
    """Train, and on rank 0 leave weights, predictions and records in the run's directory."""
    worker = _worker(config["job"])
    outcome = RECIPES[worker.job.config.recipe](worker)
    if worker.ranks.first:
        _write(worker, outcome)
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
        ),
    )
    examples = choose_examples(worker.photos, outcome.embeddings, worker.targets.numpy())
    write_examples(job.directory / EXAMPLES, examples)
    network.cpu().to(memory_format=torch.contiguous_format)
    save_network(network, job.directory / WEIGHTS)
    result = {
        "architecture": network.architecture.to_json(),
        "records": outcome.records,
        "restarts": outcome.restarts,
    }
    (job.directory / PREPARED / RESULT).write_text(json.dumps(result))
