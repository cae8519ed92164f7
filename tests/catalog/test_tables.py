import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from catalog.errors import ImageTooLarge, InvalidImage
from catalog.images import ImageLimits
from catalog.tables import list_files, read_bytes, read_records, resolve


@pytest.mark.parametrize(
    ("root", "path", "expected"),
    [
        ("photos", "a/b.jpg", "photos/a/b.jpg"),
        ("/photos", "/other/b.jpg", "/other/b.jpg"),
        ("s3://shop/photos", "a.jpg", "s3://shop/photos/a.jpg"),
        ("s3://shop/photos/", "a.jpg", "s3://shop/photos/a.jpg"),
        ("/photos", "gs://shop/a.jpg", "gs://shop/a.jpg"),
    ],
)
def test_paths_start_at_the_root_unless_they_are_absolute(
    root: str, path: str, expected: str
) -> None:
    assert resolve(root, path) == expected


def test_bytes_are_read_from_paths_and_uris(tmp_path: Path) -> None:
    path = tmp_path / "with space.jpg"
    path.write_bytes(b"photo")
    assert read_bytes(str(path)) == b"photo"
    assert read_bytes(path.as_uri()) == b"photo"


def test_a_missing_file_is_an_unreadable_image(tmp_path: Path) -> None:
    with pytest.raises(InvalidImage, match="no such file") as caught:
        read_bytes(str(tmp_path / "gone.jpg"))
    assert caught.value.where.endswith("gone.jpg")


def test_a_folder_in_place_of_a_photo_is_an_unreadable_image(tmp_path: Path) -> None:
    with pytest.raises(InvalidImage, match="cannot be read"):
        read_bytes(str(tmp_path))


@pytest.mark.parametrize("uri", ["nowhere://a/b.jpg", "s3://", "http://example.test/a.jpg"])
def test_a_uri_of_a_kind_we_do_not_read_is_an_unreadable_image(uri: str) -> None:
    with pytest.raises(InvalidImage):
        read_bytes(uri)


def test_a_path_with_a_zero_byte_is_an_unreadable_image() -> None:
    with pytest.raises(InvalidImage):
        read_bytes("a\0b.jpg")


def test_the_size_is_checked_before_the_bytes_are_read(tmp_path: Path) -> None:
    path = tmp_path / "large.jpg"
    with path.open("wb") as file:
        file.truncate(2**40)  # sparse: reading it would never end
    with pytest.raises(ImageTooLarge, match="at most 100 are read"):
        read_bytes(str(path), ImageLimits(max_bytes=100))


def test_hidden_files_and_folders_are_left_out(tmp_path: Path) -> None:
    for name in ("b/2.jpg", "a/1.jpg", ".cache/x.jpg", "a/.DS_Store"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert list_files(str(tmp_path)) == (["a/1.jpg", "b/2.jpg"], ["a", "b"])


@pytest.mark.parametrize("suffix", [".parquet", ".ndjson"])
def test_values_that_are_no_text_become_text(tmp_path: Path, suffix: str) -> None:
    record = {"id": 17, "price": 1.5, "tags": ["a", "b"], "sale": True, "note": None}
    path = tmp_path / f"a{suffix}"
    if suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist([record]), path)
    else:
        path.write_text(json.dumps(record))
    (_, read), *_ = read_records(str(path))
    assert read == {"id": "17", "price": "1.5", "tags": '["a", "b"]', "sale": "true", "note": ""}


def test_a_large_parquet_counts_its_rows_over_batches(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"id": [str(i) for i in range(9000)]}), path)
    lines = list(read_records(str(path)))
    assert len(lines) == 9000
    assert lines[-1] == (9000, {"id": "8999"})
