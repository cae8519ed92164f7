"""The one way in which an export runs graphs: on the CPU, without ONNX Runtime's warnings."""

from pathlib import Path

import onnxruntime as ort
from onnx import ModelProto


def cpu_session(graph: Path | ModelProto) -> ort.InferenceSession:
    """A session on a graph in a file or in memory, on all cores."""
    options = ort.SessionOptions()
    options.log_severity_level = 3
    source = str(graph) if isinstance(graph, Path) else graph.SerializeToString()
    return ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])
