import csv
import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from openpyxl import load_workbook

from catalog.categorise import CategoryScore
from catalog.errors import InvalidRequest
from catalog.moves import Move
from catalog.product import Product
from catalog.reviews.decide import decide, undo
from catalog.reviews.export import to_csv, to_xlsx, write_labelled
from catalog.reviews.queue import Reviews
from catalog.reviews.record import Page, Review, review_id
from catalog.store import Catalog

_NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
_VECTOR = np.eye(8, dtype=np.float32)[0]


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog.create(str(tmp_path / "catalog"), "e" * 16, 8)


@pytest.fixture
def reviews(catalog: Catalog) -> Reviews:
    return Reviews(catalog.uri)


def asked(number: int = 1, **changes: object) -> Review:
    review = Review(
        id=f"r{number}",
        product_id=f"p{number}",
        name=f"Lamp {number}",
        photos=(b"jpeg",),
        photo_count=1,
        path="Home/Lamps",
        score=0.6,
        alternatives=(CategoryScore("Home/Light", 0.3),),
        created=_NOW + timedelta(seconds=number),
    )
    return replace(review, **changes)  # type: ignore[arg-type]


def product(number: int = 1, category: str | None = None) -> Product:
    return Product(f"p{number}", f"Lamp {number}", category, embedding=_VECTOR, photos=(b"jpeg",))


def test_a_review_comes_back_as_it_was_kept(reviews: Reviews) -> None:
    reviews.keep([asked()])
    assert reviews.get("r1") == asked()
    (listed,) = reviews.page(["open"]).reviews
    assert listed == asked(photos=())
    assert reviews.get("nobody") is None


def test_reviews_are_listed_by_status_and_the_oldest_come_first(reviews: Reviews) -> None:
    reviews.keep([asked(3), asked(1), asked(2)])
    reviews.replace(asked(2, decided="Home/Lamps", decided_at=_NOW))
    reviews.replace(asked(3, decided="Garden", decided_at=_NOW))
    assert [one.id for one in reviews.page(["open"]).reviews] == ["r1"]
    assert [one.id for one in reviews.page(["accepted"]).reviews] == ["r2"]
    assert [one.id for one in reviews.page(["corrected"]).reviews] == ["r3"]
    assert [one.id for one in reviews.page(["open", "accepted", "corrected"]).reviews] == [
        "r1",
        "r2",
        "r3",
    ]


def test_what_is_asked_again_is_brought_up_to_date_unless_it_was_decided(reviews: Reviews) -> None:
    reviews.keep([asked(1), asked(2)])
    reviews.replace(asked(2, decided="Garden", decided_at=_NOW))
    reviews.keep([asked(1, score=0.7), asked(2, score=0.7)])
    assert [(one.id, one.score) for one in reviews.page(["open", "corrected"]).reviews] == [
        ("r1", 0.7),
        ("r2", 0.6),
    ]


def test_a_decided_product_is_filed_and_undo_takes_it_out(
    catalog: Catalog, reviews: Reviews
) -> None:
    reviews.keep([asked()])
    decided = decide(catalog, reviews, asked(), "/Garden /Lamps/", product())
    assert decided.status == "corrected"
    assert reviews.decided_categories() == {"p1": "Garden/Lamps"}
    filed = catalog.get("p1")
    assert filed is not None
    assert (filed.category, filed.photos) == ("Garden/Lamps", (b"jpeg",))
    assert undo(catalog, reviews, decided).status == "open"
    assert catalog.get("p1") is None
    assert reviews.get("r1") == asked()


def test_undo_gives_a_product_that_was_there_its_category_back(
    catalog: Catalog, reviews: Reviews
) -> None:
    catalog.put([replace(product(), category="Old", attributes={"brand": "Acme"})])
    reviews.keep([asked()])
    decided = decide(catalog, reviews, asked(), "Home/Lamps", product())
    assert decided.status == "accepted"
    filed = catalog.get("p1")
    assert filed is not None
    assert (filed.category, filed.attributes) == ("Home/Lamps", {"brand": "Acme"})
    undo(catalog, reviews, decided)
    back = catalog.get("p1")
    assert back is not None
    assert (back.category, back.attributes) == ("Old", {"brand": "Acme"})


def test_undo_leaves_a_product_that_was_filed_elsewhere_since(
    catalog: Catalog, reviews: Reviews
) -> None:
    reviews.keep([asked()])
    decided = decide(catalog, reviews, asked(), "Garden", product())
    catalog.put([product(category="Kitchen")])
    undo(catalog, reviews, decided)
    left = catalog.get("p1")
    assert left is not None
    assert left.category == "Kitchen"


def test_undo_leaves_a_product_that_the_shop_has_put_since(
    catalog: Catalog, reviews: Reviews
) -> None:
    reviews.keep([asked()])
    decided = decide(catalog, reviews, asked(), "Garden", product())
    catalog.put([replace(product(category="Garden"), name="From the shop's feed")])
    undo(catalog, reviews, decided)
    left = catalog.get("p1")
    assert left is not None
    assert left.name == "From the shop's feed"


def test_a_decision_changes_only_the_category_of_a_product_that_is_there(
    catalog: Catalog, reviews: Reviews, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog.put([product(category="Old")])
    reviews.keep([asked()])
    real = catalog.get_all

    def put_meanwhile(*args: Any, **flags: Any) -> dict[str, Product]:
        found = real(*args, **flags)
        catalog.put([replace(product(category="Old"), name="Newer name")])
        return found

    monkeypatch.setattr(catalog, "get_all", put_meanwhile)
    decide(catalog, reviews, asked(), "Garden", product())
    monkeypatch.undo()
    filed = catalog.get("p1")
    assert filed is not None
    assert (filed.name, filed.category) == ("Newer name", "Garden")


def test_a_product_that_is_deleted_while_it_is_decided_stays_deleted(
    catalog: Catalog, reviews: Reviews, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog.put([product(category="Old")])
    reviews.keep([asked()])
    real = catalog.file

    def delete_first(*args: Any, **flags: Any) -> bool:
        catalog.delete(["p1"])
        return real(*args, **flags)

    monkeypatch.setattr(catalog, "file", delete_first)
    decide(catalog, reviews, asked(), "Garden", product())
    assert catalog.get("p1") is None


def test_a_decision_that_was_cut_off_is_simply_repeated(
    catalog: Catalog, reviews: Reviews, monkeypatch: pytest.MonkeyPatch
) -> None:
    reviews.keep([asked()])

    def dies(_: Review) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(reviews, "replace", dies)
        with pytest.raises(KeyboardInterrupt):
            decide(catalog, reviews, asked(), "Garden", product())
    (left,) = reviews.page(["open"]).reviews
    assert decide(catalog, reviews, left, "Garden", product()).status == "corrected"
    assert catalog.count() == 1


def test_another_decision_needs_the_first_to_be_undone(catalog: Catalog, reviews: Reviews) -> None:
    reviews.keep([asked()])
    decided = decide(catalog, reviews, asked(), "Garden", product())
    with pytest.raises(InvalidRequest, match="Undo that first"):
        decide(catalog, reviews, decided, "Kitchen", product())
    with pytest.raises(InvalidRequest, match="empty"):
        decide(catalog, reviews, asked(), " / ", product())


def test_undo_of_what_was_not_decided_changes_nothing(catalog: Catalog, reviews: Reviews) -> None:
    reviews.keep([asked()])
    assert undo(catalog, reviews, asked()) == asked()


def test_reviews_of_a_deleted_product_are_forgotten(reviews: Reviews) -> None:
    reviews.keep([asked(1), asked(2)])
    reviews.delete_of(["p1"])
    assert [one.id for one in reviews.page(["open"]).reviews] == ["r2"]


def test_the_id_is_that_of_the_product_or_of_its_name_and_photos() -> None:
    assert review_id("p1", "a", [b"x"]) == review_id("p1", "b", [b"y"])
    assert review_id(None, "a", [b"x"]) == review_id(None, "a", [b"x"])
    ids = {
        review_id(None, "a", [b"x"]),
        review_id(None, "b", [b"x"]),
        review_id(None, "a", [b"y"]),
        review_id(None, None, [b"x"]),
        review_id("a", None, []),
    }
    assert len(ids) == 5


def test_decisions_are_exported_as_a_manifest_with_photos(
    catalog: Catalog, reviews: Reviews, tmp_path: Path
) -> None:
    reviews.keep([asked(1), asked(2, photos=(), photo_count=0), asked(3)])
    for number in (1, 2):
        review = reviews.get(f"r{number}")
        assert review is not None
        decide(catalog, reviews, review, "Garden", product(number))
    assert write_labelled(reviews.labelled(), tmp_path / "out", excel=True) == 2
    with (tmp_path / "out" / "manifest.csv").open(encoding="utf-8", newline="") as file:
        (first,) = csv.DictReader(file)
    assert (first["id"], first["category"], first["name"]) == ("p1", "Garden", "Lamp 1")
    assert (tmp_path / "out" / first["image"]).read_bytes() == b"jpeg"
    with (tmp_path / "out" / "names.csv").open(encoding="utf-8", newline="") as file:
        (second,) = csv.DictReader(file)
    assert (second["image"], second["id"]) == ("", "p2")
    rows = list(load_workbook(tmp_path / "out" / "manifest.xlsx").active.values)
    assert rows[0][:2] == ("image", "category")
    assert rows[1][1:4] == ("Garden", "Lamp 1", "p1")
    assert rows[2][1:4] == ("Garden", "Lamp 2", "p2")


def test_any_name_is_plain_text_in_excel_and_whole_in_csv() -> None:
    names = ["=1+1", "-20% Lamp", "@home", "a\x01b\x0bc"]
    reviews = [asked(n, name=name, decided="G", decided_at=_NOW) for n, name in enumerate(names)]
    sheet = load_workbook(io.BytesIO(to_xlsx(reviews))).active
    assert [row[2] for row in list(sheet.values)[1:]] == ["=1+1", "-20% Lamp", "@home", "abc"]
    assert sheet["C2"].data_type == "s"
    assert [row["name"] for row in csv.DictReader(io.StringIO(to_csv(reviews)))] == names


def test_the_queue_is_paged_however_much_is_decided_meanwhile(
    catalog: Catalog, reviews: Reviews
) -> None:
    reviews.keep([asked(number) for number in range(1, 8)])
    first = reviews.page(["open"], limit=3)
    assert (first.total, [one.id for one in first.reviews]) == (7, ["r1", "r2", "r3"])
    for one in first.reviews:
        decide(catalog, reviews, one, "Garden", product(int(one.id[1:])))
    second = reviews.page(["open"], limit=3, after=first.next)
    assert (second.total, [one.id for one in second.reviews]) == (4, ["r4", "r5", "r6"])
    last = reviews.page(["open"], limit=3, after=second.next)
    assert ([one.id for one in last.reviews], last.next) == (["r7"], None)
    with pytest.raises(InvalidRequest, match="no place in the queue"):
        reviews.page(["open"], after="r3")


def test_a_moved_category_is_followed_by_paths_and_alternatives(reviews: Reviews) -> None:
    reviews.keep([asked(1), asked(2)])
    reviews.replace(asked(2, decided="Home/Light", decided_at=_NOW, category_before="Home"))
    reviews.move_category(Move("Home", "Living"))
    first, second = reviews.page(["open", "corrected"]).reviews
    assert (first.path, [one.path for one in first.alternatives]) == (
        "Living/Lamps",
        ["Living/Light"],
    )
    assert (second.decided, second.category_before) == ("Living/Light", "Living")


def test_a_catalog_without_reviews_answers_and_is_not_written_to(catalog: Catalog) -> None:
    reviews = Reviews(catalog.uri)
    assert reviews.page(["open"]) == Page(0, (), None)
    assert (reviews.get("r1"), list(reviews.labelled()), list(reviews.batches())) == (None, [], [])
    assert (reviews.delete_of(["p1"]), reviews.decided_categories()) == (0, {})
    reviews.move_category(Move("A", "B"))
    reviews.maintain()
    assert not list(Path(catalog.uri).glob("reviews*"))
