"""The live catalog asked through Ray: for so long and no longer, its absence told as an error."""

import asyncio
from typing import Final

from ray.exceptions import RayActorError
from ray.serve.exceptions import RayServeException
from ray.serve.handle import DeploymentHandle

from serve.catalog_door import CatalogDoor
from serve.problems import NotReady

_READS_S: Final = 15.0
_WRITES_S: Final = 120.0  # a compaction may be in the way
_WRITES: Final = ("put", "delete", "move_category", "keep_review", "decide", "undo")
_PATIENCE_S: Final = dict.fromkeys(_WRITES, _WRITES_S) | {"follow": None}  # it embeds all products


def catalog_over_ray(handle: DeploymentHandle) -> CatalogDoor:
    """The door to a `LiveCatalog` that Ray runs.

    Its calls raise `NotReady` where the process is gone, or does not answer in time: Ray alone
    would wait for another without end. It is on the head; what needs no catalog answers without.
    """

    async def ask(method: str, *args: object) -> object:
        try:
            async with asyncio.timeout(_PATIENCE_S.get(method, _READS_S)):
                return await getattr(handle, method).remote(*args)
        except (RayActorError, RayServeException, TimeoutError) as error:
            raise NotReady(
                "the catalog does not answer.",
                fix="Try again in a few seconds. Without a catalog photos can still be classified.",
            ) from error

    return CatalogDoor(ask)
