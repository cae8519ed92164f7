import csv
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from catalog.duplicates.find import find_duplicates
from catalog.duplicates.picture import difference, thumbnail
from catalog.duplicates.report import write_page, write_table
from catalog.match import DEFAULT_MATCH_MODEL
from catalog.product import Product
from catalog.store import Catalog

_DIMENSION = 16
_FITTED = replace(DEFAULT_MATCH_MODEL, curve=((0.5, 1.0, 1.0),))


def _vector(seed: int) -> NDArray[np.float32]:
    drawn = np.random.default_rng(seed).standard_normal(_DIMENSION).astype(np.float32)
    return np.asarray(drawn / np.linalg.norm(drawn), np.float32)


def _photo(seed: int, side: int = 200, quality: int = 90) -> bytes:
    """White, with coloured blocks in its middle."""
    blocks = np.random.default_rng(seed).integers(255, size=(4, 4, 3), dtype=np.uint8)
    image = Image.new("RGB", (side, side), "white")
    half = side // 2
    image.paste(
        Image.fromarray(blocks).resize((half, half), Image.Resampling.NEAREST), (half // 2,) * 2
    )
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality)
    return out.getvalue()


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog.create(str(tmp_path / "catalog"), "3f9a" * 16, _DIMENSION)


def test_products_that_share_a_photo_are_one_group(catalog: Catalog) -> None:
    shared = _photo(1)
    catalog.put(
        [
            Product("a", "Lamp", "Home", embedding=_vector(1), photos=(_photo(2), shared)),
            Product("b", "Red lamp", "Home", embedding=_vector(2), photos=(shared,)),
            Product("c", "Shoe", "Shoes", embedding=_vector(3), photos=(_photo(3),)),
        ]
    )
    (group,) = find_duplicates(catalog, DEFAULT_MATCH_MODEL)
    assert group.ids == ("a", "b")
    assert group.shares_photo


def test_a_photo_saved_again_in_another_size_is_the_same_photo(catalog: Catalog) -> None:
    catalog.put(
        [
            Product("a", embedding=_vector(1), photos=(_photo(1, 200, 95),)),
            Product("b", embedding=_vector(1), photos=(_photo(1, 300, 70),)),
        ]
    )
    (group,) = find_duplicates(catalog, DEFAULT_MATCH_MODEL)
    assert group.shares_photo


def test_other_pictures_are_no_duplicates_however_alike_their_embeddings(catalog: Catalog) -> None:
    catalog.put(
        [
            Product("a", "Black shirt", embedding=_vector(1), photos=(_photo(1),)),
            Product("b", "Black shirt", embedding=_vector(1), photos=(_photo(2),)),
        ]
    )
    assert find_duplicates(catalog, DEFAULT_MATCH_MODEL) == []


def test_a_fitted_model_is_believed_without_a_look_at_the_pictures(catalog: Catalog) -> None:
    catalog.put(
        [
            Product("front", "Black shirt", embedding=_vector(1), photos=(_photo(1),)),
            Product("back", "Black shirt", embedding=_vector(1), photos=(_photo(2),)),
            Product("other", "Oak table", embedding=_vector(5), photos=(_photo(5),)),
        ]
    )
    (group,) = find_duplicates(catalog, _FITTED)
    assert group.ids == ("back", "front")
    assert not group.shares_photo
    assert group.score >= _FITTED.same_at


def test_a_fitted_model_finds_products_that_have_only_names(catalog: Catalog) -> None:
    catalog.put(
        [
            Product("1", "Bosch PSB-750 drill"),
            Product("2", "bosch psb-750 Drill"),
            Product("3", "Bosch PSB-500 drill"),
        ]
    )
    assert find_duplicates(catalog, DEFAULT_MATCH_MODEL) == []
    (group,) = find_duplicates(catalog, _FITTED)
    assert group.ids == ("1", "2")


def test_links_through_a_third_product_make_one_group(catalog: Catalog) -> None:
    first, second = _photo(1), _photo(2)
    catalog.put(
        [
            Product("a", embedding=_vector(1), photos=(first,)),
            Product("b", embedding=_vector(2), photos=(first, second)),
            Product("c", embedding=_vector(3), photos=(second,)),
        ]
    )
    (group,) = find_duplicates(catalog, DEFAULT_MATCH_MODEL)
    assert group.ids == ("a", "b", "c")


def test_one_photo_for_several_sizes_is_marked_as_such(catalog: Catalog) -> None:
    shared = _photo(1)
    catalog.put(
        [
            Product("a", "Cola 0.5 l", embedding=_vector(1), photos=(shared,)),
            Product("b", "Cola 1 l", embedding=_vector(1), photos=(shared,)),
            Product("c", "Lamp", embedding=_vector(2), photos=(_photo(2),)),
            Product("d", "Lamp", embedding=_vector(2), photos=(_photo(2),)),
        ]
    )
    groups = find_duplicates(catalog, DEFAULT_MATCH_MODEL)
    assert [(one.ids, one.amounts_differ) for one in groups] == [
        (("a", "b"), True),
        (("c", "d"), False),
    ]


def test_a_placeholder_photo_on_many_products_costs_no_comparison_of_each_with_each(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = _photo(1)
    catalog.put(
        [Product(f"p{n}", f"x{n}", embedding=_vector(1), photos=(shared,)) for n in range(60)]
    )
    monkeypatch.setattr("catalog.duplicates.find.difference", lambda *_: pytest.fail("compared"))
    (group,) = find_duplicates(catalog, DEFAULT_MATCH_MODEL)
    assert len(group.ids) == 60


def test_a_damaged_copy_stops_neither_search_nor_page(catalog: Catalog, tmp_path: Path) -> None:
    catalog.put(
        [
            Product("a", embedding=_vector(1), photos=(b"damaged", _photo(1))),
            Product("b", embedding=_vector(1), photos=(_photo(1, 300),)),
            Product("c", embedding=_vector(1), photos=(b"damaged too",)),
        ]
    )
    groups = find_duplicates(catalog, DEFAULT_MATCH_MODEL)
    assert [one.ids for one in groups] == [("a", "b")]
    write_page(catalog, groups, tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text().count("data:image/jpeg") == 2


def test_an_empty_catalog_has_no_duplicates(catalog: Catalog) -> None:
    assert find_duplicates(catalog, DEFAULT_MATCH_MODEL) == []


def test_a_white_background_does_not_make_pictures_alike() -> None:
    first, other, again = map(thumbnail, (_photo(1), _photo(2), _photo(1, 300)))
    assert first is not None
    assert other is not None
    assert again is not None
    assert difference(first, other) > 0.1
    assert difference(first, again) < 0.01


def test_page_and_table_show_the_groups_and_escape_names(catalog: Catalog, tmp_path: Path) -> None:
    shared = _photo(1)
    catalog.put(
        [
            Product("a", "<b>Lamp</b>", "Home", embedding=_vector(1), photos=(shared,)),
            Product("b", None, "Garden", embedding=_vector(1), photos=(shared,)),
        ]
    )
    groups = find_duplicates(catalog, DEFAULT_MATCH_MODEL)
    write_page(catalog, groups, tmp_path / "new" / "page.html")
    write_table(catalog, groups, tmp_path / "table.csv")
    page = (tmp_path / "new" / "page.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;Lamp&lt;/b&gt;" in page
    assert "in 2 categories" in page
    assert page.count("data:image/jpeg;base64,") == 2
    with (tmp_path / "table.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["group"], row["id"], row["shares_photo"]) for row in rows] == [
        ("1", "a", "1"),
        ("1", "b", "1"),
    ]


@pytest.mark.parametrize(
    "names", [("Cola", "Cola 0.5 l", "Cola 1.5 l"), ("Cola 0.5 l", "Cola 1.5 l", "Cola")]
)
def test_amounts_differ_whichever_product_comes_first(
    catalog: Catalog, names: tuple[str, ...]
) -> None:
    shared = _photo(1)
    catalog.put(
        [
            Product(f"p{n}", name, embedding=_vector(n), photos=(shared,))
            for n, name in enumerate(names)
        ]
    )
    (group,) = find_duplicates(catalog, DEFAULT_MATCH_MODEL)
    assert group.amounts_differ


def test_a_photo_saved_again_is_found_however_far_its_embedding_is(catalog: Catalog) -> None:
    photo = _photo(1)
    with Image.open(io.BytesIO(photo)) as image:
        out = io.BytesIO()
        image.resize((image.width * 3 // 4, image.height * 3 // 4)).save(out, "JPEG", quality=70)
    catalog.put(
        [
            Product("a", "x", embedding=_vector(1), photos=(photo,)),
            Product("b", "y", embedding=_vector(5), photos=(out.getvalue(),)),
            Product("c", "z", embedding=_vector(6), photos=(_photo(2),)),
        ]
    )
    (group,) = find_duplicates(catalog, DEFAULT_MATCH_MODEL)
    assert (group.ids, group.shares_photo) == (("a", "b"), True)
