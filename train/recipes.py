"""The recipes: how a worker comes from labelled photos, and others, to a trained network."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from catalog.calibration import best_temperature
from catalog.familiarity import familiarity
from train.cross_validation import judge_out_of_fold
from train.discriminant import fit_discriminant, joined
from train.embedding import embed, fit_embedding
from train.features import shared_features
from train.finetune import Task
from train.finished import finished_features
from train.probe import DECAYS, Head
from train.progress import Step
from train.prototypes import fit_prototypes
from train.pseudo_labels import SELF_TRAININGS, surest
from train.selfsupervised import adapt_backbone
from train.soup import elapsed, fine_tune_soup, seconds_until
from train.split import hold_out
from train.worker import PREPARED, Worker

# Of the budget, when the adaptation of the backbone ends.
_ADAPTED: Final = 0.35
# Of the probe that is judged beside a fine-tuning.
_PENALTY: Final = 10.0


@dataclass(frozen=True)
class Outcome:
    """What a recipe leaves beside the network's weights.

    Attributes:
        rows: int64 [M], photos that were judged by a model that was not trained on them.
        logits: float32 [M, classes] of those.
        familiarity: float32 [M], their cosine to the nearest prototype of photos trained on.
        embeddings: float32 [N, D], unit length, of all labelled photos.
        records: what happened, for run.json.
        restarts: epochs that training went on from after a stop.
        probe_logits: float32 [N, classes], of all labelled photos, by the probe out of fold.
        probe_embeddings: as ``embeddings``, of the backbone as it was pretrained.
    """

    rows: NDArray[np.int64]
    logits: Tensor
    familiarity: NDArray[np.float32]
    embeddings: NDArray[np.float32]
    records: list[dict[str, Any]]
    restarts: list[int]
    probe_logits: Tensor
    probe_embeddings: NDArray[np.float32]


def probe(worker: Worker) -> Outcome:
    """Out-of-fold predictions choose penalty and shares; then one head on everything."""
    found = judge_out_of_fold(
        worker,
        DECAYS,
        lambda fold, used: worker.progress(Step("probe", fold, used + 1, f"fold {fold}/{used}")),
    )
    blend = found.blend(worker.targets)
    features, targets = worker.features, worker.targets
    everything = np.arange(len(targets))
    learnt = worker.heads(everything, DECAYS)[blend.penalty]
    discriminant = fit_discriminant(features, targets, worker.job.classes)
    head = joined(learnt, discriminant, features, blend.share)
    head.at_temperature(blend.temperature).load_into(worker.network)
    record = {
        "phase": "probe",
        "penalty": DECAYS[blend.penalty],
        "regression_share": blend.share,
        "folds": found.used,
    }
    note = f"penalty {record['penalty']:g}, regression's share {blend.share:g}"
    worker.progress(Step("probe", found.used + 1, found.used + 1, note))
    fit_embedding(worker.network, features)
    embeddings = embed(worker.network, features)
    near = np.zeros(len(everything), np.float32)
    for aside, rest in found.parts():
        prototypes = fit_prototypes(embeddings[rest], targets.numpy()[rest])
        near[aside] = familiarity(embeddings[aside], prototypes)
    _keep_prototypes(worker, embeddings)
    return Outcome(
        everything, blend.logits, near, embeddings, [record], [], blend.logits, embeddings
    )


def finetune(worker: Worker) -> Outcome:
    """The probe's head first, then the network, judged on the photos set aside."""
    return _fine_tuned(worker, _task(worker))


def transductive(worker: Worker) -> Outcome:
    """Fine-tune, and let the head learn from the unlabelled photos that it is the surest of."""
    assert worker.unlabelled is not None  # the driver has checked
    task = _task(worker)
    return _fine_tuned(worker, replace(task, photos=worker.photos.with_more(worker.unlabelled)))


def unsupervised(worker: Worker) -> Outcome:
    """Adapt the backbone to all photos without their labels, then fine-tune."""
    photos = worker.photos
    if worker.unlabelled is not None:
        photos = photos.with_more(worker.unlabelled)
    records: list[dict[str, Any]] = []

    def adapted() -> dict[str, Tensor]:
        until = seconds_until(worker, _ADAPTED)
        records.extend(
            adapt_backbone(
                worker.network,
                photos,
                worker.ranks,
                worker.device,
                seed=worker.job.config.seed,
                epochs=worker.job.config.epochs,
                seconds=None if until is None else until - elapsed(worker),
                progress=worker.progress,
            )
        )
        return {key: value.cpu() for key, value in worker.network.backbone.state_dict().items()}

    worker.network.backbone.load_state_dict(worker.once("adapted.pt", adapted))
    features = shared_features(
        worker.network,
        worker.photos.plain,
        worker.device,
        worker.ranks,
        worker.job.directory / PREPARED / "adapted_features.npy",
        lambda done, total: worker.progress(Step("features", done, total)),
    )
    outcome = finetune(replace(worker, features=features))
    return replace(outcome, records=[*records, *outcome.records])


RECIPES: Final[dict[str, Callable[[Worker], Outcome]]] = {
    "probe": probe,
    "finetune": finetune,
    "transductive": transductive,
    "unsupervised": unsupervised,
}


def _task(worker: Worker) -> Task:
    """What is learnt, and what is set aside to judge it."""
    config = worker.job.config
    aside = hold_out(*worker.groups, config.held_out, config.seed)
    train = np.flatnonzero(~aside)
    if not aside.any():
        aside = ~aside  # too few to spare one; the driver notes it
    weights = worker.class_weights(worker.targets[train])
    return Task(worker.photos, worker.targets, train, np.flatnonzero(aside), weights)


def _fine_tuned(worker: Worker, task: Task) -> Outcome:
    _start(worker, task)
    records, restarts = fine_tune_soup(worker, task)
    return _outcome(worker, task, records, restarts)


def _start(worker: Worker, task: Task) -> None:
    """Give the network a head on the features of its backbone, where fine-tuning begins.

    The head with the strongest penalty: it is the least sure of itself, so its first gradients on
    augmented photos leave the backbone's features whole.
    """
    worker.heads(task.train, DECAYS[:1])[0].load_into(worker.network)


def _outcome(
    worker: Worker, task: Task, records: list[dict[str, Any]], restarts: list[int]
) -> Outcome:
    found = judge_out_of_fold(
        worker,
        (_PENALTY,),
        lambda fold, used: worker.progress(Step("probe, for comparison", fold, used)),
    )
    blend = found.blend(worker.targets)
    learnt = Head.of(worker.network)
    features, views = finished_features(worker, task.photos)
    labelled, unlabelled = features[: len(worker.targets)], features[len(worker.targets) :]

    def fitted(rows: NDArray[np.int64], targets: Tensor) -> Head:
        seen = features[rows]
        seen_views = [view[rows] for view in views]
        discriminant = fit_discriminant(seen, targets, worker.job.classes, seen_views)
        return joined(learnt, discriminant, seen, blend.share)

    def refitted(rows: NDArray[np.int64]) -> Head:
        targets = task.targets[rows]
        head = fitted(rows, targets)
        for _ in range(SELF_TRAININGS if len(unlabelled) else 0):
            sure, guesses = surest(head(unlabelled))
            more = len(labelled) + sure.numpy()
            head = fitted(np.concatenate([rows, more]), torch.cat([targets, guesses]))
        return head

    logits = refitted(task.train)(features[task.held_out])
    held_out = task.targets[task.held_out]
    temperature = best_temperature(logits.numpy(), held_out.numpy())
    everything = refitted(np.union1d(task.train, task.held_out))
    everything.at_temperature(temperature).load_into(worker.network)
    fit_embedding(worker.network, worker.features)
    probe_embeddings = embed(worker.network, worker.features)
    fit_embedding(worker.network, labelled)
    embeddings = embed(worker.network, labelled)
    prototypes = fit_prototypes(embeddings[task.train], worker.targets.numpy()[task.train])
    near = familiarity(embeddings[task.held_out], prototypes)
    _keep_prototypes(worker, embeddings)
    record = {
        "phase": "head",
        "learnt_share": blend.share,
        "views": len(views),
        "unlabelled": len(unlabelled),
    }
    return Outcome(
        task.held_out,
        logits / temperature,
        near,
        embeddings,
        [*records, record],
        restarts,
        blend.logits,
        probe_embeddings,
    )


def _keep_prototypes(worker: Worker, embeddings: NDArray[np.float32]) -> None:
    """Prototypes of all photos, those set aside with them, go with the weights."""
    prototypes = fit_prototypes(embeddings, worker.targets.numpy())
    worker.network.keep_prototypes(torch.from_numpy(prototypes).to(worker.device))
