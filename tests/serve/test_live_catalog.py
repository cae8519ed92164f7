import asyncio
import pickle
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from catalog.errors import CatalogMissing, InvalidRequest
from catalog.product import Product
from catalog.store import Catalog
from serve.catalog_door import CatalogDoor, Refusal
from serve.group_commit import GroupCommit
from serve.live_catalog import LiveCatalog

OWN = "e" * 16


def vector(seed: int) -> NDArray[np.float32]:
    found = np.random.default_rng(seed).normal(size=8).astype(np.float32)
    return found / np.linalg.norm(found)


def door(live: LiveCatalog) -> CatalogDoor:
    """As through Ray: arguments and answers are pickled."""

    async def call(method: str, *args: object) -> object:
        sent = pickle.loads(pickle.dumps(args))
        return pickle.loads(pickle.dumps(await getattr(live, method)(*sent)))

    return CatalogDoor(call)


@pytest.fixture
def uri(tmp_path: Path) -> str:
    Catalog.create(str(tmp_path / "c"), OWN, 8)
    return str(tmp_path / "c")


def test_puts_at_the_same_time_share_commits_and_are_all_kept(
    uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        live = LiveCatalog(uri, 60.0)
        commits = []
        real = Catalog.put

        def counted(self: Catalog, products: Sequence[Product]) -> None:
            commits.append(len(products))
            real(self, products)

        monkeypatch.setattr(Catalog, "put", counted)
        catalog = door(live)
        await asyncio.gather(
            *(
                catalog.put(Product(f"p{n}", f"name {n}", embedding=vector(n)), OWN)
                for n in range(30)
            )
        )
        assert sum(commits) == 30
        assert len(commits) < 30
        assert (await catalog.facts()).products == 30

    asyncio.run(main())


def test_a_put_through_one_handle_is_found_by_the_next_search_of_another(uri: str) -> None:
    async def main() -> None:
        writer, reader = door(LiveCatalog(uri, 60.0)), door(LiveCatalog(uri, 60.0))
        for number in range(5):
            await writer.put(Product(f"p{number}", f"word{number}", embedding=vector(number)), OWN)
            by_photo = await reader.search(vector(number), OWN, None, 1)
            by_text = await reader.search(None, OWN, f"word{number}", 5)
            assert [one.product.id for one in by_photo] == [f"p{number}"]
            assert [one.product.id for one in by_text] == [f"p{number}"]

    asyncio.run(main())


def test_what_was_acknowledged_is_there_after_a_restart(uri: str) -> None:
    asyncio.run(door(LiveCatalog(uri, 60.0)).put(Product("kept", "Kept", photos=(b"jpeg",)), OWN))
    found = asyncio.run(door(LiveCatalog(uri, 60.0)).get("kept"))
    assert found is not None
    assert found.photos == (b"jpeg",)


def test_one_bad_product_does_not_cost_the_others_of_its_commit(uri: str) -> None:
    async def main() -> None:
        catalog = door(LiveCatalog(uri, 60.0))
        wide = np.ones(4, np.float32) / 2
        results = await asyncio.gather(
            *(catalog.put(Product(f"p{n}", "a", embedding=vector(n)), OWN) for n in range(3)),
            catalog.put(Product("wide", "a", embedding=wide), OWN),
            return_exceptions=True,
        )
        assert [type(one) for one in results] == [type(None)] * 3 + [InvalidRequest]
        assert (await catalog.facts()).products == 3

    asyncio.run(main())


def test_a_refusal_travels_as_a_value_and_is_raised_as_the_error_it_was(uri: str) -> None:
    async def main() -> None:
        live = LiveCatalog(uri, 60.0)
        assert isinstance(await live.search(np.zeros(8, np.float32), OWN, None, 3), Refusal)
        with pytest.raises(InvalidRequest, match="zero or not finite"):
            await door(live).search(np.zeros(8, np.float32), OWN, None, 3)

    asyncio.run(main())


def test_a_missing_catalog_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CatalogMissing):
        LiveCatalog(str(tmp_path / "none"), 60.0)


def test_a_commit_that_panics_is_an_error_and_the_next_one_is_made() -> None:
    class Panic(BaseException):
        """As LanceDB's, which is no Exception."""

    def write(items: Sequence[int]) -> None:
        if 1 in items:
            raise Panic("inside Rust")

    async def main() -> None:
        commits = GroupCommit(write)
        found = await asyncio.gather(*map(commits.submit, range(4)), return_exceptions=True)
        assert [type(one) for one in found] == [type(None), RuntimeError, type(None), type(None)]
        await asyncio.wait_for(commits.submit(7), 5)

    asyncio.run(main())
