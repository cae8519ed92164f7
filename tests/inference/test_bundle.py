import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from catalog.errors import InvalidBundle
from catalog.match import DEFAULT_MATCH_MODEL
from catalog.names import DEFAULT_NAME_MODEL
from catalog.names.categories import write_name_categories
from inference.bundle import Bundle, read_bundle, rewrite_match, write_bundle
from train.name_categories import learn_name_categories


@pytest.fixture
def copy(tiny_bundle: Path, tmp_path: Path) -> Path:
    """A bundle that may be changed."""
    return Path(shutil.copytree(tiny_bundle, tmp_path / "copy"))


def change(bundle: Path, **fields: Any) -> None:
    document = json.loads((bundle / "bundle.json").read_text())
    (bundle / "bundle.json").write_text(json.dumps(document | fields))


def fields_of(bundle: Bundle) -> dict[str, Any]:
    """Of its document, what `write_bundle` does not make itself."""
    made = {"version", "variants", "schema_version", "prototypes", "match", "names"}
    files = {"examples", "tags", "name_categories"}
    return {key: value for key, value in dict(bundle.document).items() if key not in made | files}


def test_a_bundle_reads_as_it_was_written(bundle: Bundle) -> None:
    document = bundle.document
    assert document.classes == ("Cool/Blue", "Cool/Green", "Warm/Red", "Warm/Yellow")
    assert document.image.size == 224
    assert document.embedding_dimension == 32
    assert bundle.graph("fp32").name == "model.fp32.onnx"
    assert bundle.tree.classes == document.classes
    assert bundle.match_model.to_json() == document.match


def test_a_copied_bundle_reads_the_same(copy: Path, bundle: Bundle) -> None:
    assert read_bundle(str(copy)).document == bundle.document


@pytest.mark.parametrize("position", [0, 1_000_000, -1])
def test_a_changed_byte_in_the_graph_is_refused(copy: Path, position: int) -> None:
    graph = copy / "model.fp32.onnx"
    content = bytearray(graph.read_bytes())
    content[position] ^= 1
    graph.write_bytes(content)
    with pytest.raises(InvalidBundle, match="variant fp32 was changed") as caught:
        read_bundle(copy)
    assert caught.value.where == str(graph)


def test_a_missing_graph_is_refused(copy: Path) -> None:
    (copy / "model.fp32.onnx").unlink()
    with pytest.raises(InvalidBundle, match="variant fp32 cannot be read"):
        read_bundle(copy)


@pytest.mark.parametrize(
    "fields",
    [
        {"temperature": 2.0},
        {"classes": ["Cool/Blue", "Cool/Green", "Warm/Red", "Warm/Orange"]},
        {"thresholds": {"certainty": 0.5, "unknown": 0.3}},
        {"provenance": {}},
        {"version": "0" * 16},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_a_changed_document_is_refused(copy: Path, fields: dict[str, Any]) -> None:
    change(copy, **fields)
    with pytest.raises(InvalidBundle, match="changed after export"):
        read_bundle(copy)


def test_another_checksum_does_not_hide_another_graph(copy: Path) -> None:
    document = json.loads((copy / "bundle.json").read_text())
    document["variants"]["fp32"]["sha256"] = "0" * 64
    (copy / "bundle.json").write_text(json.dumps(document))
    with pytest.raises(InvalidBundle, match="changed after export"):
        read_bundle(copy)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"schema_version": 2}, "schema_version"),
        ({"surprise": 1}, "surprise"),
        ({"temperature": 0}, "temperature"),
        ({"classes": []}, "classes"),
        ({"variants": {}}, "variants"),
        ({"thresholds": {"certainty": 2, "unknown": 0}}, "thresholds.certainty"),
    ],
)
def test_a_document_of_another_shape_is_refused_with_the_field(
    copy: Path, fields: dict[str, Any], named: str
) -> None:
    change(copy, **fields)
    with pytest.raises(InvalidBundle, match=f"field '{named}'"):
        read_bundle(copy)


@pytest.mark.parametrize("file", ["../model.onnx", "/etc/passwd", "..", ""])
def test_a_graph_outside_the_bundle_is_refused(copy: Path, file: str) -> None:
    document = json.loads((copy / "bundle.json").read_text())
    document["variants"]["fp32"]["file"] = file
    (copy / "bundle.json").write_text(json.dumps(document))
    with pytest.raises(InvalidBundle, match=r"field 'variants\.fp32\.file'"):
        read_bundle(copy)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"null"])
def test_a_document_that_is_no_json_object_is_refused(copy: Path, content: bytes) -> None:
    (copy / "bundle.json").write_bytes(content)
    with pytest.raises(InvalidBundle):
        read_bundle(copy)


def test_a_directory_without_a_document_is_no_bundle(tmp_path: Path) -> None:
    for directory in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(InvalidBundle, match="no bundle"):
            read_bundle(directory)


def test_a_variant_that_is_not_there_is_named(bundle: Bundle) -> None:
    with pytest.raises(InvalidBundle, match="no variant 'int8'; it has fp32"):
        bundle.graph("int8")


def test_a_bundle_is_never_written_over_another(bundle: Bundle, copy: Path) -> None:
    before = (copy / "bundle.json").read_bytes()
    with pytest.raises(InvalidBundle, match="immutable"):
        write_bundle(copy, fields_of(bundle), {"fp32": (bundle.graph("fp32"), {})})
    assert (copy / "bundle.json").read_bytes() == before


@pytest.fixture
def familiar(bundle: Bundle, tmp_path: Path) -> Bundle:
    """The bundle with prototypes."""
    prototypes = np.eye(3, 32, dtype=np.float32)
    graphs = {"fp32": (bundle.graph("fp32"), {})}
    return write_bundle(tmp_path / "familiar", fields_of(bundle), graphs, prototypes)


def test_prototypes_come_back_as_they_were_written(bundle: Bundle, familiar: Bundle) -> None:
    found = read_bundle(familiar.directory).prototypes
    assert found is not None
    np.testing.assert_array_equal(found, np.eye(3, 32, dtype=np.float32))
    assert bundle.prototypes is None


def test_changed_prototypes_are_refused(familiar: Bundle) -> None:
    np.save(familiar.directory / "prototypes.npy", np.eye(2, 32, dtype=np.float32))
    with pytest.raises(InvalidBundle, match="the file of prototypes was changed"):
        read_bundle(familiar.directory)


def test_an_export_that_stopped_half_way_leaves_no_bundle(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="gone"):
        write_bundle(tmp_path / "new", fields_of(bundle), {"fp32": (tmp_path / "gone.onnx", {})})
    assert not (tmp_path / "new").exists()
    graphs = {"fp32": (bundle.graph("fp32"), {})}
    assert write_bundle(tmp_path / "new", fields_of(bundle), graphs).directory.exists()


def test_the_version_follows_from_the_content_alone(bundle: Bundle, tmp_path: Path) -> None:
    graphs = {"fp32": (bundle.graph("fp32"), {"accuracy": 1.0, "agreement": 1.0})}
    examples = {"examples": bundle.directory / "examples.parquet"}
    same = write_bundle(tmp_path / "same", fields_of(bundle), graphs, files=examples)
    fields = fields_of(bundle) | {"temperature": 2.0}
    other = write_bundle(tmp_path / "other", fields, graphs, files=examples)
    assert same.document.version == bundle.document.version != other.document.version
    assert read_bundle(tmp_path / "other").document == other.document


def test_what_names_say_goes_with_the_bundle_and_through_a_new_match_model(
    bundle: Bundle, tmp_path: Path
) -> None:
    learnt = learn_name_categories([("red paint", "Warm/Red"), ("blue paint", "Cool/Blue")] * 5)
    assert learnt is not None
    write_name_categories(tmp_path / "learnt.npz", learnt)
    graphs = {"fp32": (bundle.graph("fp32"), {})}
    files = {"name_categories": tmp_path / "learnt.npz"}
    first = write_bundle(tmp_path / "first", fields_of(bundle), graphs, files=files)
    second = rewrite_match(first, tmp_path / "second", DEFAULT_MATCH_MODEL, "pairs.csv")
    for written in (first, second):
        read = read_bundle(written.directory).name_categories
        assert read is not None
        assert read.opinion("red") == learnt.opinion("red")
    assert bundle.name_categories is None


def test_a_names_model_that_is_none_is_refused_when_it_is_read(
    bundle: Bundle, tmp_path: Path
) -> None:
    model = replace(DEFAULT_MATCH_MODEL, names=replace(DEFAULT_NAME_MODEL, bias=-3.0))
    written = rewrite_match(bundle, tmp_path / "new", model, "pairs.csv")
    assert read_bundle(written.directory).match_model == model
    names = written.directory / "names.json"
    names.write_text(names.read_text(encoding="utf-8").replace("-3.0", '"x"'), encoding="utf-8")
    with pytest.raises(InvalidBundle, match="the file of names was changed"):
        read_bundle(written.directory)
    with pytest.raises(InvalidBundle, match="cannot be read"):
        _ = Bundle(written.directory, written.document).match_model
