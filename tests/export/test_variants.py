import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from export.variants import Budget, Judge, Judged, compare, make_variants, run_graph


def same(fp32: Path, path: Path) -> None:
    shutil.copyfile(fp32, path)


def shuffled(fp32: Path, path: Path) -> None:
    """Another head and embedding: the classes in reverse."""
    model = onnx.load(fp32)
    for constant in model.graph.initializer:
        if constant.name.startswith(("network.head.", "network.embedding.weight")):
            value = numpy_helper.to_array(constant)[::-1]
            constant.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(value), constant.name))
    onnx.save(model, path)


@pytest.fixture
def graph(fp32: Path, tmp_path: Path) -> Path:
    return Path(shutil.copyfile(fp32, tmp_path / "fp32.onnx"))


def test_the_facts_are_the_measured_ones(graph: Path, judge: Judge) -> None:
    kept, refused = make_variants(graph, {"fp16": lambda path: same(graph, path)}, judge)
    assert set(kept) == {"fp32", "fp16"}
    assert refused == {}
    for _, facts in kept.values():
        assert facts["accuracy"] == facts["agreement"] == 1.0
        assert facts["embedding_cosine"] == pytest.approx(1.0)
        assert facts["photos"] == len(judge.photos)
        assert facts["images_per_second"] > 0


def test_a_variant_over_budget_is_left_out(graph: Path, judge: Judge) -> None:
    weak = Judge(judge.photos, judge.logits / 1000, judge.target, judge.temperature)
    kept, refused = make_variants(graph, {"fp16": lambda path: shuffled(graph, path)}, weak)
    assert set(kept) == {"fp32"}
    assert "photos, 1 are allowed" in refused["fp16"]


def test_a_variant_that_cannot_be_made_does_not_stop_the_export(graph: Path, judge: Judge) -> None:
    def fail(path: Path) -> None:
        raise ValueError("no such operator")

    kept, refused = make_variants(graph, {"int8": fail}, judge)
    assert set(kept) == {"fp32"}
    assert refused["int8"] == "it cannot be made (ValueError: no such operator)"


def test_an_answer_moves_by_what_the_variant_moves(graph: Path, judge: Judge) -> None:
    reference = run_graph(graph, judge.photos)
    probabilities = reference[0].copy()
    probabilities[0] = np.roll(probabilities[0], 1)
    found = compare(judge, reference, (probabilities, reference[1]))
    assert found.photos == len(judge.photos)
    assert found.lost in (0, 1)
    assert found.agreement == 1 - found.lost / found.photos
    flat = Judge(judge.photos, 0 * judge.logits, judge.target, 1.0)
    assert compare(flat, reference, reference).agreement == 1.0


@pytest.mark.parametrize(
    ("photos", "lost", "cosine", "kept"),
    [
        (150, 1, 1.0, True),
        (150, 2, 1.0, False),
        (1000, 5, 1.0, True),
        (1000, 6, 1.0, False),
        (1000, -3, 0.991, True),
        (1000, 0, 0.989, False),
    ],
)
def test_one_photo_or_the_share_may_be_lost_and_embeddings_stay_close(
    photos: int, lost: int, cosine: float, kept: bool
) -> None:
    judged = Judged(0.9, lost, photos, 0.99, cosine)
    assert (judged.excess(Budget(0.005, True)) == "") is kept
