import csv
from pathlib import Path

import pytest

from catalog.errors import InvalidManifest
from catalog.pairs import read_pairs


def table(path: Path, *rows: tuple[str, ...]) -> str:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return str(path)


def test_names_alone_are_read_from_left_and_right(tmp_path: Path) -> None:
    source = table(tmp_path / "p.csv", ("left", "right", "same"), ("a", "b", "1"), ("a", "c", "0"))
    first, second = read_pairs(source).rows
    assert (first.left.name, first.right.name, first.same) == ("a", "b", True)
    assert (second.right.name, second.same, second.left.image) == ("c", False, None)


def test_photos_start_at_the_tables_folder_or_at_the_root_given(tmp_path: Path) -> None:
    header = ("left_name", "left_image", "right_name", "right_image", "same")
    source = table(tmp_path / "p.csv", header, ("", "a.jpg", "", "/b.jpg", "no"))
    (pair,) = read_pairs(source).rows
    assert (pair.left.image, pair.right.image) == (str(tmp_path / "a.jpg"), "/b.jpg")
    assert pair.left.name is None
    (pair,) = read_pairs(source, image_root="s3://shop/photos").rows
    assert pair.left.image == "s3://shop/photos/a.jpg"


def test_other_columns_are_refused_with_those_wanted(tmp_path: Path) -> None:
    source = table(tmp_path / "p.csv", ("name_a", "name_b", "same"), ("a", "b", "1"))
    with pytest.raises(InvalidManifest, match="left,right,same"):
        read_pairs(source)


def test_bad_pairs_are_listed_and_too_many_stop_the_run(tmp_path: Path) -> None:
    good = [("a", "b", "1")] * 30
    source = table(
        tmp_path / "p.csv", ("left", "right", "same"), *good, ("a", "", "1"), ("a", "b", "perhaps")
    )
    listed = tmp_path / "bad.csv"
    with pytest.raises(InvalidManifest, match=r"2 of 32.*line 32, neither two names"):
        read_pairs(source).with_bad((), listed)
    assert len(read_pairs(source, max_bad=0.1).with_bad((), listed).rows) == 30
    assert "'perhaps' is neither 1 nor 0" in listed.read_text(encoding="utf-8")


def test_train_is_learnt_from_and_the_rest_judged(tmp_path: Path) -> None:
    header = ("left", "right", "same", "split")
    rows = [
        (name, "b", "1", split) for name, split in zip("xyz", ("train", "val", "test"), strict=True)
    ]
    pairs = read_pairs(table(tmp_path / "p.csv", header, *rows))
    assert [pair.left.name for pair in pairs.to_learn().rows] == ["x"]
    assert [pair.left.name for pair in pairs.to_judge(None).rows] == ["y", "z"]
    assert [pair.left.name for pair in pairs.to_judge("val").rows] == ["y"]
    with pytest.raises(InvalidManifest, match="'dev'"):
        pairs.to_judge("dev")


def test_without_splits_all_pairs_are_learnt_from(tmp_path: Path) -> None:
    source = table(tmp_path / "p.csv", ("left", "right", "same"), ("a", "b", "1"), ("c", "d", "0"))
    pairs = read_pairs(source)
    assert pairs.to_learn() == pairs


def test_one_row_without_a_column_is_bad_and_the_rest_is_read(tmp_path: Path) -> None:
    lines = ['{"left": "a", "right": "b", "same": 1}'] * 3 + ['{"left": "a", "right": "b"}']
    (tmp_path / "p.ndjson").write_text("\n".join(lines), encoding="utf-8")
    pairs = read_pairs(str(tmp_path / "p.ndjson"), max_bad=0.5)
    assert (len(pairs.rows), pairs.bad[0].line) == (3, 4)


def test_a_label_that_pandas_wrote_as_a_float_is_read(tmp_path: Path) -> None:
    source = table(
        tmp_path / "p.csv", ("left", "right", "same"), ("a", "b", "1.0"), ("a", "c", "0.0")
    )
    assert [pair.same for pair in read_pairs(source).rows] == [True, False]


def test_what_is_no_table_is_refused_as_such(tmp_path: Path) -> None:
    with pytest.raises(InvalidManifest, match="table of pairs"):
        read_pairs(str(tmp_path))


def test_names_without_words_are_no_names_to_compare(tmp_path: Path) -> None:
    rows = "\n".join(f"lamp {n},lamp {n},1" for n in range(30))
    (tmp_path / "p.csv").write_text(f"left,right,same\n{rows}\n-,?,0\n")
    assert [row.line for row in read_pairs(str(tmp_path / "p.csv")).bad] == [32]
