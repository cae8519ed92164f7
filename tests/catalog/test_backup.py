from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from catalog.backup import back_up, backups, restore
from catalog.categorise import CategoryScore
from catalog.errors import CatalogMissing, EmbeddingMismatch, InvalidBackup
from catalog.moves import Move
from catalog.product import Product
from catalog.reviews.decide import decide, undo
from catalog.reviews.queue import Reviews
from catalog.reviews.record import Review
from catalog.store import Catalog
from tests.catalog.test_store import DIMENSION, EMBEDDING_ID, OTHER_ID, vectors

_REVIEW = Review(
    "r1", "p1", "Lamp", (b"jpeg",), 1, "Home", 0.5, (CategoryScore("A", 0.1),),
    datetime(2026, 1, 2, tzinfo=UTC),
)  # fmt: skip


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    catalog = Catalog.create(str(tmp_path / "catalog"), EMBEDDING_ID, DIMENSION)
    found = vectors(600)
    catalog.put(
        [
            Product(f"p{n}", f"Name {n}", "A/B", {"n": str(n)}, found[n], (bytes([n % 256]) * 9,))
            for n in range(600)
        ]
    )
    catalog.put([Product("bare", "Only a name")])
    catalog.move_category("A/B", "A/C")
    Reviews(catalog.uri).keep([_REVIEW])
    return catalog


def contents(catalog: Catalog) -> dict[str, tuple]:
    return {
        one.id: (
            one.name,
            one.category,
            dict(one.attributes),
            None if one.embedding is None else one.embedding.tobytes(),
            one.photos,
        )
        for one in catalog.scan(with_embeddings=True, with_photos=True)
    }


def test_a_backup_makes_the_same_catalog_elsewhere(catalog: Catalog, tmp_path: Path) -> None:
    made = back_up(catalog.uri, str(tmp_path / "backups"))
    assert (made.products, made.reviews) == (601, 1)
    elsewhere = str(tmp_path / "elsewhere")
    assert restore(str(tmp_path / "backups"), elsewhere) == made
    again = Catalog.open(elsewhere, EMBEDDING_ID)
    assert contents(again) == contents(catalog)
    assert again.moves() == (Move("A/B", "A/C"),)
    assert Reviews(elsewhere).get("r1") == _REVIEW
    assert again.search_name("name 7", 1)[0].product.id == "p7"
    hit = again.search_image(np.asarray(vectors(600)[9]), 1)[0]
    assert hit.product.id == "p9"


def test_restoring_undoes_what_was_written_since(catalog: Catalog, tmp_path: Path) -> None:
    before = contents(catalog)
    made = back_up(catalog.uri, str(tmp_path / "backups"))
    catalog.put([Product("new", "New"), Product("p3", "Changed")])
    catalog.delete(["p4"])
    catalog.move_category("A/C", "B")
    Reviews(catalog.uri).delete_of(["p1"])
    later = back_up(catalog.uri, str(tmp_path / "backups"))
    assert [one.version for one in backups(str(tmp_path / "backups"))] == [
        made.version,
        later.version,
    ]
    restore(str(tmp_path / "backups"), catalog.uri, made.version)
    assert contents(catalog) == before
    assert catalog.moves() == (Move("A/B", "A/C"),)
    assert Reviews(catalog.uri).get("r1") == _REVIEW


def test_a_backup_that_was_cut_off_does_not_count(catalog: Catalog, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    made = back_up(catalog.uri, str(folder))
    (folder / made.version / "backup.json").unlink()
    assert backups(str(folder)) == []
    with pytest.raises(InvalidBackup, match="no backup"):
        restore(str(folder), str(tmp_path / "elsewhere"))
    assert not (tmp_path / "elsewhere").exists()


def test_what_is_not_there_is_an_error_that_says_what_is(catalog: Catalog, tmp_path: Path) -> None:
    folder = str(tmp_path / "backups")
    assert backups(folder) == []
    made = back_up(catalog.uri, folder)
    with pytest.raises(InvalidBackup, match=made.version):
        restore(folder, catalog.uri, "yesterday")
    with pytest.raises(CatalogMissing):
        back_up(str(tmp_path / "none"), folder)


def test_a_catalog_of_other_embeddings_is_not_overwritten(catalog: Catalog, tmp_path: Path) -> None:
    back_up(catalog.uri, str(tmp_path / "backups"))
    other = Catalog.create(str(tmp_path / "other"), OTHER_ID, DIMENSION)
    with pytest.raises(EmbeddingMismatch):
        restore(str(tmp_path / "backups"), other.uri)


@pytest.mark.parametrize("fault", ["missing", "short"])
def test_nothing_is_touched_where_a_file_of_the_backup_is_missing_or_short(
    catalog: Catalog, tmp_path: Path, fault: str
) -> None:
    folder = tmp_path / "backups"
    made = back_up(catalog.uri, str(folder))
    file = folder / made.version / "products-000000.parquet"
    if fault == "missing":
        file.unlink()
    else:
        pq.write_table(pq.read_table(file).slice(0, 10), file)
    before = contents(catalog)
    with pytest.raises(InvalidBackup, match=r"products-000000\.parquet"):
        restore(str(folder), catalog.uri)
    assert contents(catalog) == before


def test_a_broken_backup_does_not_hide_the_others_nor_do_those_of_another_shop(
    catalog: Catalog, tmp_path: Path
) -> None:
    folder = tmp_path / "backups"
    made = back_up(catalog.uri, str(folder))
    (folder / "broken").mkdir()
    (folder / "broken" / "backup.json").write_text("")
    back_up(catalog.uri, str(folder / "of-another-shop"))
    assert [one.version for one in backups(str(folder))] == [made.version]
    (folder / made.version).rename(folder / "renamed")
    assert restore(str(folder), str(tmp_path / "elsewhere")).version == "renamed"
    assert Catalog.open(str(tmp_path / "elsewhere")).count() == 601


def test_categories_moved_while_it_is_made_begin_the_backup_anew(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, moved = Catalog.scan, []

    def moving(self: Catalog, **flags: bool) -> Iterator[Product]:
        yield from real(self, **flags)
        if not moved:
            moved.append(catalog.move_category("A/C", "D"))

    monkeypatch.setattr(Catalog, "scan", moving)
    back_up(catalog.uri, str(tmp_path / "backups"))
    monkeypatch.undo()
    restore(str(tmp_path / "backups"), str(tmp_path / "elsewhere"))
    again = Catalog.open(str(tmp_path / "elsewhere"))
    assert again.categories() == {"D": 600}
    assert again.moves() == catalog.moves()


@pytest.mark.parametrize("fault", ["cut", "one bit"])
def test_nothing_is_touched_where_a_file_of_the_backup_was_damaged(
    catalog: Catalog, tmp_path: Path, fault: str
) -> None:
    made = back_up(catalog.uri, str(tmp_path / "backups"))
    file = tmp_path / "backups" / made.version / "products-000000.parquet"
    data = bytearray(file.read_bytes())
    if fault == "cut":
        data[40:80] = bytes(40)
    else:
        data[len(data) // 2] ^= 1
    file.write_bytes(data)
    before = sorted(catalog.ids())
    catalog.put([Product("later", "written since")])
    with pytest.raises(InvalidBackup, match="products-000000"):
        restore(str(tmp_path / "backups"), catalog.uri)
    assert sorted(catalog.ids()) == sorted([*before, "later"])


def test_a_decision_can_be_undone_after_a_restore(catalog: Catalog, tmp_path: Path) -> None:
    reviews = Reviews(catalog.uri)
    asked = Review("r", "new", "Lamp", (), 0, "Home", 0.6, (), datetime.now(UTC))
    reviews.keep([asked])
    decide(catalog, reviews, asked, "Home/Lamps", Product("new", "Lamp"))
    back_up(catalog.uri, str(tmp_path / "backups"))
    place = str(tmp_path / "elsewhere")
    restore(str(tmp_path / "backups"), place)
    restored, queue = Catalog.open(place), Reviews(place)
    decided = queue.get("r")
    assert decided is not None
    undo(restored, queue, decided)
    assert restored.get("new") is None
