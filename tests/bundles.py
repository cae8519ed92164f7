"""Bundles made from another."""

from pathlib import Path

from inference.bundle import read_bundle, write_bundle


def another(bundle: Path, directory: Path, **changes: object) -> Path:
    """A bundle with the same graph and other facts, so of another version."""
    found = read_bundle(bundle)
    files = {"version", "variants", "prototypes", "examples", "match"}
    fields = found.document.model_dump(exclude=files) | changes
    write_bundle(directory, fields, {"fp32": (found.graph("fp32"), {})})
    return directory
