"""Keys, scopes, rates, audit log, headers: over real HTTP on a real bundle."""

import http.client
import json
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from catalens.client import Client, ClientError
from catalog.errors import InvalidRequest
from serve.access.audit import AuditLog
from serve.access.keys import KeyRing, create_key, read_keys
from serve.settings import read_settings
from tests.colours import colour_photo
from tests.serve.conftest import Running, empty_catalog, running

PHOTO = colour_photo("Warm/Red")
JPEG = {"Content-Type": "image/jpeg"}


@dataclass(frozen=True)
class Guarded:
    """A server that asks for keys."""

    url: str
    reader: str
    writer: str
    slow: str
    file: Path
    audit: Path

    def call(self, method: str, path: str, key: str | None, **more: object) -> httpx.Response:
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        headers |= dict(more.pop("headers", {}))  # type: ignore[call-overload]
        with httpx.Client(base_url=self.url, timeout=30, trust_env=False) as http:
            return http.request(method, path, headers=headers, **more)  # type: ignore[arg-type]

    def log(self) -> list[dict[str, object]]:
        """The lines so far; one is written just after its answer was sent."""
        time.sleep(0.2)
        return [json.loads(line) for line in self.audit.read_text("utf-8").splitlines()]


@pytest.fixture(scope="module")
def guarded(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    place = tmp_path_factory.mktemp("access")
    file, audit = place / "keys.json", place / "audit.log"
    reader = create_key(file, "reader", "read")
    writer = create_key(file, "writer", "write")
    slow = create_key(file, "slow", "read", "2/minute")
    settings = read_settings(
        api_keys=str(file), audit_log=str(audit), rate_limit="1000/second", cors_origins=""
    )
    with running(tiny_bundle, empty_catalog(tiny_bundle, place / "catalog"), settings) as found:
        yield Guarded(found.url, reader, writer, slow, file, audit)


CALLS = (
    ("POST", "/v1/classify"),
    ("POST", "/v1/compare"),
    ("POST", "/v1/categorize"),
    ("POST", "/v1/tags"),
    ("POST", "/v1/search"),
    ("GET", "/v1/model"),
    ("GET", "/v1/categories"),
    ("GET", "/v1/reviews"),
    ("GET", "/v1/reviews:export"),
    ("GET", "/v1/products/p1"),
    ("PUT", "/v1/products/p1"),
    ("DELETE", "/v1/products/p1"),
    ("POST", "/v1/products:import"),
    ("POST", "/v1/categories:move"),
    ("POST", "/v1/reviews/r1:accept"),
    ("GET", "/nowhere"),
)
WRITES = tuple(call for call in CALLS if call[0] in ("PUT", "DELETE")) + tuple(
    call for call in CALLS if call[0] == "POST" and ":" in call[1]
)


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_without_a_key_nothing_is_answered(guarded: Guarded, method: str, path: str) -> None:
    answer = guarded.call(method, path, None)
    assert answer.status_code == 401
    assert answer.json()["type"] == "unauthorized"
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "path", ["/healthz", "/readyz", "/docs", "/openapi.json", "/", "/page/app.js"]
)
def test_probes_and_the_description_need_no_key(guarded: Guarded, path: str) -> None:
    assert guarded.call("GET", path, None).status_code == 200


# What somebody without a key, or with one that may only read, would try.
BYPASSES: dict[str, tuple[str, str, dict[str, str]]] = {
    "another key": ("POST", "/v1/classify", {"Authorization": "Bearer catalens_" + "A" * 43}),
    "empty key": ("POST", "/v1/classify", {"Authorization": "Bearer"}),
    "no scheme": ("POST", "/v1/classify", {"Authorization": "{reader}"}),
    "basic": ("POST", "/v1/classify", {"Authorization": "Basic {reader}"}),
    "hash for key": ("POST", "/v1/classify", {"Authorization": "Bearer {hash}"}),
    "name for key": ("POST", "/v1/classify", {"X-API-Key": "reader"}),
    "key cut short": ("POST", "/v1/classify", {"X-API-Key": "{short}"}),
    "key and more": ("POST", "/v1/classify", {"X-API-Key": "{reader}x"}),
    "wildcard": ("POST", "/v1/classify", {"X-API-Key": "*"}),
    "null byte escaped": ("POST", "/v1/classify", {"X-API-Key": "{reader}%00"}),
    "in the query": ("POST", "/v1/classify?key={reader}&api_key={reader}", {}),
    "in a cookie": ("POST", "/v1/classify", {"Cookie": "key={reader}"}),
    "through a probe": ("POST", "/healthz/../v1/classify", {}),
    "through the page's files": ("GET", "/page/../v1/model", {}),
    "out of the page's files": ("GET", "/page/%2e%2e/settings.py", {}),
    "through the docs' files": ("GET", "/static-offline-docs/../v1/model", {}),
    "encoded dots": ("GET", "/static-offline-docs/%2e%2e/v1/model", {}),
    "encoded slash": ("GET", "/healthz%2f..%2fv1%2fmodel", {}),
    "doubled slash": ("GET", "//v1/model", {}),
    "capitals": ("GET", "/V1/model", {}),
    "trailing slash": ("GET", "/v1/model/", {}),
    "parameter in the path": ("GET", "/healthz;/v1/model", {}),
    "rewritten path": ("GET", "/v1/model", {"X-Original-URL": "/healthz"}),
    "rewritten method": ("POST", "/v1/classify", {"X-HTTP-Method-Override": "GET"}),
    "said to be local": ("GET", "/v1/model", {"X-Forwarded-For": "127.0.0.1"}),
    "said to be let in": ("GET", "/v1/model", {"X-Remote-User": "admin"}),
    "head": ("HEAD", "/v1/model", {}),
    "options": ("OPTIONS", "/v1/model", {}),
}


@pytest.mark.parametrize("name", BYPASSES)
def test_no_way_around_the_key(guarded: Guarded, name: str) -> None:
    method, path, headers = BYPASSES[name]
    given = {
        "reader": guarded.reader,
        "short": guarded.reader[:-1],
        "hash": read_keys(guarded.file)[0].sha256,
    }
    # By http.client: httpx would tidy the path up before it is sent.
    connection = http.client.HTTPConnection(guarded.url.removeprefix("http://"), timeout=30)
    connection.request(
        method,
        path.format(**given),
        headers={key: value.format(**given) for key, value in headers.items()},
    )
    answer = connection.getresponse()
    below_the_pages_files = path.startswith(("/page/", "/static-offline-docs/"))
    assert answer.status in ((404,) if below_the_pages_files else (401,))
    assert b"embedding_id" not in answer.read()


@pytest.mark.parametrize(
    "headers", [{"Authorization": "Bearer {}"}, {"authorization": "bearer {}"}, {"X-API-Key": "{}"}]
)
def test_a_key_is_taken_from_either_header(guarded: Guarded, headers: dict[str, str]) -> None:
    given = {name: value.format(guarded.reader) for name, value in headers.items()}
    answer = guarded.call("POST", "/v1/classify", None, headers=given | JPEG, content=PHOTO)
    assert answer.status_code == 200


@pytest.mark.parametrize(("method", "path"), WRITES)
def test_a_key_that_may_read_may_not_write(guarded: Guarded, method: str, path: str) -> None:
    answer = guarded.call(method, path, guarded.reader, json={"name": "x"})
    assert answer.status_code == 403
    assert answer.json()["type"] == "forbidden"


def test_a_write_is_in_the_audit_log_with_its_key_and_what_it_was_about(guarded: Guarded) -> None:
    body = {"name": "red bike", "category": "Warm/Red"}
    assert guarded.call("PUT", "/v1/products/a/1", guarded.writer, json=body).status_code == 200
    assert guarded.call("GET", "/v1/products/a/1", guarded.reader).status_code == 200
    assert guarded.call("DELETE", "/v1/products/a/1", guarded.reader).status_code == 403
    assert guarded.call("DELETE", "/v1/products/a/1", None).status_code == 401
    assert guarded.call("DELETE", "/v1/products/a/1", guarded.writer).status_code == 204
    mine = [line for line in guarded.log() if line["path"] == "/v1/products/a/1"]
    # Nor is written what somebody without a key tried: anybody could fill the disk so.
    assert [(one["key"], one["method"], one["status"]) for one in mine] == [
        ("writer", "PUT", 200),
        ("reader", "DELETE", 403),
        ("writer", "DELETE", 204),
    ]
    assert (mine[0]["product"], mine[0]["category"]) == ("a/1", "Warm/Red")
    assert guarded.writer not in guarded.audit.read_text("utf-8")


def test_an_import_says_in_the_audit_log_how_many_it_kept(guarded: Guarded) -> None:
    lines = "\n".join(json.dumps({"id": f"i{n}", "name": f"bike {n}"}) for n in range(3))
    headers = {"Content-Type": "application/x-ndjson"}
    answer = guarded.call(
        "POST", "/v1/products:import", guarded.writer, headers=headers, content=lines
    )
    assert answer.json()["stored"] == 3
    assert guarded.log()[-1]["stored"] == 3


def test_an_import_that_breaks_off_says_how_many_it_kept(guarded: Guarded) -> None:
    host, _, port = guarded.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port))) as connection:
        line = json.dumps({"id": "broken/off", "name": "bike"}).encode() + b"\n"
        connection.sendall(
            b"POST /v1/products:import HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n"
            b"Content-Type: application/x-ndjson\r\n"
            b"Authorization: Bearer %s\r\n\r\n%s" % (guarded.writer.encode(), line)
        )
        while guarded.call("GET", "/v1/products/broken/off", guarded.reader).status_code == 404:
            time.sleep(0.1)
    end = time.monotonic() + 10
    while guarded.log()[-1].get("stored") != 1 or guarded.log()[-1]["status"] != 0:
        assert time.monotonic() < end, guarded.log()[-1]
        time.sleep(0.1)


def test_what_a_key_that_may_read_asks_waits_for_no_person(guarded: Guarded) -> None:
    body = {"product": {"name": "mystery"}, "id": "mystery"}
    asked = {
        name: guarded.call("POST", "/v1/categorize", key, json=body).json()
        for name, key in (("reader", guarded.reader), ("writer", guarded.writer))
    }
    assert asked["reader"]["decision"] == asked["writer"]["decision"] != "auto"
    assert asked["reader"]["review"] is None
    assert asked["writer"]["review"] == guarded.log()[-1]["review"]
    assert guarded.call("GET", "/v1/reviews", guarded.reader).json()["total"] == 1


def test_a_long_path_makes_no_long_line(guarded: Guarded) -> None:
    guarded.call("DELETE", "/v1/products/" + "%01" * 10_000, guarded.writer)
    assert len(guarded.audit.read_text("utf-8").splitlines()[-1]) < 8_000


def test_a_line_of_the_audit_log_cannot_be_forged(guarded: Guarded) -> None:
    before = len(guarded.log())
    forged = '/v1/products/x%0A{"key":"admin"}'
    guarded.call("DELETE", forged, guarded.writer, headers={"X-Forwarded-For": 'a"\tb'})
    assert len(guarded.log()) == before + 1
    assert guarded.log()[-1]["forwarded_for"] == 'a"\tb'


def test_too_many_requests_are_told_when_to_come_again_and_others_are_not_held_up(
    guarded: Guarded,
) -> None:
    statuses = [guarded.call("GET", "/v1/model", guarded.slow).status_code for _ in range(4)]
    assert statuses == [200, 200, 429, 429]
    answer = guarded.call("GET", "/v1/model", guarded.slow)
    assert answer.json()["type"] == "rate-limited"
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert guarded.call("GET", "/v1/model", guarded.reader).status_code == 200


def test_the_client_sends_its_key(guarded: Guarded) -> None:
    with Client(guarded.url, key=guarded.reader) as client:
        assert client.classify([PHOTO]).results
    with Client(guarded.url) as client, pytest.raises(ClientError) as caught:
        client.classify([PHOTO])
    assert caught.value.type == "unauthorized"


@pytest.mark.parametrize("key", ["catalens_SECRET\x01", "catalens_SECRÉT"])
def test_the_client_never_prints_a_key(key: str) -> None:
    with pytest.raises(ClientError) as caught:
        Client("http://127.0.0.1:1", key=key)
    assert "SECR" not in str(caught.value)


def test_keys_that_are_added_and_taken_back_count_without_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    first = create_key(file, "first", "read").encode()
    ring = KeyRing(file, look_every_s=0.0)
    second = create_key(file, "second", "write").encode()
    assert getattr(ring.find(second), "name", None) == "second"
    whole = json.loads(file.read_text())
    file.write_text(json.dumps([one for one in whole if one["name"] == "second"]))
    assert ring.find(first) is None
    assert ring.find(second) is not None


def test_a_key_file_that_breaks_leaves_the_keys_of_before(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "keys.json"
    key = create_key(file, "first", "read").encode()
    ring = KeyRing(file, look_every_s=0.0)
    file.write_text("[{")
    assert ring.find(key) is not None
    assert "stay in force" in caplog.text
    file.unlink()
    assert ring.find(key) is not None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[", "Invalid JSON"),
        ('[{"name": "a"}]', "Field required"),
        ('[{"name": "a", "scope": "admin", "sha256": "' + "0" * 64 + '"}]', "'read' or 'write'"),
        ('[{"name": "a", "scope": "read", "sha256": "secret"}]', "match"),
    ],
)
def test_a_bad_key_file_is_refused_with_its_place(tmp_path: Path, content: str, said: str) -> None:
    file = tmp_path / "keys.json"
    file.write_text(content)
    with pytest.raises(InvalidRequest, match=said) as caught:
        KeyRing(file)
    assert str(file) in caught.value.where
    assert "secret" not in str(caught.value)


def test_the_key_file_holds_no_key_and_is_the_owners_alone(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    key = create_key(file, "a", "read")
    assert key not in file.read_text()
    assert file.stat().st_mode & 0o077 == 0
    file.chmod(0o640)
    link = tmp_path / "link.json"
    link.symlink_to(file)
    create_key(link, "linked", "read")
    assert link.is_symlink()
    assert len(read_keys(file)) == 2
    assert file.stat().st_mode & 0o777 == 0o640
    with pytest.raises(InvalidRequest, match="of that name"):
        create_key(file, "a", "write")
    for rate in ("often", "100/second;5/minute", "0/second"):
        with pytest.raises(InvalidRequest, match=r"rate|parse"):
            create_key(file, "b", "write", rate)


def test_a_rate_without_keys_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="api_keys names no file"):
        read_settings(rate_limit="10/second")


def test_browsers_are_told_to_run_nothing_and_guess_no_types(bare_server: Running) -> None:
    answer = httpx.get(f"{bare_server.url}/v1/model", trust_env=False)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    refused = httpx.get(f"{bare_server.url}/nowhere", trust_env=False)
    assert refused.headers["X-Content-Type-Options"] == "nosniff"


def test_no_other_origin_may_call_from_a_browser(bare_server: Running) -> None:
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    preflight = httpx.options(f"{bare_server.url}/v1/classify", headers=asked, trust_env=False)
    assert "access-control-allow-origin" not in preflight.headers
    answer = httpx.get(f"{bare_server.url}/v1/model", headers=asked, trust_env=False)
    assert "access-control-allow-origin" not in answer.headers


def test_an_origin_that_is_allowed_may_call_and_no_other(tiny_bundle: Path) -> None:
    settings = read_settings(cors_origins="https://shop.example, https://other.example")
    with running(tiny_bundle, settings=settings) as server:
        allowed = {}
        for origin in ("https://shop.example", "https://evil.example", "null"):
            headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
            answer = httpx.options(f"{server.url}/v1/classify", headers=headers, trust_env=False)
            allowed[origin] = answer.headers.get("access-control-allow-origin")
    assert allowed == {
        "https://shop.example": "https://shop.example",
        "https://evil.example": None,
        "null": None,
    }


@pytest.mark.parametrize(
    ("method", "path"), [("PUT", "/v1/products/p"), ("POST", "/v1/categorize")]
)
def test_without_keys_pages_of_other_origins_may_not_call(
    bare_server: Running, method: str, path: str
) -> None:
    own = bare_server.url
    statuses = {}
    for origin in ("https://evil.example", "null", own):
        headers = {"Origin": origin}
        answer = httpx.request(
            method, own + path, headers=headers, files={"name": "x"}, trust_env=False
        )
        statuses[origin] = answer.status_code
    assert statuses["https://evil.example"] == statuses["null"] == 403
    assert statuses[own] != 403


@pytest.mark.parametrize("origin", ["http://[", "http://a[b]", "null", "http://evil.example"])
def test_an_origin_that_is_none_is_refused(bare_server: Running, origin: str) -> None:
    with httpx.Client(base_url=bare_server.url, trust_env=False) as http:
        answer = http.post("/v1/classify", content=PHOTO, headers=JPEG | {"Origin": origin})
    assert (answer.status_code, answer.json()["type"]) == (403, "forbidden")


def test_a_name_that_was_made_to_lead_here_is_refused(tiny_bundle: Path) -> None:
    with running(tiny_bundle, settings=read_settings(hosts="127.0.0.1,localhost")) as server:
        port = server.url.rpartition(":")[2]
        hosts = (f"127.0.0.1:{port}", f"LOCALHOST:{port}", "evil.example", f"evil.example:{port}")
        statuses = [
            httpx.get(f"{server.url}/v1/model", headers={"Host": host}, trust_env=False).status_code
            for host in hosts
        ]
    assert statuses == [200, 200, 403, 403]


@pytest.mark.parametrize(
    "values",
    [
        {"image_hosts": "https://cdn.shop.example"},
        {"image_hosts": "*"},
        {"image_hosts": "cdn.shop.example:99999"},
        {"cors_origins": "shop.example"},
        {"cors_origins": "https://shop.example/"},
    ],
)
def test_what_could_never_match_is_refused_at_the_start(values: dict[str, str]) -> None:
    with pytest.raises(InvalidRequest, match="is not"):
        read_settings(**values)


SCOPE = {"client": ("1.2.3.4", 5), "headers": [], "method": "PUT", "path": "/v1/products/p"}


def test_a_large_audit_log_is_moved_away_once(tmp_path: Path) -> None:
    file = tmp_path / "audit.log"
    logs = [AuditLog(str(file), rotated_at=2_000) for _ in range(2)]
    for number in range(20):
        logs[number % 2].write(dict(SCOPE), "writer", 200)
    kept = [one.read_text().splitlines() for one in (tmp_path / "audit.log.1", file)]
    assert all(json.loads(line)["key"] == "writer" for lines in kept for line in lines)
    assert 10 < len(kept[0]) + len(kept[1]) <= 20
    assert file.stat().st_size < 2_300


def test_an_audit_log_that_cannot_be_written_is_told(caplog: pytest.LogCaptureFixture) -> None:
    AuditLog("/dev/full").write(dict(SCOPE), None, 200)
    assert "cannot be written" in caplog.text


def test_the_audit_log_survives_a_rotation(tmp_path: Path, tiny_bundle: Path) -> None:
    log = tmp_path / "audit.log"
    settings = read_settings(audit_log=str(log))
    with running(tiny_bundle, empty_catalog(tiny_bundle, tmp_path / "c"), settings) as server:
        url = f"{server.url}/v1/products/p"
        httpx.put(url, json={"name": "one"}, trust_env=False)
        log.rename(tmp_path / "audit.log.1")
        httpx.put(url, json={"name": "two"}, trust_env=False)
    assert len(log.read_text().splitlines()) == 1
    assert len((tmp_path / "audit.log.1").read_text().splitlines()) == 1
