"""Photos by URL: what is fetched, and what never is."""

import asyncio
import contextlib
import http.server
import ipaddress
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from catalog.errors import CatalensError, ImageTooLarge, InvalidRequest
from serve.photo_urls import Address, PhotoFetcher, is_public
from serve.ports import free_ports
from serve.settings import read_settings
from tests.colours import colour_photo
from tests.serve.conftest import running

PHOTO = colour_photo("Warm/Red")
NAME = "cdn.shop.example"
PORT = free_ports(1)[0]
HOST = f"{NAME}:{PORT}"

PRIVATE = (
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",
    "168.63.129.16",
    "192.88.99.1",
    "192.0.0.170",
    "192.0.2.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::127.0.0.1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2001::1",
    "2001:db8::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "3fff::1",
    "fec0::1",
    "ff02::1",
)


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_inside_is_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07::1", "8.8.8.8"])
def test_an_address_of_the_internet_is(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


class Answers(http.server.BaseHTTPRequestHandler):
    """What a host may answer, by path."""

    def do_GET(self) -> None:
        self.server.seen.append(self.path)  # type: ignore[attr-defined]
        kind, _, more = self.path[1:].partition("/")
        if kind == "to":
            self.send_response(302)
            self.send_header("Location", more)
            self.end_headers()
            return
        if kind == "slow":
            time.sleep(20)
        self.send_response(404 if kind == "missing" else 200)
        self.send_header("Content-Type", "text/html" if kind == "page" else "image/jpeg")
        if kind == "gzip":
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        body = PHOTO + bytes(10_000_000) if kind == "huge" else PHOTO
        with contextlib.suppress(OSError):
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def host() -> Iterator[http.server.ThreadingHTTPServer]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Answers)
    server.seen = []  # type: ignore[attr-defined]
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def resolving(monkeypatch: pytest.MonkeyPatch, *answers: str) -> list[str]:
    """Every name leads to these addresses in turn; the names that were asked for."""
    asked: list[str] = []

    async def resolve(
        loop: object, name: str, port: int, **more: object
    ) -> list[tuple[object, ...]]:
        address = answers[min(len(asked), len(answers) - 1)]
        asked.append(name)
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [(family, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(asyncio.base_events.BaseEventLoop, "getaddrinfo", resolve)
    return asked


def fetch(
    url: str,
    allows: Callable[[Address], bool] = is_public,
    hosts: tuple[str, ...] = (HOST,),
    wait_s: float = 10.0,
) -> bytes:
    async def main() -> bytes:
        async with asyncio.timeout(wait_s):
            return await PhotoFetcher(hosts, 1_000_000, allows).fetch(url)

    return asyncio.run(main())


@pytest.mark.parametrize("address", PRIVATE)
def test_a_name_that_leads_inside_is_not_followed(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    resolving(monkeypatch, address)
    with pytest.raises(InvalidRequest, match="cannot be fetched"):
        fetch(f"http://{HOST}/a.jpg")


TRICKS = (
    "http://127.0.0.1/a.jpg",
    "http://2130706433/a.jpg",
    "http://0x7f000001/a.jpg",
    "http://0177.0.0.1/a.jpg",
    "http://127.1/a.jpg",
    "http://[::1]/a.jpg",
    "http://[::ffff:127.0.0.1]/a.jpg",
    "http://localhost/a.jpg",
    "http://metadata.google.internal/computeMetadata/v1/",
    "http://evil.example/a.jpg",
    f"http://{NAME}.evil.example/a.jpg",
    f"http://evil-{NAME}/a.jpg",
    f"http://{NAME}@127.0.0.1/a.jpg",
    f"http://user:pass@{NAME}/a.jpg",
    f"http://127.0.0.1#@{NAME}/a.jpg",
    f"http://127.0.0.1?@{NAME}/a.jpg",
    f"http://127.0.0.1\\@{NAME}/a.jpg",
    f"http://{NAME}:22/a.jpg",
    f"https://{NAME}:80/a.jpg",
    f"http://{NAME}./a.jpg",
    f"http://{NAME}%2eevil.example/a.jpg",
    f"http://{NAME}\u3002evil.example/a.jpg",
    f"file:///{NAME}/etc/passwd",
    f"ftp://{NAME}/a.jpg",
    f"gopher://{NAME}/_x",
    "unix:///var/run/docker.sock",
    "data:image/png;base64,AAAA",
    f"//{NAME}/a.jpg",
    f"{NAME}/a.jpg",
    f"http://{NAME}/a.jpg\r\nX-Evil: 1",
    f"http:///{NAME}/a.jpg",
    "http://",
    "",
)


@pytest.mark.parametrize("url", TRICKS)
def test_no_trick_leads_to_a_host_that_is_not_allowed(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    asked = resolving(monkeypatch, "127.0.0.1")
    with pytest.raises(CatalensError):
        fetch(url, lambda address: True, hosts=(NAME,))
    assert asked == []


def test_a_photo_is_fetched_by_the_name_of_its_host(
    monkeypatch: pytest.MonkeyPatch, host: http.server.ThreadingHTTPServer
) -> None:
    resolving(monkeypatch, "127.0.0.1")
    assert fetch(f"http://{HOST}/a.jpg?width=3", allows=lambda address: True) == PHOTO
    assert host.seen == ["/a.jpg?width=3"]  # type: ignore[attr-defined]


def test_all_below_a_host_may_be_allowed(
    monkeypatch: pytest.MonkeyPatch, host: http.server.ThreadingHTTPServer
) -> None:
    resolving(monkeypatch, "127.0.0.1")
    allowed = (f"*.shop.example:{PORT}",)
    assert fetch(f"http://a.b.shop.example:{PORT}/x", lambda address: True, allowed) == PHOTO
    for other in (f"http://shop.example:{PORT}/x", f"http://evilshop.example:{PORT}/x"):
        with pytest.raises(InvalidRequest, match="not allowed"):
            fetch(other, lambda address: True, allowed)


def test_a_redirect_is_followed_to_a_host_that_is_allowed(
    monkeypatch: pytest.MonkeyPatch, host: http.server.ThreadingHTTPServer
) -> None:
    resolving(monkeypatch, "127.0.0.1")
    assert fetch(f"http://{HOST}/to//b.jpg", allows=lambda address: True) == PHOTO


def test_another_address_of_a_host_is_tried_where_one_does_not_answer(
    monkeypatch: pytest.MonkeyPatch, host: http.server.ThreadingHTTPServer
) -> None:
    async def resolve(*_: object, **__: object) -> list[tuple[object, ...]]:
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", PORT)),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", PORT)),
        ]

    monkeypatch.setattr(asyncio.base_events.BaseEventLoop, "getaddrinfo", resolve)
    assert fetch(f"http://{HOST}/a.jpg", allows=lambda address: True) == PHOTO


def test_a_redirect_that_is_no_address_is_refused(
    monkeypatch: pytest.MonkeyPatch, host: http.server.ThreadingHTTPServer
) -> None:
    resolving(monkeypatch, "127.0.0.1")
    with pytest.raises(InvalidRequest, match="cannot be read"):
        fetch(f"http://{HOST}/to/:http://[", allows=lambda address: True)


@pytest.mark.parametrize(
    "target",
    ["http://127.0.0.1/x", "http://localhost/x", "file:///etc/passwd", "http://169.254.169.254/"],
)
def test_a_redirect_leads_nowhere_else(
    monkeypatch: pytest.MonkeyPatch, host: http.server.ThreadingHTTPServer, target: str
) -> None:
    resolving(monkeypatch, "127.0.0.1")
    with pytest.raises(InvalidRequest):
        fetch(f"http://{HOST}/to/{target}", allows=lambda address: True)
    assert len(host.seen) == 1  # type: ignore[attr-defined]


def test_redirects_end(
    monkeypatch: pytest.MonkeyPatch, host: http.server.ThreadingHTTPServer
) -> None:
    resolving(monkeypatch, "127.0.0.1")
    around = f"http://{HOST}/" + "to//" * 9 + "a.jpg"
    with pytest.raises(InvalidRequest, match="redirects more than"):
        fetch(around, allows=lambda address: True)


def test_a_name_that_changes_between_check_and_connection_leads_nowhere(
    monkeypatch: pytest.MonkeyPatch, host: http.server.ThreadingHTTPServer
) -> None:
    """It is resolved once; the connection goes to the address that was checked."""
    asked = resolving(monkeypatch, "192.0.2.1", "127.0.0.1")
    checked: list[str] = []

    def allows(address: Address) -> bool:
        checked.append(str(address))
        return True

    with pytest.raises(InvalidRequest):
        fetch(f"http://{HOST}/a.jpg", allows)
    assert (asked, checked) == ([NAME], ["192.0.2.1"])
    assert host.seen == []  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("path", "said"), [("page", "not a photo"), ("missing", "404"), ("gzip", "not a photo")]
)
def test_what_is_not_a_photo_is_refused(
    monkeypatch: pytest.MonkeyPatch,
    host: http.server.ThreadingHTTPServer,
    path: str,
    said: str,
) -> None:
    resolving(monkeypatch, "127.0.0.1")
    with pytest.raises(InvalidRequest, match=said):
        fetch(f"http://{HOST}/{path}", allows=lambda address: True)


def test_a_photo_without_end_is_not_read_to_its_end(
    monkeypatch: pytest.MonkeyPatch, host: http.server.ThreadingHTTPServer
) -> None:
    resolving(monkeypatch, "127.0.0.1")
    with pytest.raises(ImageTooLarge):
        fetch(f"http://{HOST}/huge", allows=lambda address: True)


def test_a_host_that_does_not_answer_is_given_up(
    monkeypatch: pytest.MonkeyPatch, host: http.server.ThreadingHTTPServer
) -> None:
    resolving(monkeypatch, "127.0.0.1")
    with pytest.raises(InvalidRequest, match="too long"):
        fetch(f"http://{HOST}/slow", allows=lambda address: True)


def test_over_http_a_url_of_another_host_is_a_problem(tiny_bundle: Path) -> None:
    settings = read_settings(image_hosts=HOST)
    with running(tiny_bundle, settings=settings) as server:
        body = {"product": {"image_url": "http://169.254.169.254/latest/meta-data/"}}
        answer = httpx.post(f"{server.url}/v1/categorize", json=body, trust_env=False)
    assert answer.status_code == 422
    assert answer.json()["where"] == "product.image_url"
