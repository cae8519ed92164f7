"""Four writers and four readers on one catalog at once, each a process, racing on equal ids too."""

import multiprocessing
import os
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.managers import SyncManager
from pathlib import Path
from queue import Queue
from typing import Any, Final

import numpy as np

from bench.figures import Figures
from catalog.product import Product
from catalog.store import Catalog

_SECONDS: Final = 120.0
_PROCESSES: Final = 4
_SHARED: Final = 20  # ids that all writers write
_DIMENSION: Final = 16
_ID: Final = "ace0" * 4
_MAINTAINED_EVERY: Final = 5.0
_HEARD_WITHIN: Final = 60.0

# Name and embedding as they were written; None where it was deleted.
_Written = tuple[str, list[float]] | None


def measure_races(figures: Figures, work: Path) -> None:
    """Add `races_lost`, `races_doubled`, `races_errors` and `races_unread`, each to be 0.

    A writer puts its own products and such as others write too, and deletes some of its own; what
    it has written it tells a reader, which must find it at once. In the end each of its own
    products must be as it wrote it last, and each shared one as one of the writers wrote it last.

    Args:
        figures: to add to.
        work: where the catalog is made.
    """
    place = work / "raced"
    shutil.rmtree(place, ignore_errors=True)
    _race(figures, "races", str(place), {})


def measure_races_on_s3(figures: Figures, work: Path) -> None:
    """The same against an S3 server on loopback, as `races_s3_...`."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    endpoint = "http://{}:{}".format(*server.get_host_and_port())
    settings = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "AWS_REGION": "us-east-1",
    }
    before = dict(os.environ)
    os.environ.update(settings)
    import boto3

    boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1").create_bucket(Bucket="shop")
    try:
        _race(figures, "races_s3", "s3://shop/raced", settings)
    finally:
        os.environ.clear()
        os.environ.update(before)
        server.stop()


def _race(figures: Figures, key: str, uri: str, settings: dict[str, str]) -> None:
    catalog = Catalog.create(uri, _ID, _DIMENSION)
    with _workers() as (pool, manager):
        told, heard = ([manager.Queue() for _ in range(_PROCESSES)] for _ in range(2))
        until = time.time() + _SECONDS
        reading = [
            pool.submit(_read, uri, settings, *queues) for queues in zip(told, heard, strict=True)
        ]
        writing = [
            pool.submit(_write, uri, settings, number, until, told[number], heard[number])
            for number in range(_PROCESSES)
        ]
        upkeep = pool.submit(_maintain, uri, settings, until)
        written = [one.result() for one in writing]
        read = [one.result() for one in reading]
        upkeep.result()
    ids = catalog.ids()
    there: dict[str, _Written] = {
        one.id: (one.name or "", [] if one.embedding is None else one.embedding.tolist())
        for one in catalog.scan(with_embeddings=True)
    }
    lost = sum(there.get(one) != last for own in written for one, last in own["own"].items())
    lost += sum(
        there.get(shared) not in [own["shared"].get(shared) for own in written]
        for shared in {one for own in written for one in own["shared"]}
    )
    figures.add(f"{key}_writes", sum(own["writes"] for own in written))
    figures.add(f"{key}_reads", sum(found["reads"] for found in read))
    figures.add(f"{key}_lost", lost)
    figures.add(f"{key}_doubled", len(ids) - len(set(ids)))
    figures.add(f"{key}_errors", sum(own["errors"] for own in (*written, *read)))
    figures.add(f"{key}_unread", sum(found["unread"] for found in read))


@contextmanager
def _workers() -> Iterator[tuple[ProcessPoolExecutor, SyncManager]]:
    context = multiprocessing.get_context("spawn")
    with (
        context.Manager() as manager,
        ProcessPoolExecutor(2 * _PROCESSES + 1, mp_context=context) as pool,
    ):
        yield pool, manager


def _write(
    uri: str,
    settings: dict[str, str],
    number: int,
    until: float,
    told: "Queue[Any]",
    heard: "Queue[Any]",
) -> dict[str, Any]:
    os.environ.update(settings)
    catalog = Catalog.open(uri)
    rng = np.random.default_rng(number)
    own: dict[str, _Written] = {}
    shared: dict[str, _Written] = {}
    writes = errors = 0
    while time.time() < until:
        mine, everybodys = f"{number}-{rng.integers(200)}", f"shared-{rng.integers(_SHARED)}"
        name = f"thing {writes} of {number}"
        vector = rng.standard_normal(_DIMENSION).astype(np.float32)
        vector /= np.linalg.norm(vector)
        try:
            if own.get(mine) and rng.random() < 0.2:
                catalog.delete([mine])
                own[mine] = None
            else:
                catalog.put([Product(one, name, "A", {}, vector) for one in (mine, everybodys)])
                own[mine] = shared[everybodys] = name, vector.tolist()
            writes += 1
            told.put((mine, own[mine], vector))
            heard.get(timeout=_HEARD_WITHIN)  # so the next write does not hide this one
        except Exception:  # noqa: BLE001 - counted
            errors += 1
    told.put(None)
    return {"own": own, "shared": shared, "writes": writes, "errors": errors}


def _read(
    uri: str, settings: dict[str, str], told: "Queue[Any]", heard: "Queue[Any]"
) -> dict[str, int]:
    os.environ.update(settings)
    catalog = Catalog.open(uri)
    reads = unread = errors = 0
    while (one := told.get()) is not None:
        product_id, written, vector = one
        try:
            found = catalog.get(product_id)
            unread += (found.name if found else None) != (written and written[0])
            if written is not None:
                near = [hit.product.id for hit in catalog.search_image(vector, 3)]
                named = [hit.product.id for hit in catalog.search_name(written[0], 30)]
                unread += product_id not in near
                unread += product_id not in named
            reads += 1
        except Exception:  # noqa: BLE001 - counted
            errors += 1
        heard.put(True)
    return {"reads": reads, "unread": unread, "errors": errors}


def _maintain(uri: str, settings: dict[str, str], until: float) -> None:
    os.environ.update(settings)
    catalog = Catalog.open(uri)
    while time.time() < until:
        catalog.maintain(vector_index_above=100)
        time.sleep(_MAINTAINED_EVERY)
