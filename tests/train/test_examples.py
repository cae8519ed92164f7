from collections import Counter

import numpy as np

from catalog.manifest import Row
from train.examples import choose_examples
from train.photos import Photos


def photos(categories: list[str]) -> Photos:
    rows = tuple(
        Row(number, f"{number}.jpg", category, None, f"p{number}", None)
        for number, category in enumerate(categories)
    )
    pixels = np.zeros((len(rows), 8, 8, 3), np.uint8)
    return Photos(rows, pixels, pixels, "fingerprint")


def test_of_many_photos_those_kept_are_spread_over_the_classes() -> None:
    categories = ["Common"] * 3000 + ["Rare"] * 5
    targets = np.array([0] * 3000 + [1] * 5)
    embeddings = np.ones((3005, 2), np.float32)
    kept = choose_examples(photos(categories), embeddings, targets)
    assert Counter(kept.categories) == {"Common": 2043, "Rare": 5}
    assert len(kept.embeddings) == len(kept.photos) == 2048


def test_few_photos_are_all_kept_in_their_order() -> None:
    embeddings = np.eye(3, dtype=np.float32)
    kept = choose_examples(photos(["A", "B", "A"]), embeddings, np.array([0, 1, 0]))
    assert kept.images == ("0.jpg", "1.jpg", "2.jpg")
    np.testing.assert_array_equal(kept.embeddings, embeddings)
