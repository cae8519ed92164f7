import numpy as np
from numpy.typing import NDArray

from train.near_duplicates import group_photos

_WIDTH = 64


def _features(photos: int) -> NDArray[np.float32]:
    return np.random.default_rng(0).normal(size=(photos, _WIDTH)).astype(np.float32)


def test_photos_that_look_nearly_the_same_share_a_group() -> None:
    features = _features(6)
    features[4] = features[1] + 0.1 * features[4]
    groups = group_photos(features, ["a"] * 6, list("pqrstu"))
    assert groups[4] == groups[1]
    assert len(set(groups.tolist())) == 5


def test_photos_of_one_product_share_a_group() -> None:
    groups = group_photos(_features(4), ["a"] * 4, ["p", "q", "p", "r"])
    assert groups[0] == groups[2]
    assert len(set(groups.tolist())) == 3


def test_photos_are_grouped_through_others_between_them() -> None:
    features = _features(40)
    for row in range(1, 6):
        features[row] = features[row - 1] + 0.5 * features[row]
    first, last = features[0], features[5]
    assert first @ last < 0.8 * np.linalg.norm(first) * np.linalg.norm(last)
    products = [str(row) for row in range(38)] + ["0", "5"]
    groups = group_photos(features, ["a"] * 40, products)
    assert len(set(groups[[0, 1, 2, 3, 4, 5, 38, 39]].tolist())) == 1


def test_photos_of_two_categories_never_share_a_group() -> None:
    features = _features(4)
    features[1] = features[0]
    groups = group_photos(features, ["a", "b", "a", "b"], list("pqrs"))
    assert groups[0] != groups[1]


def test_many_photos_of_one_category_are_compared_in_blocks() -> None:
    features = _features(5000)
    features[4999] = features[0]
    groups = group_photos(features, ["a"] * 5000, [str(row) for row in range(5000)])
    assert groups[4999] == groups[0]
    assert len(set(groups.tolist())) == 4999


def test_a_category_whose_products_all_look_alike_is_split_by_product() -> None:
    features = _features(60)
    features[:8] = features[0] + 0.1 * features[:8]
    products = ["p", "p", "q", "q", "r", "r", "s", "s", *map(str, range(52))]
    groups = group_photos(features, ["a"] * 8 + ["b"] * 52, products)
    assert groups[:8].tolist() == np.repeat(groups[:8:2], 2).tolist()
    assert len(set(groups[:8].tolist())) == 4
