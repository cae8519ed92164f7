"""A bundle at work without HTTP: ONNX session, evaluation, import."""
