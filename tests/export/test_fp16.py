from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto

from export.fp16 import write_fp16
from export.variants import run_graph


def test_fp16_keeps_input_and_output_types_and_the_answers(
    fp32: Path, photos: NDArray[np.uint8], tmp_path: Path
) -> None:
    path = tmp_path / "fp16.onnx"
    write_fp16(fp32, path)
    before, after = onnx.load(fp32).graph, onnx.load(path).graph
    assert list(before.input) == list(after.input)
    assert list(before.output) == list(after.output)
    expected, embeddings = run_graph(fp32, photos)
    actual, ours = run_graph(path, photos)
    assert (actual.argmax(axis=1) == expected.argmax(axis=1)).all()
    assert (embeddings * ours).sum(axis=1).min() > 0.999


def test_head_and_embedding_stay_float32(fp32: Path, tmp_path: Path) -> None:
    path = tmp_path / "fp16.onnx"
    write_fp16(fp32, path)
    types = {constant.name: constant.data_type for constant in onnx.load(path).graph.initializer}
    assert types["network.head.weight"] == TensorProto.FLOAT
    assert types["network.embedding.weight"] == TensorProto.FLOAT
    assert TensorProto.FLOAT16 in types.values()
