import subprocess
import sys
import time
from collections.abc import Iterator

import psutil
import pytest

from bench.serving.processes import MemoryWatch, cpu_seconds, resident, server_process, tree
from catalog.errors import InvalidRequest

_PORT = "47123"
_SERVER = """
import subprocess, sys, time
program = "x = b'1' * 50_000_000; import time; time.sleep(60)"
child = subprocess.Popen([sys.executable, "-c", program])
time.sleep(60)
"""


@pytest.fixture
def server() -> Iterator[psutil.Process]:
    process = subprocess.Popen([sys.executable, "-c", _SERVER, "--port", _PORT])
    found = psutil.Process(process.pid)
    until = time.monotonic() + 10
    while resident(found.children()) < 50_000_000 and time.monotonic() < until:
        time.sleep(0.05)
    yield found
    for one in tree(found):
        one.kill()
    process.wait()


def test_a_server_is_found_by_its_port_with_its_children(server: psutil.Process) -> None:
    found = server_process(f"http://127.0.0.1:{_PORT}")
    assert found.pid == server.pid
    assert len(tree(found)) == 2
    assert cpu_seconds(tree(found)) > 0


def test_memory_of_the_whole_tree_is_watched(server: psutil.Process) -> None:
    with MemoryWatch(f"http://127.0.0.1:{_PORT}", every_s=0.05) as watch:
        time.sleep(0.3)
    samples = watch.samples
    assert len(samples) >= 3
    assert (samples[:, 1] > 50_000_000).all()
    assert (samples[:, 2] == 0).all()


def test_a_port_without_a_server_is_an_error() -> None:
    with pytest.raises(InvalidRequest, match="no server"):
        server_process("http://127.0.0.1:1")
