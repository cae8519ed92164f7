"""Features of the frozen backbone, computed once and kept on disk."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from train.distributed import Ranks
from train.network import Network
from train.photos import Pixels

_BATCH = 32


def compute_features(
    network: Network,
    photos: Pixels,
    device: torch.device,
    *,
    rows: slice = slice(None),
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Tensor:
    """Pooled features of photos.

    Args:
        network: in evaluation mode, on ``device``.
        photos: uint8 [N, S, S, 3].
        device: where to compute.
        rows: which of the photos; all if not given.
        progress: called with photos done and in all.

    Returns:
        float32 [N, features], on the CPU.
    """
    network.eval()
    first, last, _ = rows.indices(len(photos))
    parts = []
    with torch.inference_mode():
        for start in range(first, last, _BATCH):
            stop = min(start + _BATCH, last)
            batch = torch.from_numpy(photos[start:stop]).to(device)
            parts.append(network.features(batch.permute(0, 3, 1, 2)).float().cpu())
            progress(stop - first, last - first)
    return torch.cat(parts) if parts else torch.zeros(0, network.architecture.features)


def shared_features(
    network: Network,
    photos: Pixels,
    device: torch.device,
    ranks: Ranks,
    file: Path,
    progress: Callable[[int, int], None],
) -> Tensor:
    """Features of every photo; each rank computes its part.

    Args:
        file: where they are kept; read when it is complete already.

    Returns:
        float32 [N, features].
    """
    shape = (len(photos), network.architecture.features)
    if not file.exists():
        unfinished = file.with_suffix(".unfinished.npy")
        if ranks.first:
            np.lib.format.open_memmap(unfinished, mode="w+", dtype=np.float32, shape=shape)
        ranks.wait()
        features = np.load(unfinished, mmap_mode="r+")
        rows = ranks.part(len(photos))
        own = compute_features(network, photos, device, rows=rows, progress=progress)
        features[rows] = own.numpy()
        features.flush()
        ranks.wait()
        if ranks.first:
            unfinished.rename(file)
        ranks.wait()
    return torch.from_numpy(np.load(file))
