from pathlib import Path

import numpy as np
import pytest

from bench.serving.open_loop import Shots
from bench.serving.overload import percentile, rate_of_200
from bench.serving.scaling import draw as draw_scaling
from bench.serving.scaling import small
from bench.serving.soak import Memory
from bench.serving.soak import draw as draw_memory
from bench.serving.stand_in import mark, marked
from catalog.images import ImageSpec, decode
from tests.colours import COLOURS, colour_photo


def shots(seconds: list[float], status: list[int]) -> Shots:
    count = len(seconds)
    none = np.full(count, np.nan)
    return Shots(
        due=np.arange(count, dtype=float),
        late=np.zeros(count),
        status=np.array(status, dtype=np.int16),
        seconds=np.array(seconds),
        after_body=np.array(seconds),
        retry_after=none,
        problem=np.zeros(count, dtype=bool),
        began=0.0,
        cpu_s=0.0,
    )


def test_a_request_without_an_answer_is_the_slowest() -> None:
    assert percentile(shots([0.1] * 98 + [np.nan] * 2, [200] * 98 + [0] * 2), 99) == np.inf
    assert percentile(shots([0.1] * 100, [200] * 100), 99) == pytest.approx(0.1)


def test_only_answers_that_came_in_time_count_for_the_throughput() -> None:
    found = shots([0.1, 0.1, 9.0, 0.1], [200, 503, 200, 200])
    assert rate_of_200(found, seconds=4.0) == 0.5


def test_growth_counts_from_minute_one_and_ignores_a_peak() -> None:
    seconds = np.arange(0, 600.0)
    tree = np.where(seconds < 60, 1.0, 2.0)
    tree[300] = 50
    tree[580:] = 2.1
    assert Memory(seconds, tree, tree).growth(tree) == pytest.approx(0.05)


@pytest.mark.parametrize("path", COLOURS)
def test_only_marked_photos_are_taken_for_marked_after_decoding(path: str) -> None:
    photo = colour_photo(path)
    spec = ImageSpec(size=224, crop=0.875, mean=(127, 127, 127), std=(128, 128, 128))
    images = np.stack([decode(one, spec) for one in (photo, mark(photo))])
    assert marked(images).tolist() == [False, True]


def test_small_copies_keep_the_shape_and_weigh_little() -> None:
    assert len(small(colour_photo("Warm/Red"))) < 5_000


def test_pictures_are_drawn(tmp_path: Path) -> None:
    draw_scaling({1: 10.0, 2: 19.0}, tmp_path / "new" / "scaling.png")
    seconds = np.arange(0, 60.0)
    draw_memory(Memory(seconds, seconds, seconds), tmp_path / "soak.png")
    assert (tmp_path / "new" / "scaling.png").stat().st_size > 1_000
    assert (tmp_path / "soak.png").stat().st_size > 1_000
