import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from catalog.errors import InvalidManifest
from catalog.manifest import BadRow, Manifest, ManifestConfig, read_manifest

COLUMNS = ("image", "category", "name", "id", "split", "brand")
RECORDS = [
    ("a.jpg", "Fruit/Apple", "Gala", "p1", "train", "Farm"),
    ("b.jpg", "Fruit/Apple", "Gala", "p1", "train", ""),
    ("c.jpg", "Milk", "Oat milk", "p2", "val", "Oatly"),
]


def write_csv(path: Path, *lines: str, encoding: str = "utf-8") -> str:
    path.write_text("\n".join(lines) + "\n", encoding=encoding)
    return str(path)


def write_table(path: Path) -> str:
    records = [dict(zip(COLUMNS, record, strict=True)) for record in RECORDS]
    if path.suffix == ".csv":
        return write_csv(path, ",".join(COLUMNS), *map(",".join, RECORDS))
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(records), path)
    else:
        path.write_text("\n\n".join(map(json.dumps, records)))
    return str(path)


def photo_folder(root: Path, *files: str) -> str:
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_bytes(b"photo")
    return str(root)


def lax(**settings: object) -> ManifestConfig:
    """Bad rows never stop it."""
    return ManifestConfig(max_bad=1.0, **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".ndjson", ".jsonl"])
def test_every_kind_of_table_gives_the_same_rows(tmp_path: Path, suffix: str) -> None:
    manifest = read_manifest(write_table(tmp_path / f"shop{suffix}"))
    assert [row.image for row in manifest.rows] == [
        str(tmp_path / name) for name in ("a.jpg", "b.jpg", "c.jpg")
    ]
    first, second, third = manifest.rows
    assert (first.category, first.name, first.id, first.split) == (
        "Fruit/Apple", "Gala", "p1", "train",
    )  # fmt: skip
    assert first.attributes == {"brand": "Farm"}
    assert second.attributes == {}
    assert third.category == "Milk"
    assert manifest.bad == ()


def test_a_folder_tree_gives_the_category_path(tmp_path: Path) -> None:
    source = photo_folder(tmp_path, "Fruit/Apple/1.jpg", "Fruit/Apple/2.PNG", "Milk/3.webp")
    rows = read_manifest(source).rows
    assert [row.category for row in rows] == ["Fruit/Apple", "Fruit/Apple", "Milk"]
    assert [row.id for row in rows] == ["Fruit/Apple/1.jpg", "Fruit/Apple/2.PNG", "Milk/3.webp"]
    assert all(Path(row.image or "").is_file() for row in rows)


def test_files_that_are_no_photos_are_ignored_and_counted(tmp_path: Path) -> None:
    source = photo_folder(
        tmp_path, "A/1.jpg", "A/notes.txt", "A/2.xcf", "README.md", "A/.hidden.jpg", ".git/x.png"
    )
    manifest = read_manifest(source)
    assert [row.id for row in manifest.rows] == ["A/1.jpg"]
    assert manifest.notes == ("3 files that are not photos were ignored",)


def test_an_empty_category_folder_is_named(tmp_path: Path) -> None:
    source = photo_folder(tmp_path, "A/1.jpg", "B/C/notes.txt")
    (tmp_path / "Empty").mkdir()
    assert read_manifest(source).notes[-1] == ("3 category folders hold no photo: B, B/C, Empty")


def test_a_photo_outside_any_category_is_a_bad_row(tmp_path: Path) -> None:
    manifest = read_manifest(photo_folder(tmp_path, "loose.jpg", "A/1.jpg"), lax())
    assert [(row.image, row.field) for row in manifest.bad] == [("loose.jpg", "category")]


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path: Path) -> None:
    csv = write_csv(tmp_path / "a.csv", "image,category", "a.jpg,A", encoding="utf-8-sig")
    assert read_manifest(csv).rows[0].category == "A"
    lines = tmp_path / "a.ndjson"
    lines.write_text('{"image": "a.jpg", "category": "A"}', encoding="utf-8-sig")
    assert read_manifest(str(lines)).rows[0].category == "A"


def test_quoted_cells_may_hold_commas_and_line_breaks(tmp_path: Path) -> None:
    source = write_csv(
        tmp_path / "a.csv", "image,category,name", 'a.jpg,A,"one,\ntwo"', "b.jpg,B,three"
    )
    rows = read_manifest(source).rows
    assert rows[0].name == "one,\ntwo"
    assert [row.line for row in rows] == [3, 4]


def test_other_column_names_are_mapped(tmp_path: Path) -> None:
    source = write_csv(tmp_path / "a.csv", "Image,target,split", "a.jpg,ballet,train")
    config = ManifestConfig(image_column="Image", category_column="target")
    row = read_manifest(source, config).rows[0]
    assert (row.image, row.category) == (str(tmp_path / "a.jpg"), "ballet")
    assert row.attributes == {}


def test_a_missing_column_is_named_with_those_that_are_there(tmp_path: Path) -> None:
    source = write_csv(tmp_path / "a.csv", "Image,target", "a.jpg,ballet")
    with pytest.raises(InvalidManifest) as caught:
        read_manifest(source)
    assert "'category', 'image'" in caught.value.what
    assert "'Image', 'target'" in caught.value.what
    assert "--image-column" in caught.value.fix


def test_a_column_that_was_asked_for_must_be_there(tmp_path: Path) -> None:
    source = write_csv(tmp_path / "a.csv", "image,category", "a.jpg,A")
    with pytest.raises(InvalidManifest, match="no column 'titel'"):
        read_manifest(source, ManifestConfig(name_column="titel"))


def test_a_record_without_an_optional_key_is_no_missing_column(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    path.write_text('{"image": "a.jpg", "category": "A"}\n{"image": "b.jpg"}\n')
    manifest = read_manifest(str(path), lax())
    assert len(manifest.rows) == 1
    assert manifest.bad == (BadRow(2, "b.jpg", "category", "category is empty"),)


def test_relative_images_start_at_the_image_root(tmp_path: Path) -> None:
    lines = ("image,category", "a.jpg,A", "/abs/b.jpg,A", "s3://bucket/c.jpg,A")
    source = write_csv(tmp_path / "a.csv", *lines)
    images = [row.image for row in read_manifest(source, ManifestConfig(image_root="/photos")).rows]
    assert images == ["/photos/a.jpg", "/abs/b.jpg", "s3://bucket/c.jpg"]
    remote = ManifestConfig(image_root="s3://bucket/photos/")
    assert read_manifest(source, remote).rows[0].image == "s3://bucket/photos/a.jpg"


def test_a_manifest_in_the_working_directory_finds_its_photos(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_csv(tmp_path / "a.csv", "image,category", "sub/a.jpg,A")
    monkeypatch.chdir(tmp_path)
    assert read_manifest("a.csv").rows[0].image == "sub/a.jpg"


@pytest.mark.parametrize(("column", "second"), [("category", "B,Gala"), ("name", "A,Lady")])
def test_one_id_with_two_categories_or_names_is_a_bad_row(
    tmp_path: Path, column: str, second: str
) -> None:
    lines = ("id,image,category,name", "p,a.jpg,A,Gala", f"p,b.jpg,{second}", "p,c.jpg,A,Gala")
    manifest = read_manifest(write_csv(tmp_path / "a.csv", *lines), lax())
    assert [row.line for row in manifest.rows] == [2, 4]
    bad = manifest.bad[0]
    assert (bad.line, bad.field) == (3, column)
    assert "product 'p' has" in bad.problem
    assert bad.problem.endswith("on line 2")


def test_an_empty_name_is_not_a_second_name(tmp_path: Path) -> None:
    lines = ("id,image,category,name", "p,a.jpg,A,", "p,b.jpg,A,Gala", "p,c.jpg,A,", "p,d.jpg,A,X")
    manifest = read_manifest(write_csv(tmp_path / "a.csv", *lines), lax())
    assert [row.line for row in manifest.rows] == [2, 3, 4]
    assert manifest.bad[0].problem.endswith("'Gala' on line 3")


def test_without_an_id_the_image_names_the_product(tmp_path: Path) -> None:
    lines = ("image,category,name", "a.jpg,A,Gala", ",A,Lady", "a.jpg,B,Gala")
    needs = frozenset({"category"})
    manifest = read_manifest(write_csv(tmp_path / "a.csv", *lines), lax(), needs=needs)
    assert [row.id for row in manifest.rows] == ["a.jpg", "Lady"]
    assert manifest.rows[1].image is None
    assert "product 'a.jpg' has category 'B'" in manifest.bad[0].problem


def test_a_row_with_nothing_to_name_it_is_bad(tmp_path: Path) -> None:
    source = write_csv(tmp_path / "a.csv", "image,category", "a.jpg,A", ",A")
    manifest = read_manifest(source, lax(), needs=frozenset({"category"}))
    assert manifest.bad[0].problem == "the row has neither id, image nor name"


def hundred(tmp_path: Path, bad: int) -> str:
    rows = [f"{i}.jpg,{'' if i < bad else 'A'},{'train' if i < 90 else 'val'}" for i in range(100)]
    return write_csv(tmp_path / "a.csv", "image,category,split", *rows)


def test_a_few_bad_rows_are_listed_and_skipped(tmp_path: Path) -> None:
    listed = tmp_path / "out" / "bad.csv"
    manifest = read_manifest(hundred(tmp_path, bad=5), bad_rows_file=listed)
    assert len(manifest.rows) == 95
    assert len(manifest.bad) == 5
    assert listed.read_text().splitlines()[:2] == [
        "line,image,field,problem",
        "2,0.jpg,category,category is empty",
    ]


def test_too_many_bad_rows_stop_the_run_with_the_list(tmp_path: Path) -> None:
    listed = tmp_path / "bad.csv"
    with pytest.raises(InvalidManifest) as caught:
        read_manifest(hundred(tmp_path, bad=6), bad_rows_file=listed)
    assert "6 of 100 rows are bad" in caught.value.what
    assert "line 2, category is empty" in caught.value.what
    assert str(listed) in caught.value.what
    assert "--max-bad" in caught.value.fix
    assert len(listed.read_text().splitlines()) == 7


def test_more_bad_rows_are_allowed_by_max_bad(tmp_path: Path) -> None:
    assert len(read_manifest(hundred(tmp_path, bad=60), ManifestConfig(max_bad=0.6)).rows) == 40


def test_unreadable_photos_count_with_the_bad_rows(tmp_path: Path) -> None:
    manifest = read_manifest(hundred(tmp_path, bad=3))
    found = [BadRow(row.line, "x", "image", "no such file") for row in manifest.rows[:2]]
    left = manifest.with_bad(found)
    assert (len(left.rows), len(left.bad)) == (95, 5)
    assert [row.line for row in left.bad] == sorted(row.line for row in left.bad)
    with pytest.raises(InvalidManifest, match="6 of 100"):
        left.with_bad([BadRow(manifest.rows[-1].line, "x", "image", "no such file")])


def test_a_split_is_judged_by_its_own_bad_rows(tmp_path: Path) -> None:
    val = read_manifest(hundred(tmp_path, bad=5)).split("val")  # half as many as val has rows
    assert (len(val.rows), val.bad) == (10, ())
    assert val.with_bad([]).rows == val.rows
    assert len(read_manifest(hundred(tmp_path, bad=5)).split("train").bad) == 5


def test_no_split_named_means_everything_but_train(tmp_path: Path) -> None:
    source = write_csv(
        tmp_path / "a.csv", "image,category,split", "a,A,train", "b,A,val", "c,A,test", "d,A,"
    )
    manifest = read_manifest(source)
    assert [row.id for row in manifest.split(None).rows] == ["b", "c", "d"]
    assert [row.id for row in manifest.split("test").rows] == ["c"]


def test_a_split_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    source = write_csv(tmp_path / "a.csv", "image,category,split", "a,A,train", "b,A,train")
    with pytest.raises(InvalidManifest, match="'train': 2"):
        read_manifest(source).split("val")
    with pytest.raises(InvalidManifest, match="outside split 'train'"):
        read_manifest(source).split(None)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("gone.csv", None, "no such file"),
        ("gone", None, "no such file"),
        ("a.xlsx", b"PK", "neither a folder nor"),
        ("a.csv", b"", "no photo and no row"),
        ("a.csv", b"image,category\n", "no photo and no row"),
        ("a.csv", b"image,category\n\xff\xfe,A\n", "line 2, image is not UTF-8"),
        ("a.parquet", b"not parquet", "cannot be read"),
        ("a.ndjson", b"{", "not JSON"),
        ("a.ndjson", b"[1]", "not a JSON object"),
    ],
)
def test_a_manifest_that_cannot_be_used_says_why(
    tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InvalidManifest, match=message) as caught:
        read_manifest(str(path))
    assert caught.value.where.startswith(str(path))


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidManifest, match="no photo and no row"):
        read_manifest(str(tmp_path))


def test_short_and_long_csv_rows_are_read(tmp_path: Path) -> None:
    source = write_csv(tmp_path / "a.csv", "image,category,name", "a.jpg,A", "b.jpg,B,n,extra")
    manifest: Manifest = read_manifest(source)
    assert [(row.category, row.name) for row in manifest.rows] == [("A", None), ("B", "n")]


def test_lines_that_are_no_rows_are_bad_rows(tmp_path: Path) -> None:
    lines = [json.dumps({"image": f"{n}.jpg", "category": "A"}) for n in range(100)]
    lines[10], lines[20], lines[30] = '{"image": "9.j', "[" * 100_000, "[1]"
    source = tmp_path / "a.ndjson"
    source.write_text("\n".join(lines))
    manifest = read_manifest(str(source))
    assert len(manifest.rows) == 97
    assert [(row.line, row.field) for row in manifest.bad] == [
        (11, "row"),
        (21, "row"),
        (31, "row"),
    ]


@pytest.mark.parametrize("field", ["image", "category", "name", "id", "brand"])
def test_half_a_character_is_a_bad_row(tmp_path: Path, field: str) -> None:
    rows = [
        {"image": f"{n}.jpg", "category": "A", "name": "n", "id": str(n), "brand": "b"}
        for n in range(50)
    ]
    rows[7][field] = "City bike \ud83d"
    source, listed = tmp_path / "a.ndjson", tmp_path / "bad.csv"
    source.write_text("\n".join(map(json.dumps, rows)))
    manifest = read_manifest(str(source), bad_rows_file=listed)
    assert [(row.line, row.field) for row in manifest.bad] == [(8, field)]
    assert "UTF-8" in listed.read_text("utf-8")


def test_a_file_whose_name_is_not_utf8_is_a_bad_row(tmp_path: Path) -> None:
    folder = tmp_path / "photos" / "A"
    folder.mkdir(parents=True)
    for name in (b"caf\xe9.jpg", *(b"%d.jpg" % n for n in range(30))):
        (folder / os.fsdecode(name)).touch()
    manifest = read_manifest(str(folder.parent), bad_rows_file=tmp_path / "bad.csv")
    assert (len(manifest.rows), len(manifest.bad)) == (30, 1)
    assert "caf" in (tmp_path / "bad.csv").read_text("utf-8")


def test_a_latin1_table_tells_its_bad_lines(tmp_path: Path) -> None:
    lines = ["image,category,name", *(f"{n}.jpg,A,Lamp" for n in range(50))]
    lines[9] = "x.jpg,A,H\xe4ngelampe"
    source = tmp_path / "a.csv"
    source.write_text("\n".join(lines), encoding="latin-1")
    assert [(row.line, row.field) for row in read_manifest(str(source)).bad] == [(10, "name")]
