from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from catalog import database
from catalog.errors import CatalogMissing, EmbeddingMismatch, InvalidRequest, Unreachable
from catalog.product import Product
from catalog.search import Hit
from catalog.store import Catalog

EMBEDDING_ID = "3f9a" * 16
OTHER_ID = "77be" * 16
DIMENSION = 16


def vectors(count: int, seed: int = 0) -> NDArray[np.float32]:
    """float32 [count, DIMENSION], each of length 1."""
    drawn = np.random.default_rng(seed).standard_normal((count, DIMENSION)).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def ids_of(hits: list[Hit]) -> list[str]:
    return [hit.product.id for hit in hits]


@pytest.fixture
def uri(tmp_path: Path) -> str:
    return str(tmp_path / "catalog")


@pytest.fixture
def catalog(uri: str) -> Catalog:
    return Catalog.create(uri, EMBEDDING_ID, DIMENSION)


def test_a_product_comes_back_as_it_was_put(catalog: Catalog) -> None:
    vector = vectors(1)[0]
    photos = (b"\xff\xd8\xff\x00one", b"", bytes(range(256)) * 100)
    attributes = {"brand": "L'Oréal", "size=eu": "40%=M", "50% off": "", "日本": "a=b"}
    catalog.put([Product("p1", "Crème", "Beauty/Skin", attributes, vector, photos)])
    product = catalog.get("p1")
    assert product is not None
    assert (product.id, product.name, product.category) == ("p1", "Crème", "Beauty/Skin")
    assert product.attributes == attributes
    assert product.embedding is not None
    assert product.embedding.dtype == np.float32
    np.testing.assert_array_equal(product.embedding, vector)
    assert product.photos == photos


def test_a_product_with_nothing_but_an_id_comes_back(catalog: Catalog) -> None:
    catalog.put([Product("bare"), Product("with", embedding=vectors(1)[0])])
    product = catalog.get("bare")
    assert product is not None
    assert (product.name, product.category, product.embedding) == (None, None, None)
    assert (product.attributes, product.photos) == ({}, ())


def test_an_unknown_id_is_none(catalog: Catalog) -> None:
    assert catalog.get("nobody") is None
    assert catalog.get("' OR 1=1 --") is None


def test_a_second_put_replaces_the_whole_product(catalog: Catalog) -> None:
    catalog.put([Product("p1", "old", "A", {"x": "1"}, vectors(1)[0], (b"jpeg",))])
    catalog.put([Product("p1", "new")])
    product = catalog.get("p1")
    assert product is not None
    assert (product.name, product.category, product.embedding) == ("new", None, None)
    assert (product.attributes, product.photos) == ({}, ())
    assert catalog.count() == 1
    assert catalog.search_name("old") == []


def test_of_equal_ids_in_one_put_the_last_wins(catalog: Catalog) -> None:
    catalog.put([Product("p1", "first"), Product("p2"), Product("p1", "last")])
    product = catalog.get("p1")
    assert product is not None
    assert product.name == "last"
    assert catalog.count() == 2


def test_putting_nothing_is_no_commit(catalog: Catalog) -> None:
    catalog.put([])
    assert catalog.count() == 0


def test_delete_counts_the_ids_that_existed(catalog: Catalog) -> None:
    catalog.put(
        [Product("p1", "red shoe", embedding=vectors(1)[0]), Product("p2"), Product("it's")]
    )
    assert catalog.delete(["p1", "nobody", "it's", "p1"]) == 2
    assert catalog.delete(["p1"]) == 0
    assert catalog.delete([]) == 0
    assert catalog.search_name("red") == []
    assert catalog.search_image(vectors(1)[0]) == []
    assert list(catalog.ids()) == ["p2"]


def test_categories_are_counted_per_path(catalog: Catalog) -> None:
    catalog.put(
        [Product(str(n), category=path) for n, path in enumerate(["B/C", "A", "B/C", None])]
    )
    assert list(catalog.categories().items()) == [("A", 1), ("B/C", 2)]


def test_creating_twice_opens_what_is_there(catalog: Catalog, uri: str) -> None:
    catalog.put([Product("p1")])
    again = Catalog.create(uri, EMBEDDING_ID, DIMENSION)
    assert again.count() == 1
    assert (again.embedding_id, again.dimension) == (EMBEDDING_ID, DIMENSION)


def test_another_embedding_is_refused_with_both_ids_and_what_to_do(
    catalog: Catalog, uri: str
) -> None:
    for attempt in (
        lambda: Catalog.create(uri, OTHER_ID, DIMENSION),
        lambda: Catalog.open(uri, OTHER_ID),
    ):
        with pytest.raises(EmbeddingMismatch) as caught:
            attempt()
        for part in (EMBEDDING_ID, OTHER_ID, uri, "catalens reindex"):
            assert part in str(caught.value)
    with pytest.raises(EmbeddingMismatch, match="16 dimensions"):
        Catalog.create(uri, EMBEDDING_ID, DIMENSION * 2)
    assert Catalog.open(uri, EMBEDDING_ID).count() == 0


def test_opening_where_there_is_no_catalog_leaves_no_directory(tmp_path: Path) -> None:
    with pytest.raises(CatalogMissing, match="catalens import"):
        Catalog.open(str(tmp_path / "none"))
    assert not (tmp_path / "none").exists()
    with pytest.raises(CatalogMissing):
        Catalog.open(str(tmp_path))


def test_one_handles_put_and_delete_are_seen_by_the_next_search_of_another(
    catalog: Catalog, uri: str
) -> None:
    vector, other = vectors(2)
    reader = Catalog.open(uri)
    assert reader.search_image(vector) == []
    assert reader.search_name("sandal") == []
    catalog.put([Product("p1", "Leather sandal", embedding=vector)])
    assert ids_of(reader.search_image(vector)) == ["p1"]
    assert ids_of(reader.search_name("sandal")) == ["p1"]
    catalog.put([Product("p1", "Leather boot", embedding=other)])
    assert reader.search_name("sandal") == []
    assert ids_of(reader.search_name("boot")) == ["p1"]
    assert reader.search_image(other)[0].similarity == pytest.approx(1.0, abs=1e-5)
    catalog.delete(["p1"])
    assert reader.search_image(vector) == []
    assert reader.search_name("leather") == []


def test_image_search_gives_cosines_best_first_without_photos(catalog: Catalog) -> None:
    stored = vectors(40)
    catalog.put([Product(str(n), embedding=v, photos=(b"x",)) for n, v in enumerate(stored)])
    query = vectors(1, seed=9)[0] * np.float32(3)
    hits = catalog.search_image(query, limit=5)
    cosines = stored @ (query / np.linalg.norm(query))
    assert ids_of(hits) == [str(n) for n in np.argsort(-cosines)[:5]]
    np.testing.assert_allclose([h.similarity for h in hits], np.sort(cosines)[::-1][:5], atol=1e-5)
    assert hits[0].product.photos == ()
    assert hits[0].product.embedding is None


def test_image_search_skips_products_without_an_embedding(catalog: Catalog) -> None:
    stored = vectors(3)
    catalog.put([Product(f"none-{n}", "shoe") for n in range(20)])
    catalog.put(
        [
            Product("a", embedding=stored[0]),
            Product("none", "shoe"),
            Product("b", "shoe"),
            Product("c", embedding=stored[1]),
        ]
    )
    hits = catalog.search_image(stored[0], limit=10)
    assert ids_of(hits)[0] == "a"
    assert set(ids_of(hits)) == {"a", "c"}
    assert len(catalog.search_name("shoe", limit=50)) == 22


@pytest.mark.parametrize(
    "embedding",
    [
        np.ones(DIMENSION + 1, np.float32),
        np.ones(DIMENSION, np.float64),
        np.zeros(DIMENSION, np.float32),
        np.full(DIMENSION, np.nan, np.float32),
        np.ones((1, DIMENSION), np.float32),
    ],
)
def test_an_unusable_search_embedding_is_refused(
    catalog: Catalog, embedding: NDArray[np.float32]
) -> None:
    with pytest.raises(InvalidRequest):
        catalog.search_image(embedding)


def test_a_put_of_another_dimension_is_refused_and_nothing_is_written(catalog: Catalog) -> None:
    wrong = np.array([1.0, 0.0], np.float32)
    with pytest.raises(InvalidRequest, match="p2"):
        catalog.put([Product("p1"), Product("p2", embedding=wrong)])
    assert catalog.count() == 0


def test_name_search_ignores_case_and_accents_and_keeps_short_words(catalog: Catalog) -> None:
    catalog.put(
        [
            Product("creme", "Crème Brûlée 500ml"),
            Product("shirt", "T-Shirt XL Running"),
            Product("off", "Turn off switch"),
            Product("dress", "红色连衣裙 夏季"),
            Product("apart", "De\u0301compose\u0301"),
        ]
    )
    for text, found in {
        "CREME": ["creme"],
        "bru\u0302le\u0301e": ["creme"],  # accents as letters of their own
        "decompose": ["apart"],
        "xl": ["shirt"],
        "off": ["off"],
        "run": [],  # no stemming
        "连衣裙": ["dress"],
        "zzz": [],
    }.items():
        assert ids_of(catalog.search_name(text)) == found, text


def test_a_misspelt_word_does_not_hide_what_another_word_finds(catalog: Catalog) -> None:
    catalog.put([Product("boot", "Leather boot Timberland"), Product("lamp", "Desk lamp")])
    assert ids_of(catalog.search_name("lether boot timbrland")) == ["boot"]


def test_the_name_that_shares_more_and_rarer_words_comes_first(catalog: Catalog) -> None:
    catalog.put([Product(f"p{n}", f"blue shirt cotton {n}") for n in range(20)])
    catalog.put([Product("best", "red shirt MX500")])
    hits = catalog.search_name("shirt mx500 cotton", limit=3)
    assert ids_of(hits)[0] == "best"
    scores = [hit.similarity for hit in hits]
    assert scores == sorted(scores, reverse=True)
    assert min(scores) > 0


@pytest.mark.parametrize(
    "text",
    [
        *['"', '""', "'", "*", "a:b", "name:shoe", "(shoe", "shoe)", "+shoe -boot", "AND OR NOT"],
        *["\\", "shoe~2", "shoe^3", "[a TO b]", "shoe\x00", "{}", "' OR 1=1 --"],
        *["shoe " * 5_000, "x" * 9999],
    ],
)
def test_no_search_text_is_an_operator_or_an_error(catalog: Catalog, text: str) -> None:
    catalog.put([Product("p1", "Running shoe")])
    assert ids_of(catalog.search_name(text)) == (["p1"] if "shoe" in text else [])


@pytest.mark.parametrize("text", ["", "  ", "\n", "?!", "\u3000"])
def test_blank_search_text_finds_nothing(catalog: Catalog, text: str) -> None:
    catalog.put([Product("p1", "Running shoe"), Product("p2", "")])
    assert catalog.search_name(text) == []


def test_a_limit_below_one_is_refused(catalog: Catalog) -> None:
    with pytest.raises(InvalidRequest):
        catalog.search_name("shoe", limit=0)
    with pytest.raises(InvalidRequest):
        catalog.search_image(vectors(1)[0], limit=-1)


def test_text_that_is_not_unicode_is_refused(catalog: Catalog) -> None:
    half = "shoe \ud800"
    for attempt in (
        lambda: catalog.search_name(half),
        lambda: catalog.count({"brand": half}),
        lambda: catalog.get(half),
        lambda: catalog.delete([half]),
        lambda: Product("p1", name=half),
        lambda: Product("p1", attributes={half: "x"}),
    ):
        with pytest.raises(InvalidRequest):
            attempt()


@pytest.fixture
def shop(catalog: Catalog) -> Catalog:
    """Six products called `thing`, of which the first five have nearly the same embedding."""
    base = np.zeros(DIMENSION, np.float32)
    rows = [
        ("shirt", "Apparel/Topwear/Shirts", {"brand": "Nike", "size": "M"}),
        ("top", "Apparel/Topwear", {"brand": "Puma"}),
        ("apparel", "Apparel", {"brand": "Nike"}),
        ("other", "Apparel2/Topwear", {"brand": "Nike", "size": "Nike"}),
        ("quote", 'O\'Neill "x" 100%_\\', {"brand": "O'Neill", "a=b": "c"}),
        ("none", None, {}),
    ]
    products = []
    for index, (product_id, category, attributes) in enumerate(rows):
        vector = base.copy()
        vector[0], vector[1 + index] = 1.0, 0.1
        vector /= np.linalg.norm(vector)
        products.append(Product(product_id, "thing", category, attributes, vector))
    catalog.put(products)
    return catalog


@pytest.mark.parametrize(
    ("where", "found"),
    [
        (None, {"shirt", "top", "apparel", "other", "quote", "none"}),
        ({}, {"shirt", "top", "apparel", "other", "quote", "none"}),
        ({"category": "Apparel"}, {"shirt", "top", "apparel"}),
        ({"category": " Apparel / Topwear/"}, {"shirt", "top"}),
        ({"category": ["Apparel2", "Apparel/Topwear/Shirts"]}, {"shirt", "other"}),
        ({"category": "App"}, set()),
        ({"category": "%"}, set()),
        ({"category": 'O\'Neill "x" 100%_\\'}, {"quote"}),
        ({"brand": "Nike"}, {"shirt", "apparel", "other"}),
        ({"brand": ["Nike", "Puma"], "category": "Apparel"}, {"shirt", "top", "apparel"}),
        ({"brand": "Nike", "size": "M"}, {"shirt"}),
        ({"brand": "O'Neill"}, {"quote"}),
        ({"a=b": "c"}, {"quote"}),
        ({"a": "b=c"}, set()),
        ({"brand": []}, set()),
        ({"category": []}, set()),
        ({"nothing": "x"}, set()),
        ({"brand": "' OR 1=1 --"}, set()),
        ({"brand": "x'] ) OR array_has_any(attributes, ['brand=Nike"}, set()),
        ({"' OR 1=1 --": "x"}, set()),
        ({"category": "' OR 1=1 --"}, set()),
        ({"category": "\\' OR 1=1 --"}, set()),
    ],
)
def test_a_filter_holds_for_image_name_and_count_alike(
    shop: Catalog, where: dict[str, str | list[str]] | None, found: set[str]
) -> None:
    query = np.eye(DIMENSION, dtype=np.float32)[0]
    assert set(ids_of(shop.search_image(query, 20, where))) == found
    assert set(ids_of(shop.search_name("thing", 20, where))) == found
    assert shop.count(where) == len(found)


def test_a_filter_applies_before_the_limit(shop: Catalog) -> None:
    query = np.eye(DIMENSION, dtype=np.float32)[1]  # nearest to "shirt"
    where = {"brand": "Puma"}
    assert ids_of(shop.search_image(query, 1, where)) == ["top"]
    assert ids_of(shop.search_name("thing", 1, where)) == ["top"]


def test_a_filter_that_is_not_text_is_refused(shop: Catalog) -> None:
    for value in (1, None, [1], {"a": "b"}):
        with pytest.raises(InvalidRequest):
            shop.count({"brand": value})  # type: ignore[dict-item]


@pytest.mark.parametrize("product_id", ["x" * 256, "it's", "a/b c", "日本", "🥾", '"', "\\", "%"])
def test_any_printable_id_is_kept(catalog: Catalog, product_id: str) -> None:
    catalog.put([Product(product_id, "shoe")])
    found = catalog.get(product_id)
    assert found is not None
    assert found.id == product_id
    assert catalog.delete([product_id]) == 1


@pytest.mark.parametrize("graph_above", [1_000, 10_000], ids=["graph", "all compared"])
def test_the_index_agrees_with_the_exact_search_and_later_puts_need_no_reindex(
    catalog: Catalog, uri: str, graph_above: int
) -> None:
    stored = vectors(1500)
    catalog.put(
        [Product(f"p{n}", f"shoe {n}", f"C/{n % 9}", embedding=v) for n, v in enumerate(stored)]
        + [Product("none", "shoe none")]
    )
    queries = vectors(20, seed=5)
    exact = [catalog.search_image(query, 10) for query in queries]
    filtered = ids_of(catalog.search_image(queries[0], 10, {"category": "C/3"}))
    catalog.maintain(vector_index_above=1_000, graph_above=graph_above)
    indices = {index.name: index for index in catalog._table.list_indices()}
    assert set(indices) == {"name_idx", f"embedding_{EMBEDDING_ID[:12]}_idx"}
    assert indices["name_idx"].num_unindexed_rows == 0

    reader = Catalog.open(uri)
    found = [reader.search_image(query, 10) for query in queries]
    assert [ids_of(hits)[0] for hits in found] == [ids_of(hits)[0] for hits in exact]
    assert [hits[0].similarity for hits in found] == pytest.approx(
        [hits[0].similarity for hits in exact], abs=1e-4
    )
    assert ids_of(reader.search_image(queries[0], 10, {"category": "C/3"})) == filtered
    assert ids_of(reader.search_name("1234")) == ["p1234"]

    catalog.put([Product("late", "slipper", embedding=queries[0])])
    catalog.put([Product("p7", "slipper 7", embedding=queries[1])])
    assert ids_of(reader.search_image(queries[0], 1)) == ["late"]
    assert ids_of(reader.search_image(queries[1], 1)) == ["p7"]
    assert set(ids_of(reader.search_name("slipper"))) == {"late", "p7"}
    assert "p7" not in ids_of(reader.search_image(stored[7], 5))
    assert ids_of(reader.search_name("shoe 7 none", 1)) == ["none"]


def test_a_catalog_that_grows_gets_a_graph_and_keeps_it(catalog: Catalog) -> None:
    def index() -> str:
        return next(
            one.index_type for one in catalog._table.list_indices() if one.name != "name_idx"
        )

    stored = vectors(600)
    catalog.put([Product(f"p{n}", embedding=v) for n, v in enumerate(stored[:400])])
    catalog.maintain(vector_index_above=300, graph_above=500)
    assert index() == "IvfSq"
    catalog.put([Product(f"p{n}", embedding=v) for n, v in enumerate(stored)])
    catalog.maintain(vector_index_above=300, graph_above=500)
    assert index() == "IvfHnswSq"
    catalog.delete([f"p{n}" for n in range(300)])
    catalog.maintain(vector_index_above=200, graph_above=500)
    assert index() == "IvfHnswSq"
    assert ids_of(catalog.search_image(stored[555], 1)) == ["p555"]


def test_an_empty_catalog_can_be_maintained(catalog: Catalog) -> None:
    catalog.maintain(vector_index_above=0)
    assert catalog.count() == 0
    assert catalog.categories() == {}
    assert list(catalog.ids()) == []


def test_storage_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "y",
        "AWS_REGION": "us-east-1",
        "AWS_ALLOW_HTTP": "true",
    }.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(Unreachable, match="s3://shop/catalog: the catalog cannot be reached"):
        Catalog.open("s3://shop/catalog")


def test_memory_of_caches_is_bounded_however_often_the_catalog_is_written(
    uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_METADATA_CACHE_BYTES", 1 << 20)
    database._caches.cache_clear()
    catalog = Catalog.create(uri, EMBEDDING_ID, DIMENSION)
    for number, vector in enumerate(vectors(100)):
        catalog.put([Product(f"p{number % 20}", f"Lamp {number}", embedding=vector)])
        catalog.search_image(vector)
        catalog.search_name("lamp")
    held = database._caches().size_bytes
    database._caches.cache_clear()  # those of a megabyte are no others'
    assert held < 2 << 20


def test_an_index_that_grows_by_partitions_says_nothing(
    catalog: Catalog, capfd: pytest.CaptureFixture[str]
) -> None:
    for first in (0, 12_000, 24_000):
        some = vectors(12_000, seed=first)
        catalog.put([Product(f"p{first + n}", embedding=one) for n, one in enumerate(some)])
        catalog.maintain(vector_index_above=10_000)
    assert capfd.readouterr().err == ""
