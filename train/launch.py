"""Training workers on the Ray cluster that is joined."""

from pathlib import Path

import ray
import ray.train
from ray.train.torch import TorchConfig, TorchTrainer

from catalog.errors import DeviceUnavailable, InvalidRequest
from train.config import TrainConfig
from train.entry import train_worker
from train.environment import WORKER_ENVIRONMENT
from train.worker import Job

STORAGE = "ray"
_RESTARTS = 3


def run_workers(
    directory: Path, name: str, config: TrainConfig, classes: tuple[str, ...], started: float
) -> None:
    """Run `train_worker` on every worker; a worker that dies is replaced up to three times.

    Raises:
        DeviceUnavailable: a GPU was asked for and the cluster has too few.
        InvalidRequest: more workers than the cluster has CPUs.
    """
    resources = ray.cluster_resources()
    gpus, cpus = int(resources.get("GPU", 0)), int(resources.get("CPU", 1))
    use_gpu = config.device == "cuda" or (config.device == "auto" and gpus >= config.workers)
    if use_gpu and gpus < config.workers:
        raise DeviceUnavailable(
            f"{config.workers} GPUs are needed, one per worker, and Ray has {gpus}.",
            where="--device",
            fix="Use --device cpu, or fewer --workers.",
        )
    if config.workers < 1 or config.workers > cpus:
        raise InvalidRequest(
            f"{config.workers} workers do not fit into the {cpus} CPUs that Ray has.",
            where="--workers",
        )
    threads = max(1, cpus // config.workers)
    job = Job(directory, config, classes, threads, started)
    TorchTrainer(
        train_worker,
        train_loop_config={"job": job},
        torch_config=TorchConfig(backend="cpu:gloo,cuda:nccl" if use_gpu else "gloo"),
        scaling_config=ray.train.ScalingConfig(
            num_workers=config.workers,
            use_gpu=use_gpu,
            resources_per_worker={"CPU": threads, **({"GPU": 1} if use_gpu else {})},
        ),
        run_config=ray.train.RunConfig(
            name=name,
            storage_path=str(directory / STORAGE),
            failure_config=ray.train.FailureConfig(max_failures=_RESTARTS),
            checkpoint_config=ray.train.CheckpointConfig(num_to_keep=1),
            # Ray's types show the older class under this name.
            worker_runtime_env={"env_vars": WORKER_ENVIRONMENT},  # type: ignore[call-arg]
        ),
    ).fit()
