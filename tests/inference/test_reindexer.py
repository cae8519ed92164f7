from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from catalog.errors import CatalogMissing, EmbeddingMismatch
from catalog.manifest import read_manifest
from catalog.product import Product
from catalog.rows import embedding_columns
from catalog.store import Catalog
from inference.bundle import Bundle, read_bundle
from inference.importer import import_manifest
from inference.reindexer import reindex
from inference.session import Session
from tests.bundles import another
from tests.colours import colour_photo
from tests.inference.test_importer import counted_runs

_NEW_ID = "beef" * 4


@pytest.fixture
def new_bundle(tiny_bundle: Path, tmp_path: Path) -> Bundle:
    return read_bundle(another(tiny_bundle, tmp_path / "new-bundle", embedding_id=_NEW_ID))


@pytest.fixture
def uri(bundle: Bundle, shop: str, tmp_path: Path) -> str:
    """The shop's twelve products, with embeddings that only their own bundle could have made."""
    uri = str(tmp_path / "catalog")
    import_manifest(bundle, read_manifest(shop), uri)
    catalog = Catalog.open(uri)
    drawn = np.random.default_rng(0).standard_normal((12, 32)).astype(np.float32)
    drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
    products = sorted(catalog.scan(with_photos=True), key=lambda one: one.id)
    catalog.put(
        [
            Product(p.id, p.name, p.category, p.attributes, vector, p.photos)
            for p, vector in zip(products, drawn, strict=True)
        ]
    )
    return uri


def put(catalog: Catalog, product_id: str, seed: int, name: str) -> None:
    vector = np.eye(32, dtype=np.float32)[seed % 32]
    photo = colour_photo("Warm/Red", seed)
    catalog.put([Product(product_id, name, "Warm/Red", {}, vector, (photo,))])


def test_every_product_is_embedded_again_from_its_copies(
    uri: str, new_bundle: Bundle, bundle: Bundle, shop: str, tmp_path: Path
) -> None:
    report = reindex(new_bundle, uri)
    assert (report.products, report.embedded, report.unreadable) == (12, 12, ())
    with pytest.raises(EmbeddingMismatch):
        Catalog.open(uri, bundle.document.embedding_id)
    fresh = str(tmp_path / "fresh")
    import_manifest(bundle, read_manifest(shop), fresh)
    expected = {one.id: one for one in Catalog.open(fresh).scan(with_embeddings=True)}
    for product in Catalog.open(uri, _NEW_ID).scan(with_embeddings=True, with_photos=True):
        same = expected[product.id]
        assert (product.name, product.category) == (same.name, same.category)
        assert len(product.photos) == 2
        assert product.embedding is not None
        assert same.embedding is not None
        # Of noise, which a second JPEG changes more than it does a photo.
        assert product.embedding @ same.embedding > 0.9


def test_the_old_embeddings_answer_until_it_is_done(
    uri: str, new_bundle: Bundle, bundle: Bundle
) -> None:
    report = reindex(new_bundle, uri, activate=False)
    assert report.embedded == 12
    assert Catalog.open(uri, bundle.document.embedding_id).count() == 12
    assert reindex(new_bundle, uri).embedded == 0
    assert Catalog.open(uri, _NEW_ID).count() == 12


def test_a_stopped_reindex_embeds_only_what_is_missing(
    uri: str, new_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inference.reindexer._PER_COMMIT", 5)
    real, commits = Catalog.embed, []

    def dies(self: Catalog, found: Sequence[Any]) -> None:
        if len(commits) == 1:
            raise KeyboardInterrupt
        real(self, found)
        commits.append(len(found))

    with monkeypatch.context() as patched:
        patched.setattr(Catalog, "embed", dies)
        with pytest.raises(KeyboardInterrupt):
            reindex(new_bundle, uri)
    sizes = counted_runs(monkeypatch)
    assert reindex(new_bundle, uri).embedded == 7
    assert sum(sizes) == 14


def test_one_that_is_told_to_stop_keeps_what_it_has_and_changes_nothing_over(
    uri: str, new_bundle: Bundle, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inference.reindexer._PER_COMMIT", 5)
    assert reindex(new_bundle, uri, stopped=lambda: True).embedded == 5
    assert Catalog.open(uri).embedding_id == bundle.document.embedding_id
    assert reindex(new_bundle, uri).embedded == 7


def while_it_embeds(monkeypatch: pytest.MonkeyPatch, write: Callable[[], object]) -> None:
    """Call something once, when the network is run for the first time."""
    real = Session.run
    written = []

    def writing(self: Session, images: Any) -> Any:
        if not written:
            written.append(True)
            write()
        return real(self, images)

    monkeypatch.setattr(Session, "run", writing)


def test_what_is_written_meanwhile_is_there_once_and_embedded_for_the_new_bundle(
    uri: str, new_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = Catalog.open(uri)

    def write() -> None:
        put(live, "added", 1, "Added")
        put(live, "p3", 2, "Renamed")
        live.delete(["p4"])
        live.file("p5", "Elsewhere")

    while_it_embeds(monkeypatch, write)
    reindex(new_bundle, uri)
    found = {
        one.id: one
        for one in Catalog.open(uri, _NEW_ID).scan(with_embeddings=True, with_photos=True)
    }
    assert found.keys() == {*(f"p{n}" for n in range(12) if n != 4), "added"}
    assert all(one.embedding is not None for one in found.values())
    assert (found["p3"].name, found["p5"].category) == ("Renamed", "Elsewhere")
    assert found["p3"].photos == (colour_photo("Warm/Red", 2),)


def test_a_photo_that_is_replaced_while_it_is_embedded_gets_no_embedding_of_the_old_one(
    uri: str, new_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    red, blue = colour_photo("Warm/Red", 5), colour_photo("Cool/Blue", 5)
    live = Catalog.open(uri)
    live.put([Product("p3", "P", None, {}, live_vector(), (red,))])
    while_it_embeds(
        monkeypatch, lambda: live.put([Product("p3", "P", None, {}, live_vector(), (blue,))])
    )
    reindex(new_bundle, uri)
    new = Catalog.open(uri, _NEW_ID)
    new.put([Product("blue", "B", None, {}, None, (blue,))])
    reindex(new_bundle, uri)
    found, alone = new.get("p3"), new.get("blue")
    assert found is not None
    assert alone is not None
    assert found.embedding == pytest.approx(alone.embedding, abs=1e-4)


def test_a_product_put_for_the_old_bundle_after_the_change_over_is_there_and_soon_embedded(
    uri: str, new_bundle: Bundle
) -> None:
    live = Catalog.open(uri)
    reindex(new_bundle, uri)
    put(live, "late", 1, "Late")
    new = Catalog.open(uri, _NEW_ID)
    assert [hit.product.id for hit in new.search_name("late")] == ["late"]
    assert new.not_embedded() == ["late"]
    assert reindex(new_bundle, uri).embedded == 1
    found = new.get("late")
    assert found is not None
    assert found.embedding is not None


def test_two_at_once_do_each_other_no_harm(
    uri: str, new_bundle: Bundle, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inference.reindexer._PER_COMMIT", 3)
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(reindex, new_bundle, uri) for _ in range(2)]:
            assert done.result().products == 12
    assert Catalog.open(uri, _NEW_ID).not_embedded() == []
    assert Catalog.beside(uri, bundle.document.embedding_id).not_embedded() == []


def test_going_back_embeds_only_what_changed(uri: str, new_bundle: Bundle, bundle: Bundle) -> None:
    reindex(new_bundle, uri)
    put(Catalog.open(uri), "added", 1, "Added")
    report = reindex(bundle, uri)
    assert (report.products, report.embedded) == (13, 1)


def test_embeddings_before_the_last_are_dropped_and_who_asks_for_them_is_told(
    uri: str, new_bundle: Bundle, bundle: Bundle, tiny_bundle: Path, tmp_path: Path
) -> None:
    oldest = Catalog.open(uri)
    reindex(new_bundle, uri)
    third = another(tiny_bundle, tmp_path / "third", embedding_id="cafe" * 4)
    reindex(read_bundle(third), uri)
    assert len(embedding_columns(oldest._table.schema.names)) == 2
    with pytest.raises(EmbeddingMismatch):
        Catalog.beside(uri, bundle.document.embedding_id)
    with pytest.raises(EmbeddingMismatch):
        oldest.search_image(live_vector())
    with pytest.raises(EmbeddingMismatch):
        put(oldest, "lost", 1, "Lost")
    with pytest.raises(EmbeddingMismatch):
        oldest.get("p1")


def test_a_product_whose_copies_are_damaged_is_found_by_name(uri: str, new_bundle: Bundle) -> None:
    live = Catalog.open(uri)
    live.put([Product("broken", "Broken", "Warm/Red", {}, live_vector(), (b"no jpeg",))])
    report = reindex(new_bundle, uri)
    assert report.unreadable == ("broken",)
    found = Catalog.open(uri).get("broken")
    assert found is not None
    assert (found.name, found.embedding, found.photos) == ("Broken", None, (b"no jpeg",))


def live_vector() -> NDArray[np.float32]:
    return np.eye(32, dtype=np.float32)[0]


def test_the_bundle_it_answers_for_already_changes_nothing(uri: str, bundle: Bundle) -> None:
    assert reindex(bundle, uri).embedded == 0


def test_a_catalog_that_is_not_there_is_an_error(new_bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(CatalogMissing):
        reindex(new_bundle, str(tmp_path / "none"))
