"""What there is to train on."""

import torch


def has_bfloat16(device: str) -> bool:
    """Whether a device, ``cpu`` or ``cuda``, computes in bfloat16 and does not only emulate it."""
    if device != "cpu":
        return device == "cuda"
    found = torch.cpu.get_capabilities()
    return bool(found.get("avx512_bf16") or found.get("amx_bf16"))
