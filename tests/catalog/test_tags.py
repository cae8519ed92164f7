from pathlib import Path

import numpy as np
import pytest

from catalog.manifest import read_manifest
from catalog.tags import TagModel, read_tag_model, split_tags, write_tag_model

_MODEL = TagModel(
    ("red", "round"),
    np.array([[10, 0], [0, 10]], np.float32),
    np.array([0, -5], np.float32),
)


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("", ()),
        ("red", ("red",)),
        ("round, red", ("red", "round")),
        ("red; round |  very  old ; red,", ("red", "round", "very old")),
        ('["red", "one, two"]', ("one, two", "red")),
        ("[red", ("[red",)),
    ],
)
def test_tags_are_read_from_a_cell(text: str, tags: tuple[str, ...]) -> None:
    assert split_tags(text) == tags


def test_probabilities_of_tags_do_not_depend_on_each_other() -> None:
    both, none = _MODEL.probabilities(np.array([[1, 1], [-1, -1]], np.float32))
    assert (both > 0.99).all()
    assert (none < 0.01).all()


def test_the_likeliest_tags_come_first() -> None:
    ranked = _MODEL.ranked(np.array([0.1, 1.0], np.float32), 5)
    assert [tag for tag, _ in ranked] == ["round", "red"]
    assert ranked[0][1] == pytest.approx(1 / (1 + np.exp(-5)), abs=1e-6)


def test_a_tag_model_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_tag_model(tmp_path / "tags.npz", _MODEL)
    read = read_tag_model(tmp_path / "tags.npz")
    assert read.names == _MODEL.names
    assert (read.weight == _MODEL.weight).all()
    assert (read.bias == _MODEL.bias).all()


def test_a_manifests_tags_are_read_and_stay_an_attribute(tmp_path: Path) -> None:
    table = tmp_path / "shop.csv"
    table.write_text('image,category,tags\na.jpg,Toys,"wood; red"\nb.jpg,Toys,\n')
    first, second = read_manifest(str(table)).rows
    assert first.tags == ("red", "wood")
    assert first.attributes == {"tags": "wood; red"}
    assert second.tags == ()
