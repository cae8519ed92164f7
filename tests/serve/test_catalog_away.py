"""What needs the live catalog while its process is gone or does not answer."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest
from ray.exceptions import ActorDiedError
from ray.serve.handle import DeploymentHandle

from serve import catalog_over_ray as over_ray
from serve.catalog_door import CatalogDoor
from serve.catalog_over_ray import catalog_over_ray
from serve.problems import NotReady


class Away:
    """A handle whose deployment does what it is told to."""

    def __init__(self, does: Callable[[], Any]) -> None:
        self._does = does

    def __getattr__(self, _: str) -> "Away":
        return self

    async def remote(self, *_: object) -> Any:
        """A call of any method."""
        return await self._does()


async def never() -> None:
    await asyncio.sleep(3_600)


async def died() -> None:
    raise ActorDiedError


async def fails() -> None:
    raise ZeroDivisionError


def away(does: Callable[[], Any]) -> CatalogDoor:
    return catalog_over_ray(cast(DeploymentHandle, Away(does)))


@pytest.mark.parametrize("does", [never, died])
def test_it_is_told_soon(monkeypatch: pytest.MonkeyPatch, does: Callable[[], Any]) -> None:
    monkeypatch.setattr(over_ray, "_READS_S", 0.1)
    with pytest.raises(NotReady, match="the catalog does not answer"):
        asyncio.run(away(does).facts())


def test_a_fault_of_its_own_stays_one() -> None:
    with pytest.raises(ZeroDivisionError):
        asyncio.run(away(fails).facts())


def test_an_embedding_of_the_whole_catalog_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(over_ray, "_READS_S", 0.05)

    async def slow() -> None:
        await asyncio.sleep(0.2)

    asyncio.run(away(slow).follow("bundle", "embedding", start=True))
