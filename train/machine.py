"""What there is to train on."""

import os
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Machine:
    """What a training may use.

    Attributes:
        cores: CPU cores.
        bfloat16: whether they compute in it.
        gpus: number of GPUs.
    """

    cores: int
    bfloat16: bool
    gpus: int = 0

    @property
    def speed(self) -> float:
        """Training steps in the time of one on two cores with bfloat16."""
        if self.gpus:
            return 100.0 * self.gpus
        return self.cores / 2 * (1.0 if self.bfloat16 else 0.45)


def this_machine(device: str) -> Machine:
    """What a training on ``device`` (auto, cpu or cuda) has on this machine."""
    gpus = 0 if device == "cpu" else torch.cuda.device_count()
    return Machine(os.cpu_count() or 1, has_bfloat16("cpu"), gpus)


def has_bfloat16(device: str) -> bool:
    """Whether a device, ``cpu`` or ``cuda``, computes in bfloat16 and does not only emulate it."""
    if device != "cpu":
        return device == "cuda"
    found = torch.cpu.get_capabilities()
    return bool(found.get("avx512_bf16") or found.get("amx_bf16"))
