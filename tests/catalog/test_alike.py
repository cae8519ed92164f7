import numpy as np
import pytest

from catalog import alike
from catalog.alike import connected, nearest


@pytest.mark.parametrize("count", [1, 2, 7, 40])
def test_the_nearest_of_each_row_are_those_of_the_whole_matrix(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alike, "_BLOCK", 8)
    monkeypatch.setattr(alike, "_COLUMNS", 5)
    vectors = np.random.default_rng(0).standard_normal((count, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -np.inf)
    expected = {
        (row, int(other))
        for row in range(count)
        for other in np.argsort(-cosines[row])[:3]
        if cosines[row, other] >= 0.1
    }
    found = [
        pair
        for left, right in nearest(vectors, 3, 0.1)
        for pair in zip(left.tolist(), right.tolist(), strict=True)
    ]
    assert len(found) == len(set(found))
    assert set(found) == expected


def test_pairs_hold_groups_together() -> None:
    groups = connected(6, np.array([0, 1, 4]), np.array([1, 2, 5]))
    assert groups[0] == groups[1] == groups[2]
    assert groups[4] == groups[5] != groups[0]
    assert len(set(groups.tolist())) == 3
