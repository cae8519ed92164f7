import multiprocessing
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
from lancedb.table import LanceTable

from catalog.errors import Overloaded
from catalog.product import Product
from catalog.store import Catalog
from tests.catalog.test_store import DIMENSION, EMBEDDING_ID, ids_of, vectors


@pytest.fixture
def uri(tmp_path: Path) -> str:
    return str(tmp_path / "catalog")


@pytest.fixture
def catalog(uri: str) -> Catalog:
    return Catalog.create(uri, EMBEDDING_ID, DIMENSION)


@pytest.fixture(params=["disk", "s3"])
def any_uri(request: pytest.FixtureRequest, uri: str) -> str:
    if request.param == "disk":
        return uri
    return f"{request.getfixturevalue('s3_bucket')}/catalog"


BARRIER: Barrier  # of a worker process, so that all four start together


def _begin(barrier: Barrier) -> None:
    global BARRIER
    BARRIER = barrier


@pytest.fixture(scope="module")
def four_processes() -> Iterator[ProcessPoolExecutor]:
    """Fresh interpreters, for LanceDB warns against forks; started once, as each takes seconds."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(4)
    with ProcessPoolExecutor(4, context, initializer=_begin, initargs=(barrier,)) as pool:
        yield pool


def race(pool: ProcessPoolExecutor, work: Callable[[str, int], None], uri: str) -> None:
    """Run `work(uri, writer)` in four processes at once; raises what any of them raises."""
    settings = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    for done in [pool.submit(_join_in, work, uri, n, settings) for n in range(4)]:
        done.result(90)


def _join_in(
    work: Callable[[str, int], None], uri: str, writer: int, settings: dict[str, str]
) -> None:
    os.environ.update(settings)
    BARRIER.wait(60)  # holds each process until all four have one task
    work(uri, writer)


def put_the_same_ids(uri: str, writer: int) -> None:
    catalog = Catalog.open(uri)
    products = [Product(f"p{n}", f"writer {writer}") for n in range(50)]
    for _ in range(3):
        BARRIER.wait(60)
        catalog.put(products)


def test_four_processes_putting_the_same_new_ids_leave_one_row_each(
    four_processes: ProcessPoolExecutor, any_uri: str
) -> None:
    catalog = Catalog.create(any_uri, EMBEDDING_ID, DIMENSION)
    race(four_processes, put_the_same_ids, any_uri)
    assert sorted(catalog.ids()) == sorted(f"p{n}" for n in range(50))
    names = {product.name for n in range(50) if (product := catalog.get(f"p{n}"))}
    assert len(names) == 1  # one whole put won


def put_own_ids(uri: str, writer: int) -> None:
    catalog = Catalog.create(uri, EMBEDDING_ID, DIMENSION)  # so that creating races too
    for n in range(8):
        catalog.put([Product(f"{writer}-{n}", f"shoe {n}", embedding=vectors(1, seed=n)[0])])
    deleted = catalog.delete([f"{writer}-0"])
    assert deleted == 1, (deleted, catalog.get(f"{writer}-0"))


def test_four_processes_creating_putting_and_deleting_lose_nothing(
    four_processes: ProcessPoolExecutor, any_uri: str
) -> None:
    race(four_processes, put_own_ids, any_uri)
    catalog = Catalog.open(any_uri, EMBEDDING_ID)
    assert sorted(catalog.ids()) == [f"{w}-{n}" for w in range(4) for n in range(1, 8)]
    assert len(catalog.search_name("shoe", limit=100)) == 28
    assert len(catalog.search_image(vectors(1)[0], limit=100)) == 28


def test_threads_of_one_process_share_a_handle(catalog: Catalog) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: catalog.put([Product(f"p{n % 10}", f"shoe {n}")]), range(40)))
        assert all(pool.map(lambda _: len(catalog.search_name("shoe", 50)) == 10, range(16)))
    assert catalog.count() == 10


def test_a_put_survives_kill_minus_nine(catalog: Catalog, uri: str) -> None:
    script = (
        "import os, signal, sys\n"
        "from catalog.product import Product\n"
        "from catalog.store import Catalog\n"
        "Catalog.open(sys.argv[1]).put([Product('p1', 'shoe', photos=(b'jpeg',))])\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    root = Path(__file__).parents[2]
    ended = subprocess.run([sys.executable, "-c", script, uri], cwd=root, timeout=60, check=False)
    assert ended.returncode == -9
    assert ids_of(catalog.search_name("shoe")) == ["p1"]
    product = catalog.get("p1")
    assert product is not None
    assert product.photos == (b"jpeg",)


def test_maintaining_while_others_write_loses_nothing(catalog: Catalog, uri: str) -> None:
    reader, done = Catalog.open(uri), threading.Event()

    def maintain() -> int:
        rounds = 0
        while not done.is_set():
            reader.maintain(vector_index_above=20)
            rounds += 1
        return rounds

    def write(writer: int) -> None:
        handle = Catalog.open(uri)
        for n in range(30):
            vector = vectors(1, seed=writer * 100 + n)[0]
            handle.put([Product(f"{writer}-{n}", f"shoe {n}", embedding=vector)])
            assert ids_of(handle.search_image(vector, 1)) == [f"{writer}-{n}"]

    with ThreadPoolExecutor(4) as pool:
        rounds = pool.submit(maintain)
        for writing in [pool.submit(write, writer) for writer in range(3)]:
            writing.result()
        done.set()
        assert rounds.result() > 0
    assert sorted(catalog.ids()) == sorted(f"{w}-{n}" for w in range(3) for n in range(30))
    assert len(catalog.search_name("shoe", limit=100)) == 90


def test_upkeep_that_loses_to_writers_is_put_off_and_a_write_that_does_is_told(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(40):
        catalog.put([Product(f"p{n}", "shoe")])

    def loses(*_: object, **__: object) -> None:
        raise RuntimeError("lance error: Retryable commit conflict for version 253")

    monkeypatch.setattr("catalog.commits._PAUSES_S", (0.001,) * 7)
    with monkeypatch.context() as patched:
        patched.setattr(LanceTable, "optimize", loses)
        assert not catalog.maintain()
    assert catalog.maintain()
    monkeypatch.setattr(LanceTable, "delete", loses)
    with pytest.raises(Overloaded, match="faster"):
        catalog.delete(["p1"])
