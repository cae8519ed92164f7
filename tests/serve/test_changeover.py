"""The live catalog while the service changes from one bundle to another."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from catalog.errors import CatalensError, EmbeddingMismatch
from catalog.product import Product
from catalog.store import Catalog
from inference import reindexer
from inference.bundle import read_bundle
from serve.catalog_door import CatalogDoor
from serve.live_catalog import LiveCatalog
from serve.model import Hardware
from serve.service import Service
from serve.settings import read_settings
from tests.bundles import another
from tests.colours import colour_photo
from tests.serve.conftest import empty_catalog

RED = colour_photo("Warm/Red")
NEW = "f" * 16


def vector(place: int) -> NDArray[np.float32]:
    return np.eye(32, dtype=np.float32)[place]


def photographed(product_id: str, place: int = 0) -> Product:
    return Product(product_id, f"name {product_id}", "A", {}, vector(place), (RED,))


@pytest.fixture
def uri(tiny_bundle: Path, tmp_path: Path) -> str:
    uri = empty_catalog(tiny_bundle, tmp_path / "catalog")
    Catalog.open(uri).put([photographed(f"p{n}", n) for n in range(6)])
    return uri


@pytest.fixture
def old(tiny_bundle: Path) -> str:
    return read_bundle(tiny_bundle).document.embedding_id


@pytest.fixture
def second(tiny_bundle: Path, tmp_path: Path) -> str:
    return str(another(tiny_bundle, tmp_path / "second", embedding_id=NEW))


def door(uri: str) -> CatalogDoor:
    live = LiveCatalog(uri, 60.0)
    return CatalogDoor(lambda method, *args: getattr(live, method)(*args))


@pytest.fixture
def held_back(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """A fill begins only when this is set."""
    free = threading.Event()
    real = reindexer._Filling.run

    def waits(self: reindexer._Filling, progress: reindexer.Progress | None) -> None:
        assert free.wait(30)
        real(self, progress)

    monkeypatch.setattr(reindexer._Filling, "run", waits)
    return free


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.02)


def test_both_bundles_are_answered_while_one_follows_the_other(
    uri: str, old: str, second: str, held_back: threading.Event
) -> None:
    async def main() -> None:
        catalog = door(uri)
        following = asyncio.create_task(catalog.follow(second, NEW, start=True))
        await asyncio.sleep(0.1)
        await catalog.put(photographed("meanwhile", 20), old)
        (found,) = await catalog.search(vector(20), old, None, 1)
        assert found.product.id == "meanwhile"
        assert (await catalog.facts()).embedding_id == old
        held_back.set()
        await following
        assert (await catalog.facts()).embedding_id == NEW
        # A replica that has not changed over yet still asks and writes with the old one.
        (found,) = await catalog.search(vector(20), old, None, 1)
        assert found.product.id == "meanwhile"
        await catalog.put(photographed("late", 21), old)
        assert [one.product.id for one in await catalog.search(None, NEW, "late", 1)] == ["late"]
        assert await catalog.get("late") is not None
        assert await catalog.delete("p1") == 1
        assert await catalog.get("p1") is None

    asyncio.run(main())


def test_going_back_before_it_is_done_leaves_the_catalog_with_the_old_bundle(
    uri: str, old: str, second: str, tiny_bundle: Path, held_back: threading.Event
) -> None:
    async def main() -> None:
        catalog = door(uri)
        following = asyncio.create_task(catalog.follow(second, NEW, start=True))
        await asyncio.sleep(0.1)
        await catalog.follow(str(tiny_bundle), old, start=True)
        held_back.set()
        with pytest.raises(EmbeddingMismatch, match="in the meantime"):
            await following
        assert (await catalog.facts()).embedding_id == old
        await catalog.put(photographed("after", 22), old)
        assert (await catalog.search(vector(22), old, None, 1))[0].product.id == "after"
        assert Catalog.open(uri).embedding_id == old

    asyncio.run(main())


def test_replicas_that_follow_one_bundle_wait_for_one_fill(
    uri: str, second: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = []
    real = reindexer.reindex

    def counted(*args: object, **flags: object) -> object:
        begun.append(True)
        return real(*args, **flags)  # type: ignore[arg-type]

    monkeypatch.setattr(reindexer, "reindex", counted)

    async def main() -> None:
        catalog = door(uri)
        await asyncio.gather(*(catalog.follow(second, NEW, start=True) for _ in range(4)))

    asyncio.run(main())
    assert len(begun) == 1


def test_what_was_written_for_the_old_bundle_is_embedded_afterwards(
    uri: str, old: str, second: str
) -> None:
    async def main() -> None:
        live = LiveCatalog(uri, maintain_every_s=0.1)
        catalog = CatalogDoor(lambda method, *args: getattr(live, method)(*args))
        await catalog.follow(second, NEW, start=True)
        await catalog.put(photographed("late", 23), old)
        new = Catalog.open(uri, NEW)
        await until(lambda: new.not_embedded() == [])

    asyncio.run(main())


def test_the_share_embedded_is_told_of_a_change_over_and_not_of_catching_up(
    uri: str, old: str, second: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled, go_on = threading.Event(), threading.Event()
    real = reindexer._Filling.run

    def stays(self: reindexer._Filling, progress: reindexer.Progress | None) -> None:
        real(self, progress)
        filled.set()
        assert go_on.wait(30)

    async def main() -> None:
        live = LiveCatalog(uri, maintain_every_s=0.1)
        catalog = CatalogDoor(lambda method, *args: getattr(live, method)(*args))
        following = asyncio.create_task(catalog.follow(second, NEW, start=True))
        await until(filled.is_set)
        assert (await catalog.facts()).reindexed == 1.0
        go_on.set()
        await following
        filled.clear()
        go_on.clear()
        await catalog.put(photographed("late", 23), old)
        await until(filled.is_set)
        assert (await catalog.facts()).reindexed is None
        go_on.set()

    monkeypatch.setattr(reindexer._Filling, "run", stays)
    asyncio.run(main())


def test_a_fill_that_fails_is_told_in_a_sentence_and_can_be_asked_for_again(
    uri: str, second: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(self: Catalog, _: object) -> None:
        raise RuntimeError("lance error: Traceback (most recent call last)")

    async def main() -> None:
        catalog = door(uri)
        with monkeypatch.context() as patched:
            patched.setattr(Catalog, "embed", breaks)
            with pytest.raises(CatalensError, match="could not be embedded") as caught:
                await catalog.follow(second, NEW, start=True)
        assert "Traceback" not in str(caught.value)
        await catalog.follow(second, NEW, start=True)
        assert (await catalog.facts()).embedding_id == NEW

    asyncio.run(main())


def test_a_replica_that_starts_in_between_answers_with_the_last_bundle_and_follows(
    uri: str, old: str, second: str, tiny_bundle: Path, held_back: threading.Event
) -> None:
    async def main() -> None:
        catalog = door(uri)
        await catalog.follow(str(tiny_bundle), old, start=False)
        service = Service(read_settings(), Hardware("cpu"), catalog)
        await service.first(second)
        assert service.model.uri == str(tiny_bundle)
        later = Service(read_settings(), Hardware("cpu"), catalog)
        async with asyncio.timeout(10):  # by now the fill has begun, and may take hours
            await later.first(second)
        assert later.model.uri == str(tiny_bundle)
        held_back.set()
        await until(lambda: service.model.uri == later.model.uri == second)

    asyncio.run(main())


def test_a_live_catalog_that_starts_anew_knows_the_last_bundle(
    uri: str, old: str, second: str, tiny_bundle: Path
) -> None:
    async def main() -> None:
        await door(uri).follow(str(tiny_bundle), old, start=False)
        catalog = door(uri)
        assert await catalog.last_bundle() == str(tiny_bundle)
        service = Service(read_settings(), Hardware("cpu"), catalog)
        await service.first(second)
        assert service.model.uri == str(tiny_bundle)
        await until(lambda: service.model.uri == second)
        assert await door(uri).last_bundle() == second

    asyncio.run(main())


def test_a_replica_that_is_told_of_a_bad_bundle_answers_with_the_last_good_one(
    uri: str, old: str, tiny_bundle: Path, tmp_path: Path
) -> None:
    async def main() -> None:
        catalog = door(uri)
        await catalog.follow(str(tiny_bundle), old, start=False)
        service = Service(read_settings(), Hardware("cpu"), catalog)
        await service.first(str(tmp_path / "none"))
        assert service.model.uri == str(tiny_bundle)
        await until(lambda: service.slot.swap is not None and service.slot.swap.state == "refused")

    asyncio.run(main())
