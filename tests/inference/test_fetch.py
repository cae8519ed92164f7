"""Bundles that lie on S3."""

import json
import os
from pathlib import Path

import pyarrow.fs as pafs
import pytest

from catalog.errors import InvalidBundle
from catalog.tables import open_filesystem
from inference.bundle import read_bundle
from inference.fetch import open_bundle
from tests.bundles import another


def upload(directory: Path, uri: str) -> None:
    files, root = open_filesystem(uri)
    pafs.copy_files(
        str(directory),
        root,
        source_filesystem=pafs.LocalFileSystem(),
        destination_filesystem=files,
    )


def test_a_local_bundle_is_read_where_it_is(tiny_bundle: Path, tmp_path: Path) -> None:
    assert open_bundle(str(tiny_bundle), tmp_path).directory == tiny_bundle
    assert not list(tmp_path.iterdir())


def test_a_bundle_on_s3_is_fetched_once_and_verified(
    tiny_bundle: Path, tmp_path: Path, s3_bucket: str
) -> None:
    uri = f"{s3_bucket}/bundles/first/"
    upload(tiny_bundle, uri)
    found = open_bundle(uri, tmp_path)
    assert found.document == read_bundle(tiny_bundle).document
    assert found.directory.parent == tmp_path
    before = found.graph("fp32").stat().st_mtime_ns
    assert open_bundle(uri, tmp_path).graph("fp32").stat().st_mtime_ns == before
    assert [one.is_dir() for one in sorted(tmp_path.iterdir())] == [True, False]  # and its lock


def test_what_was_damaged_on_this_machine_is_fetched_again(
    tiny_bundle: Path, tmp_path: Path, s3_bucket: str
) -> None:
    upload(tiny_bundle, f"{s3_bucket}/b")
    open_bundle(f"{s3_bucket}/b", tmp_path).graph("fp32").write_bytes(b"cut")
    assert open_bundle(f"{s3_bucket}/b", tmp_path).document


def test_what_is_damaged_there_is_refused_and_leaves_nothing(
    tiny_bundle: Path, tmp_path: Path, s3_bucket: str
) -> None:
    upload(tiny_bundle, f"{s3_bucket}/b")
    files, root = open_filesystem(f"{s3_bucket}/b")
    with files.open_output_stream(f"{root}/model.fp32.onnx") as file:
        file.write(b"another graph")
    with pytest.raises(InvalidBundle, match="was changed") as caught:
        open_bundle(f"{s3_bucket}/b", tmp_path)
    assert caught.value.where == f"{s3_bucket}/b"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("version", ["../../escape", "", "latest", 7])
def test_a_version_that_is_none_writes_nowhere(
    tmp_path: Path, s3_bucket: str, version: object
) -> None:
    files, root = open_filesystem(f"{s3_bucket}/b")
    with files.open_output_stream(f"{root}/bundle.json") as file:
        file.write(json.dumps({"version": version}).encode())
    with pytest.raises(InvalidBundle, match="version"):
        open_bundle(f"{s3_bucket}/b", tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_a_place_where_nothing_is_says_so(tmp_path: Path, s3_bucket: str) -> None:
    with pytest.raises(InvalidBundle, match="cannot be fetched") as caught:
        open_bundle(f"{s3_bucket}/nothing", tmp_path)
    assert caught.value.where == f"{s3_bucket}/nothing"


def test_of_many_fetched_bundles_the_last_ones_stay(
    tiny_bundle: Path, tmp_path: Path, s3_bucket: str
) -> None:
    upload(tiny_bundle, f"{s3_bucket}/b")
    for number in range(6):
        (tmp_path / f"{number:08x}").mkdir()
    found = open_bundle(f"{s3_bucket}/b", tmp_path)
    assert found.directory.exists()
    assert sum(one.is_dir() for one in tmp_path.iterdir()) == 4


def test_a_bundle_that_a_process_has_opened_stays(
    tiny_bundle: Path, tmp_path: Path, s3_bucket: str
) -> None:
    upload(tiny_bundle, f"{s3_bucket}/b")
    held = open_bundle(f"{s3_bucket}/b", tmp_path)
    os.utime(held.directory, (0, 0))
    for number in range(5):
        later = another(tiny_bundle, tmp_path / f"made-{number}", temperature=2.0 + number)
        upload(later, f"{s3_bucket}/later-{number}")
        open_bundle(f"{s3_bucket}/later-{number}", tmp_path / "cache")
    for number in range(5):
        (tmp_path / f"{number:08x}").mkdir()
    open_bundle(f"{s3_bucket}/b", tmp_path)
    assert held.graph("fp32").exists()
