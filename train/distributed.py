"""This worker's place among the workers, and what they do together."""

from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.distributed as dist
from torch import Tensor


@dataclass(frozen=True)
class Ranks:
    """Rank and number of the training workers; 0 of 1 where there is only this process."""

    rank: int = 0
    world: int = 1

    @property
    def first(self) -> bool:
        """Whether this worker writes the files."""
        return self.rank == 0

    def part(self, count: int) -> slice:
        """This rank's share of ``count`` rows; shares differ by at most one row."""
        return self.parts(count)[self.rank]

    def parts(self, count: int) -> list[slice]:
        """Every rank's share."""
        edges = [count * rank // self.world for rank in range(self.world + 1)]
        return [slice(start, stop) for start, stop in pairwise(edges)]

    def part_in_pairs(self, count: int, turn: int) -> slice:
        """This rank's share of a batch of ``count`` photos whose neighbours are never parted.

        Shares differ by at most a pair; who gets the larger ones goes round with ``turn``.
        """
        pairs = self.parts((count + 1) // 2)[(self.rank + turn) % self.world]
        return slice(2 * pairs.start, min(2 * pairs.stop, count))

    def sum(self, tensor: Tensor) -> Tensor:
        """Sum over all ranks, in place."""
        if self.world > 1:
            dist.all_reduce(tensor)
        return tensor

    def longest(self, seconds: float) -> float:
        """The largest of all ranks' values, so that all take the same decision."""
        value = torch.tensor(seconds, dtype=torch.float64)
        if self.world > 1:
            dist.all_reduce(value, op=dist.ReduceOp.MAX)
        return float(value)

    def wait(self) -> None:
        """Until all ranks are here."""
        if self.world > 1:
            dist.barrier()
