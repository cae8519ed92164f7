import numpy as np

from train.photos import Joined, Photos


def numbered(first: int, count: int) -> np.ndarray:
    return (first + np.arange(count, dtype=np.uint8))[:, None, None, None].repeat(3, axis=3)


def test_joined_photos_are_numbered_one_after_the_other() -> None:
    joined = Joined(numbered(0, 3), numbered(10, 2))
    assert joined.shape == (5, 1, 1, 3)
    assert joined[np.array([4, 0, 3, 2])][:, 0, 0, 0].tolist() == [11, 0, 10, 2]
    assert joined[2:9][:, 0, 0, 0].tolist() == [2, 10, 11]


def test_photos_with_more_keep_their_numbers() -> None:
    few, others = (Photos((), pixels, pixels, "") for pixels in (numbered(0, 2), numbered(7, 1)))
    both = few.with_more(others)
    assert len(both.plain) == 3
    assert both.canvas[np.array([2, 1])][:, 0, 0, 0].tolist() == [7, 1]
