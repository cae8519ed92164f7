"""Fine-tunings of a run: each goes on after a stop, and several make one network.

A model soup (Wortsman et al. 2022, arXiv:2203.05482): fine-tunings from the same first weights, in
another order and with other crops, end in one valley; the mean of their weights lies lower in it
than each of them, and costs no more to serve than one.
"""

import copy
import time
from dataclasses import replace
from functools import partial
from typing import Any, Final

import torch
from torch import Tensor

from train.budget import parse_budget
from train.finetune import FineTuning, Learning, Task
from train.finished import view_count
from train.worker import Worker, checkpoint, last_checkpoint

# Of the time of the last one: what another must find left of the budget, with what comes after it.
_ROOM: Final = 1.2


def fine_tune_soup(worker: Worker, task: Task) -> tuple[list[dict[str, Any]], list[int]]:
    """Fine-tune as often as the budget allows, at most `soup` times, and average the weights.

    Args:
        worker: whose network has the weights to begin with, and ends with the average.
        task: what to learn.

    Returns:
        records of every epoch, and the epochs that were gone on from after a stop.
    """
    first = copy.deepcopy(worker.network.state_dict())
    members: list[dict[str, Any]] = []
    for number in range(max(1, worker.job.config.soup)):
        if members and not _room_for_another(worker, members[-1]["seconds"]):
            break
        worker.network.load_state_dict(first)
        trained = partial(_trained, worker, task, number)
        members.append(worker.once(f"member{number}.pt", trained))
    averaged = _mean([member["weights"] for member in members])
    worker.network.load_state_dict(averaged, strict=False)
    return (
        [record for member in members for record in member["records"]],
        [epoch for member in members for epoch in member["restarts"]],
    )


def _fine_tune(worker: Worker, task: Task, stage: str, seed: int) -> tuple[Learning, list[int]]:
    """From the network's present weights, or from this stage's checkpoint.

    Returns:
        what was learnt, and the epochs it went on from after a stop.
    """
    config = worker.job.config
    learning = Learning.start(worker.network, config)
    restarts: list[int] = []
    state = last_checkpoint(worker.device)
    if state is not None and state["stage"] == stage:
        learning.load(state)
        restarts = [*state["restarts"], learning.epoch]

    def keep(now: Learning) -> None:
        metrics = {key: now.records[-1][key] for key in ("epoch", "held_out_top1")}
        whole = {**now.state(), "restarts": restarts, "stage": stage}
        checkpoint(whole, metrics, worker.ranks)

    FineTuning(
        task,
        replace(config, seed=seed),
        worker.ranks,
        worker.device,
        budget=seconds_until(worker, 1.0),
        elapsed=max(0.0, elapsed(worker) - learning.seconds),
        progress=lambda step: worker.progress(replace(step, phase=stage)),
        checkpoint=keep,
        afterwards=1 + view_count(len(task.photos.rows)),
    ).run(learning)
    worker.network.load_state_dict(learning.best, strict=False)
    return learning, restarts


def seconds_until(worker: Worker, share: float) -> float | None:
    """Seconds from the run's start to that share of its budget; None without a budget."""
    budget = worker.job.config.budget
    return None if budget is None else share * parse_budget(budget)


def elapsed(worker: Worker) -> float:
    """Seconds since the run started."""
    return time.time() - worker.job.started


def _trained(worker: Worker, task: Task, number: int) -> dict[str, Any]:
    seed = worker.job.config.seed + number * 1_000_003
    stage = "finetune" if number == 0 else f"finetune, {number + 1}"
    learning, restarts = _fine_tune(worker, task, stage, seed)
    return {
        "weights": {key: value.cpu() for key, value in learning.best.items()},
        "records": [{**record, "member": number + 1} for record in learning.records],
        "restarts": restarts,
        "seconds": learning.seconds,
    }


def _room_for_another(worker: Worker, seconds: float) -> bool:
    budget = seconds_until(worker, 1.0)
    if budget is None:
        return False
    return worker.ranks.longest(elapsed(worker)) + _ROOM * seconds <= budget


def _mean(members: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    return {key: torch.stack([member[key] for member in members]).mean(dim=0) for key in members[0]}
