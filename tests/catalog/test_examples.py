from pathlib import Path

import numpy as np

from catalog.examples import Examples, read_examples, write_examples


def test_examples_come_back_as_they_were_and_are_found_nearest_first(tmp_path: Path) -> None:
    embeddings = np.eye(3, dtype=np.float32)
    images, categories = ("a.jpg", "b.jpg", "é.jpg"), ("A", "B/C", "D")
    examples = Examples(images, categories, embeddings, (b"1", b"", b"3"))
    write_examples(tmp_path / "examples.parquet", examples)
    found = read_examples(tmp_path / "examples.parquet")
    assert (found.images, found.categories) == (images, categories)
    assert found.photos == examples.photos
    np.testing.assert_array_equal(found.embeddings, embeddings)
    near = found.nearest(np.array([0.1, 0.2, 0.9], np.float32), 2)
    assert [one.image for one in near] == ["é.jpg", "b.jpg"]
    assert near[0].similarity == np.float32(0.9)
    assert near[0].photo == b"3"
