from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx.shape_inference import infer_shapes

from export.equalise import equalise, see_channels
from export.variants import run_graph
from export.wiring import Wiring


def test_an_equalised_graph_computes_the_same(
    fp32: Path, photos: NDArray[np.uint8], tmp_path: Path
) -> None:
    model = infer_shapes(onnx.load(fp32))
    before = see_channels(model, sorted(Wiring.of(model).maps), photos[:4])
    predicted = equalise(model, before)
    onnx.save(model, tmp_path / "even.onnx")
    for left, right in zip(
        run_graph(fp32, photos[:8]), run_graph(tmp_path / "even.onnx", photos[:8]), strict=True
    ):
        np.testing.assert_allclose(left, right, atol=1e-4)
    changed = [name for name in before if not np.allclose(before[name].high, predicted[name].high)]
    assert changed
    seen = see_channels(model, changed, photos[:4])
    for name in changed:
        np.testing.assert_allclose(seen[name].high, predicted[name].high, rtol=0.01, atol=0.01)
