"""`POST /v1/products:import`: a line of JSON for each product, kept while more of them come in."""

import asyncio
import logging
from typing import Final

from fastapi import APIRouter, Request
from starlette.requests import ClientDisconnect

from catalog.errors import CatalensError, Overloaded
from catalog.product import check_id
from serve.access.audit import note
from serve.api.asked import Asked, of_body
from serve.api.documented import answer
from serve.api.products import store
from serve.api.schemas import ImportAnswer, ImportedProductBody, RefusedLine
from serve.batching import RETRY_AFTER_S
from serve.bodies import media_type, parse_json, read_lines, unsupported
from serve.catalog_door import CatalogDoor
from serve.problems import NotReady, RequestTooLarge, document_of
from serve.service import Service

_logger = logging.getLogger(__name__)
_NDJSON: Final = ("application/x-ndjson", "application/jsonl", "application/ndjson")
_MOST_PROBLEMS: Final = 1_000


def import_routes(service: Service) -> APIRouter:
    """The call, bound to a replica's service."""
    router = APIRouter()

    @router.post(
        "/v1/products:import",
        responses=answer(ImportAnswer),
        openapi_extra={
            "requestBody": {
                "required": True,
                "description": "a line of JSON for each product",
                "content": {
                    _NDJSON[0]: {"schema": {"$ref": "#/components/schemas/ImportedProductBody"}}
                },
            }
        },
    )
    async def import_products(request: Request) -> ImportAnswer:
        """Insert or replace products, any number of them; of equal ids the last wins.

        A line that cannot be kept costs only itself. Sending all again is harmless.
        """
        catalog = service.catalog
        found = media_type(request)
        if found not in _NDJSON:
            raise unsupported(found, f"{_NDJSON[0]}, a line of JSON for each product")
        importing = _Import(service, catalog)
        try:
            async with asyncio.TaskGroup() as tasks:
                async for number, line in read_lines(request, importing.longest):
                    await importing.add(tasks, number, line)
        except BaseExceptionGroup as group:
            if group.subgroup(ClientDisconnect) is not None:
                raise ClientDisconnect from group
            raise
        finally:
            note(request.scope, stored=importing.stored, refused=importing.refused)
        importing.problems.sort(key=lambda one: one.line)
        return ImportAnswer(
            stored=importing.stored,
            refused=importing.refused,
            problems=importing.problems[:_MOST_PROBLEMS],
        )

    return router


class _Import:
    """One import: no more lines are at work than keep the graph and the commits busy."""

    def __init__(self, service: Service, catalog: CatalogDoor) -> None:
        self.stored = 0
        self.refused = 0
        self.problems: list[RefusedLine] = []
        # A photo in base64, and as much again as a product says of itself at most.
        self.longest = service.settings.max_photo_bytes * 4 // 3 + 2**16
        self._service = service
        self._catalog = catalog
        self._free = asyncio.Semaphore(4 * service.model.session.batch_sizes[-1])
        self._last: dict[str, asyncio.Task[None]] = {}

    async def add(self, tasks: asyncio.TaskGroup, number: int, line: bytes | None) -> None:
        """Begin with a line, once there is room."""
        await self._free.acquire()
        try:
            if line is None:
                raise RequestTooLarge(
                    f"the line has over {self.longest:,} bytes.", fix="Send smaller photos."
                )
            product = parse_json(line, ImportedProductBody)
        except CatalensError as error:
            self._refuse(number, None, error)
            self._free.release()
            return
        before = self._last.get(product.id)
        task = tasks.create_task(self._keep(number, product, before))
        self._last[product.id] = task
        task.add_done_callback(lambda done: self._end(product.id, done))

    async def _keep(
        self, number: int, product: ImportedProductBody, before: asyncio.Task[None] | None
    ) -> None:
        if before is not None:
            await asyncio.wait([before])
        asked: Asked | None = None
        while True:
            try:
                asked = asked or await of_body(product, self._service)
                await store(
                    self._service,
                    self._catalog,
                    check_id(product.id),
                    asked,
                    product.category,
                    product.attributes,
                )
            except (Overloaded, NotReady):
                await asyncio.sleep(RETRY_AFTER_S)
            except Exception as error:  # noqa: BLE001 - a line must not cost the others
                return self._refuse(number, product.id, error)
            else:
                self.stored += 1
                return None

    def _end(self, product_id: str, task: asyncio.Task[None]) -> None:
        self._free.release()
        if self._last.get(product_id) is task:
            del self._last[product_id]

    def _refuse(self, number: int, product_id: str | None, error: Exception) -> None:
        if not isinstance(error, CatalensError):
            _logger.error("line %d of an import", number, exc_info=error)
            error = CatalensError("it failed unexpectedly")
        self.refused += 1
        if len(self.problems) < 2 * _MOST_PROBLEMS:  # they end in another order than they came
            self.problems.append(
                RefusedLine(line=number, id=product_id, problem=document_of(error))
            )
