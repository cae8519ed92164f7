from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from export.int8 import write_int8
from export.variants import check_batches, run_graph
from inference.bundle import Bundle
from inference.devices import has_int8_instructions


@pytest.fixture(scope="module")
def int8(
    fp32: Path,
    bundle: Bundle,
    photos: NDArray[np.uint8],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    path = tmp_path_factory.mktemp("int8") / "int8.onnx"
    write_int8(fp32, path, bundle.document.image, photos[:8])
    return path


def described(graph: Path) -> list[str]:
    model = onnx.load(graph).graph
    return [str(value) for value in (*model.input, *model.output)]


def test_int8_has_the_inputs_and_outputs_of_fp32(fp32: Path, int8: Path) -> None:
    assert described(int8) == described(fp32)
    assert int8.stat().st_size < 0.5 * fp32.stat().st_size


@pytest.mark.skipif(
    not has_int8_instructions(), reason="sums of int8 products saturate on this CPU"
)
def test_int8_answers_as_fp32_on_photos_it_was_not_calibrated_on(
    fp32: Path, int8: Path, photos: NDArray[np.uint8]
) -> None:
    expected, embeddings = run_graph(fp32, photos[8:])
    actual, ours = run_graph(int8, photos[8:])
    assert (actual.argmax(axis=1) == expected.argmax(axis=1)).all()
    assert (embeddings * ours).sum(axis=1).min() > 0.98
    np.testing.assert_allclose(np.linalg.norm(ours, axis=1), 1, atol=1e-5)


def test_int8_answers_alike_at_every_batch_size(int8: Path, photos: NDArray[np.uint8]) -> None:
    check_batches(int8, photos)
    whole, _ = run_graph(int8, photos[:16])
    for size in (1, 2, 7, 16):
        part, _ = run_graph(int8, photos[:size])
        np.testing.assert_allclose(part, whole[:size], atol=1e-4)


def test_every_convolution_reads_and_writes_eight_bits(int8: Path) -> None:
    graph = onnx.load(int8).graph
    maker = {name: node.op_type for node in graph.node for name in node.output}
    readers = {name: node.op_type for node in graph.node for name in node.input}
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    assert len(convolutions) == 49
    assert all(maker[name] == "DequantizeLinear" for node in convolutions for name in node.input)
    assert all(readers[node.output[0]] == "QuantizeLinear" for node in convolutions)
    assert not [node for node in graph.node if node.op_type in ("Cast", "Sub")]
