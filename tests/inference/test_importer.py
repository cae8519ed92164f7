import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from catalog.errors import EmbeddingMismatch, InvalidManifest
from catalog.images import decode
from catalog.manifest import Manifest, ManifestConfig, read_manifest
from catalog.product import Product
from catalog.reviews.decide import decide
from catalog.reviews.queue import Reviews
from catalog.reviews.record import Review
from catalog.store import Catalog
from inference.bundle import Bundle
from inference.importer import import_manifest
from inference.session import Session
from tests.colours import colour_photo
from tests.inference.conftest import WriteShop

CATEGORY = frozenset({"category"})


@pytest.fixture
def uri(tmp_path: Path) -> str:
    return str(tmp_path / "catalog")


def counted_runs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many photos each run of the network saw."""
    sizes: list[int] = []
    run = Session.run

    def counting(self: Session, images: Any) -> Any:
        sizes.append(len(images))
        return run(self, images)

    monkeypatch.setattr(Session, "run", counting)
    return sizes


def test_rows_with_one_id_become_one_product(bundle: Bundle, shop: str, uri: str) -> None:
    report = import_manifest(bundle, read_manifest(shop), uri)
    assert (report.products, report.photos, report.unchanged, report.bad) == (12, 24, 0, ())
    product = Catalog.open(uri, bundle.document.embedding_id).get("p5")
    assert product is not None
    assert product.name == "Green paint number 5"
    assert product.category == "Cool/Green"
    assert [Image.open(io.BytesIO(copy)).size for copy in product.photos] == [(64, 64)] * 2


def test_the_embedding_is_the_mean_of_the_photos_at_unit_length(
    bundle: Bundle, session: Session, shop: str, uri: str, tmp_path: Path
) -> None:
    import_manifest(bundle, read_manifest(shop), uri)
    spec = bundle.document.image
    photos = [decode((tmp_path / f"0-{n}.jpg").read_bytes(), spec) for n in range(2)]
    mean = session.run(np.stack(photos)).embeddings.mean(axis=0)
    product = Catalog.open(uri).get("p0")
    assert product is not None
    assert product.embedding == pytest.approx(mean / np.linalg.norm(mean), abs=1e-5)


def test_photos_of_a_product_need_not_be_neighbours_in_the_manifest(
    bundle: Bundle, write_shop: WriteShop, uri: str, tmp_path: Path
) -> None:
    for name in "abc":
        (tmp_path / f"{name}.jpg").write_bytes(colour_photo("Warm/Red", ord(name)))
    shop = write_shop(
        [("a.jpg", "R", "x", "1", ""), ("b.jpg", "R", "y", "2", ""), ("c.jpg", "R", "x", "1", "")]
    )
    import_manifest(bundle, read_manifest(shop), uri)
    product = Catalog.open(uri).get("1")
    assert product is not None
    assert len(product.photos) == 2


def test_a_product_may_have_only_a_name(bundle: Bundle, write_shop: WriteShop, uri: str) -> None:
    shop = write_shop([("", "Milk", "Oat milk", "m", "")])
    report = import_manifest(bundle, read_manifest(shop, needs=CATEGORY), uri)
    assert (report.products, report.photos) == (1, 0)
    product = Catalog.open(uri).get("m")
    assert product is not None
    assert (product.embedding, product.photos, product.name) == (None, (), "Oat milk")


def test_attributes_of_all_rows_are_kept_and_the_first_wins(
    bundle: Bundle, uri: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    path.write_text("id,name,category,brand,size\nx,X,A,Acme,\nx,X,A,Other,L\n")
    import_manifest(bundle, read_manifest(str(path), needs=CATEGORY), uri)
    product = Catalog.open(uri).get("x")
    assert product is not None
    assert product.attributes == {"brand": "Acme", "size": "L"}


def test_a_repeated_import_runs_no_photo_again_and_changes_nothing(
    bundle: Bundle, shop: str, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_manifest(bundle, read_manifest(shop), uri)
    before = Catalog.open(uri).get("p3")
    sizes = counted_runs(monkeypatch)
    report = import_manifest(bundle, read_manifest(shop), uri)
    assert (report.products, report.photos, report.unchanged) == (12, 24, 12)
    assert sizes == []
    after = Catalog.open(uri).get("p3")
    assert before is not None
    assert after is not None
    assert (after.photos, after.name) == (before.photos, before.name)
    assert Catalog.open(uri).count() == 12


def test_an_import_that_was_killed_goes_on(
    bundle: Bundle, shop: str, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inference.importer._PER_COMMIT", 3)
    put = Catalog.put

    def killed_at_the_third(self: Catalog, products: Any) -> None:
        if self.count() == 6:
            raise KeyboardInterrupt
        put(self, products)

    with monkeypatch.context() as patched:
        patched.setattr(Catalog, "put", killed_at_the_third)
        with pytest.raises(KeyboardInterrupt):
            import_manifest(bundle, read_manifest(shop), uri)
    assert Catalog.open(uri).count() == 6
    sizes = counted_runs(monkeypatch)
    report = import_manifest(bundle, read_manifest(shop), uri)
    assert (report.products, report.unchanged) == (12, 6)
    assert sum(sizes) == 12
    assert Catalog.open(uri).count() == 12


@pytest.mark.parametrize("change", ["photo", "name", "category", "one more photo"])
def test_a_changed_product_is_imported_again(
    bundle: Bundle, write_shop: WriteShop, uri: str, tmp_path: Path, change: str
) -> None:
    for name, seed in (("a.jpg", 1), ("b.jpg", 2)):
        (tmp_path / name).write_bytes(colour_photo("Warm/Red", seed))
    kept = ("b.jpg", "Warm/Red", "Kept", "2", "")
    first = ("a.jpg", "Warm/Red", "Paint", "1", "")
    import_manifest(bundle, read_manifest(write_shop([first, kept])), uri)
    rows = [first, kept]
    if change == "photo":
        (tmp_path / "a.jpg").write_bytes(colour_photo("Cool/Blue"))
    elif change == "name":
        rows[0] = ("a.jpg", "Warm/Red", "Lacquer", "1", "")
    elif change == "category":
        rows[0] = ("a.jpg", "Warm", "Paint", "1", "")
    else:
        rows.append(("b.jpg", "Warm/Red", "Paint", "1", ""))
    report = import_manifest(bundle, read_manifest(write_shop(rows)), uri)
    assert (report.products, report.unchanged) == (2, 1)


def lax(shop: str) -> Manifest:
    return read_manifest(shop, ManifestConfig(max_bad=0.5), needs=CATEGORY)


def test_bad_rows_are_listed_and_the_product_keeps_its_good_photos(
    bundle: Bundle, shop: str, uri: str, tmp_path: Path
) -> None:
    (tmp_path / "0-0.jpg").write_bytes(b"no photo")
    (tmp_path / "1-0.jpg").unlink()
    (tmp_path / "1-1.jpg").unlink()
    listed = tmp_path / "bad.csv"
    report = import_manifest(bundle, lax(shop), uri, bad_rows_file=listed)
    assert (report.products, report.photos, len(report.bad)) == (11, 21, 3)
    assert len(listed.read_text().splitlines()) == 4
    catalog = Catalog.open(uri)
    product = catalog.get("p0")
    assert product is not None
    assert len(product.photos) == 1
    assert catalog.get("p1") is None


def test_a_photo_that_cannot_be_read_for_a_moment_leaves_the_product_as_it_was(
    bundle: Bundle, shop: str, uri: str, tmp_path: Path
) -> None:
    import_manifest(bundle, read_manifest(shop), uri)
    before = Catalog.open(uri).get("p0")
    photo = tmp_path / "0-0.jpg"
    away = photo.rename(tmp_path / "away")
    report = import_manifest(bundle, lax(shop), uri)
    assert [row.problem for row in report.bad] == ["no such file."]
    during = Catalog.open(uri).get("p0")
    assert before is not None
    assert during is not None
    assert (during.photos, during.revision) == (before.photos, before.revision)
    away.rename(photo)
    assert import_manifest(bundle, read_manifest(shop), uri).unchanged == 12


@pytest.mark.parametrize("moment", ["before its put", "after its put"])
def test_what_people_decide_and_move_while_it_runs_holds(
    bundle: Bundle, shop: str, uri: str, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    real, once = Catalog.put, []

    def people(catalog: Catalog) -> None:
        if once:
            return
        once.append(True)
        catalog.move_category("Warm", "Hot")
        reviews = Reviews(uri)
        asked = Review("r", "p5", "Green", (), 0, "Cool/Green", 0.6, (), datetime.now(UTC))
        reviews.keep([asked])
        waiting = reviews.get("r")
        assert waiting is not None
        decide(catalog, reviews, waiting, "Hot/Lava", Product("p5", "Green"))

    def put(self: Catalog, products: list[Product]) -> None:
        if moment == "before its put":
            people(self)
            real(self, products)
        else:
            real(self, products)
            people(self)

    monkeypatch.setattr(Catalog, "put", put)
    import_manifest(bundle, read_manifest(shop), uri)
    categories = {one.id: one.category for one in Catalog.open(uri).scan()}
    assert categories.pop("p5") == "Hot/Lava"
    assert {str(category).partition("/")[0] for category in categories.values()} == {"Hot", "Cool"}


def test_too_many_bad_rows_stop_the_import(
    bundle: Bundle, shop: str, uri: str, tmp_path: Path
) -> None:
    for number in range(2):
        (tmp_path / f"{number}-0.jpg").unlink()
    listed = tmp_path / "bad.csv"
    with pytest.raises(InvalidManifest, match="2 of 24 rows are bad"):
        import_manifest(bundle, read_manifest(shop), uri, bad_rows_file=listed)
    assert listed.exists()


def test_a_product_with_an_unusable_id_is_a_bad_row(
    bundle: Bundle, write_shop: WriteShop, uri: str
) -> None:
    shop = write_shop(
        [("", "A", "Long", "x" * 300, ""), ("", "A", "", "nothing", ""), ("", "A", "Good", "g", "")]
        + [("", "A", f"Good {n}", f"g{n}", "") for n in range(3)]
    )
    report = import_manifest(bundle, lax(shop), uri)
    assert report.products == 4
    assert [row.line for row in report.bad] == [2, 3]
    assert "300 characters" in report.bad[0].problem
    assert "neither photo nor name" in report.bad[1].problem


def test_a_catalog_of_another_model_is_refused(bundle: Bundle, shop: str, uri: str) -> None:
    Catalog.create(uri, "ffff" * 4, 32)
    with pytest.raises(EmbeddingMismatch):
        import_manifest(bundle, read_manifest(shop), uri)


def test_progress_ends_at_the_number_of_rows(bundle: Bundle, shop: str, uri: str) -> None:
    steps: list[tuple[int, int]] = []
    import_manifest(
        bundle, read_manifest(shop), uri, lambda done, total: steps.append((done, total))
    )
    assert steps[-1] == (24, 24)
