import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from catalog.errors import ImageTooLarge, InvalidImage, InvalidManifest, InvalidRequest
from catalog.images import ImageLimits
from catalog.tables import (
    is_folder,
    list_files,
    open_filesystem,
    read_bytes,
    read_records,
    resolve,
)


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


@pytest.mark.parametrize("row", ['9.jpg,A/B,"Bike 28,9', '9.jpg,A/B,Bike,9,"x', '"9.jpg,A,B,9'])
def test_a_quote_that_is_never_closed_is_told_with_its_line(tmp_path: Path, row: str) -> None:
    lines = ["image,category,name,id", *(f"{n}.jpg,A/B,Bike {n},{n}" for n in range(1_000))]
    lines[10] = row
    path = tmp_path / "a.csv"
    path.write_text("\n".join(lines))
    with pytest.raises(InvalidManifest, match=r"a\.csv, line 11: a quote .* is never closed"):
        list(read_records(str(path)))


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_quotes_and_lines_within_cells_are_read(tmp_path: Path, end: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text('name,id\n"Best"" bike",1\n"two\nlines",2' + end, newline="")
    records = [record for _, record in read_records(str(path))]
    assert records == [{"name": 'Best" bike', "id": "1"}, {"name": "two\nlines", "id": "2"}]


def test_a_header_whose_quote_is_never_closed_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('"image,category\n1.jpg,A\n')
    with pytest.raises(InvalidManifest, match=r"line 1: a quote"):
        list(read_records(str(path)))


@pytest.mark.parametrize(
    ("delimiter", "encoding"), [(";", "utf-8"), (";", "utf-8-sig"), ("\t", "utf-16")]
)
def test_tables_as_spreadsheets_save_them_are_read(
    tmp_path: Path, delimiter: str, encoding: str
) -> None:
    path = tmp_path / "a.csv"
    text = f"image{delimiter}name\n1.jpg{delimiter}Hängelampe 1,5 m\n"
    path.write_text(text, encoding=encoding)
    assert [one for _, one in read_records(str(path))] == [
        {"image": "1.jpg", "name": "Hängelampe 1,5 m"}
    ]


def test_a_folder_at_an_address_is_listed(tmp_path: Path) -> None:
    for name in ("b/2.jpg", "a/1.jpg", ".cache/x.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    address = f"file://{tmp_path}"
    assert is_folder(address)
    assert not is_folder(f"{address}/a/1.jpg")
    assert list_files(address) == (["a/1.jpg", "b/2.jpg"], ["a", "b"])


def test_an_address_that_is_none_is_told() -> None:
    with pytest.raises(InvalidRequest, match="nosuch://x: it cannot be opened"):
        open_filesystem("nosuch://x")
