"""Scoring offline: every row once, whatever happens on the way."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from catalog.errors import CatalogMissing, InvalidRequest
from catalog.manifest import Manifest, read_manifest
from inference.batch import BatchConfig, score_batch
from inference.bundle import Bundle
from inference.importer import import_manifest
from tests.colours import COLOURS, colour_photo
from train.cluster import ray_cluster

CONFIG = BatchConfig(part_rows=8, worker_cpus=1)


@pytest.fixture(scope="module")
def ray() -> Iterator[None]:
    with ray_cluster():
        yield


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """Twenty photos in four colours, the fourth of which cannot be read."""
    folder = tmp_path_factory.mktemp("photos")
    for number in range(5):
        for path in COLOURS:
            photo = folder / path / f"{number}.jpg"
            photo.parent.mkdir(parents=True, exist_ok=True)
            photo.write_bytes(colour_photo(path, seed=number))
    (folder / "Cool/Blue/3.jpg").write_bytes(b"no photo")
    return read_manifest(str(folder))


def rows_of(out: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(out).to_pylist()
    return found


def test_every_row_is_there_once_in_the_manifests_order(
    ray: None, bundle: Bundle, shop: Manifest, tmp_path: Path
) -> None:
    out = tmp_path / "out.parquet"
    report = score_batch(bundle, shop, str(out), CONFIG)
    assert (report.rows, report.errors, report.already_there) == (20, 1, 0)
    rows = rows_of(out)
    assert [row["id"] for row in rows] == [row.id for row in shop.rows]
    for row, asked in zip(rows, shop.rows, strict=True):
        if row["error"] is None:
            assert row["categories"][0]["path"] == asked.category
            assert (asked.category or "").startswith(row["path"])
            assert row["probability"] >= row["categories"][0]["probability"] - 1e-6
        else:
            assert (row["path"], row["decision"]) == (None, None)
    assert [row["id"] for row in rows if row["error"]] == ["Cool/Blue/3.jpg"]


def test_a_stopped_job_does_only_what_is_missing(
    ray: None, bundle: Bundle, shop: Manifest, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    score_batch(bundle, shop, str(out), CONFIG)
    whole, parts = rows_of(out), sorted(out.glob("part-*"))
    parts[1].unlink()
    kept = {part: part.stat().st_mtime_ns for part in parts if part.exists()}
    report = score_batch(bundle, shop, str(out), CONFIG)
    assert (report.rows, report.errors, report.already_there) == (20, 1, 12)
    assert rows_of(out) == whole
    assert {part: part.stat().st_mtime_ns for part in kept} == kept


def test_the_parts_of_another_job_are_refused(
    ray: None, bundle: Bundle, shop: Manifest, tmp_path: Path
) -> None:
    out = str(tmp_path / "out")
    score_batch(bundle, shop, out, CONFIG)
    with pytest.raises(InvalidRequest, match="top_k differs"):
        score_batch(bundle, shop, out, replace(CONFIG, top_k=2))
    with pytest.raises(InvalidRequest, match="rows differs"):
        score_batch(bundle, replace(shop, rows=shop.rows[:-1]), out, CONFIG)


def test_a_folder_of_something_else_and_a_file_are_refused(
    ray: None, bundle: Bundle, shop: Manifest, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "part-00000-spark.parquet").write_bytes(b"")
    with pytest.raises(InvalidRequest, match="not of a batch"):
        score_batch(bundle, shop, str(tmp_path / "out"), CONFIG)
    (tmp_path / "file.parquet").write_bytes(b"")
    with pytest.raises(InvalidRequest, match="is a file"):
        score_batch(bundle, shop, str(tmp_path / "file.parquet"), CONFIG)


def test_a_wrong_catalog_is_refused_and_leaves_the_folder_free(
    ray: None, bundle: Bundle, shop: Manifest, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with pytest.raises(CatalogMissing):
        score_batch(bundle, shop, str(out), replace(CONFIG, catalog=str(tmp_path / "none")))
    assert not out.exists()


@pytest.mark.parametrize("setting", ["top_k", "part_rows", "worker_cpus"])
def test_settings_below_one_are_refused(setting: str) -> None:
    with pytest.raises(InvalidRequest, match="Give 1 or more"):
        BatchConfig(**{setting: 0})


def test_with_a_catalog_rows_are_categorized_and_a_name_is_enough(
    ray: None, bundle: Bundle, shop: Manifest, tmp_path: Path
) -> None:
    named = replace(
        shop, rows=tuple(replace(row, name=f"{row.category} paint") for row in shop.rows)
    )
    readable = replace(named, rows=tuple(row for row in named.rows if "Blue/3" not in row.id))
    import_manifest(bundle, readable, str(tmp_path / "catalog"))
    names = tuple(replace(row, image=None, id=f"new {row.id}") for row in named.rows[:4])
    asked = replace(named, rows=(*named.rows, *names))
    config = replace(CONFIG, catalog=str(tmp_path / "catalog"))
    score_batch(bundle, asked, str(tmp_path / "out"), config)
    rows = rows_of(tmp_path / "out")
    assert [row["id"] for row in rows if row["error"]] == ["Cool/Blue/3.jpg"]
    for row, one in zip(rows, asked.rows, strict=True):
        assert row["error"] or row["path"] == one.category


@pytest.mark.e2e
def test_a_killed_job_run_again_has_every_row_once(
    tiny_bundle: Path, shop: Manifest, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    command = [
        *(sys.executable, "-m", "catalens.cli", "batch", str(tiny_bundle), shop.source, str(out)),
        *("--part-rows", "1", "--worker-cpus", "2"),
    ]
    job = subprocess.Popen(command, cwd=tmp_path)
    while len(list(out.glob("part-*"))) < 3:
        assert job.poll() is None
        time.sleep(0.02)
    job.send_signal(signal.SIGKILL)
    job.wait()
    assert 3 <= len(list(out.glob("part-*"))) < 20
    subprocess.run(command, cwd=tmp_path, check=True)
    assert [row["id"] for row in rows_of(out)] == [row.id for row in shop.rows]
