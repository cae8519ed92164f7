from hypothesis import given
from hypothesis import strategies as st

from train.distributed import Ranks


@given(st.integers(0, 70), st.integers(1, 5), st.integers(0, 9))
def test_ranks_share_a_batch_without_parting_neighbours(count: int, world: int, turn: int) -> None:
    parts = [Ranks(rank, world).part_in_pairs(count, turn) for rank in range(world)]
    assert sorted(row for part in parts for row in range(count)[part]) == list(range(count))
    assert all(part.start % 2 == 0 for part in parts)


def test_over_an_epoch_every_rank_sees_its_share() -> None:
    seen = [
        sum(len(range(31)[Ranks(rank, 3).part_in_pairs(31, step)]) for step in range(30))
        for rank in range(3)
    ]
    assert sum(seen) == 30 * 31
    assert max(seen) - min(seen) <= 2
