"""The API over real HTTP on a real bundle, without Ray."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import uvicorn

from catalog.store import Catalog
from inference.bundle import read_bundle
from serve.api import create_api
from serve.catalog_door import CatalogDoor
from serve.live_catalog import LiveCatalog
from serve.model import Hardware
from serve.service import Service
from serve.settings import Settings, read_settings


@dataclass(frozen=True)
class Running:
    """A server in this process."""

    url: str
    service: Service
    loop: asyncio.AbstractEventLoop

    def on_loop(self, work: Callable[[], object]) -> None:
        """Call something where the service lives, and wait for it."""
        done: Future[None] = Future()

        def call() -> None:
            work()
            done.set_result(None)

        self.loop.call_soon_threadsafe(call)
        done.result(10)


@contextmanager
def running(
    bundle: Path,
    catalog_uri: str | None = None,
    settings: Settings | None = None,
    maintain_every_s: float = 60.0,
) -> Iterator[Running]:
    started: Future[Running] = Future()
    server: list[uvicorn.Server] = []

    async def main() -> None:
        door = None
        if catalog_uri is not None:
            live = LiveCatalog(catalog_uri, maintain_every_s)
            door = CatalogDoor(lambda method, *args: getattr(live, method)(*args))
        service = Service(settings or read_settings(), Hardware("cpu"), door)
        await service.slot.first(str(bundle))
        config = uvicorn.Config(create_api(service), port=0, log_level="critical", lifespan="off")
        server.append(uvicorn.Server(config))
        serving = asyncio.create_task(server[0].serve())
        while not server[0].started:
            await asyncio.sleep(0.01)
        port = server[0].servers[0].sockets[0].getsockname()[1]
        loop = asyncio.get_running_loop()
        started.set_result(Running(f"http://127.0.0.1:{port}", service, loop))
        await serving

    def run() -> None:
        try:
            asyncio.run(main())
        except BaseException as error:
            if not started.done():
                started.set_exception(error)
            raise

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield started.result(60)
    finally:
        if server:
            server[0].should_exit = True
        thread.join(10)


def empty_catalog(bundle: Path, directory: Path) -> str:
    document = read_bundle(bundle).document
    Catalog.create(str(directory), document.embedding_id, document.embedding_dimension)
    return str(directory)


@pytest.fixture(scope="session")
def server(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server with an empty catalog; small limits, so that large bodies are cheap to make."""
    catalog = empty_catalog(tiny_bundle, tmp_path_factory.mktemp("serve") / "catalog")
    settings = read_settings(max_photo_bytes=500_000, max_body_bytes=1_000_000, max_photos=40)
    with running(tiny_bundle, catalog, settings) as found:
        yield found


@pytest.fixture(scope="session")
def bare_server(tiny_bundle: Path) -> Iterator[Running]:
    """A server without a catalog."""
    with running(tiny_bundle) as found:
        yield found


@pytest.fixture
def http(server: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=30, trust_env=False) as client:
        yield client
