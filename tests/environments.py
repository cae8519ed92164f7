"""Pythons with packages that the project itself has no use for."""

_CLIENT = "tritonclient[http]==2.73.0"
TRITON_PYTHON = (".venv/bin/uv", "run", "--quiet", "--no-project", "--with", _CLIENT, "python")
