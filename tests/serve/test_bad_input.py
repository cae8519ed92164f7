"""Endpoint x fault: the expected status and type of each cell; afterwards the service is well."""

import base64
import io
import json
import socket
import struct
import zlib
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.colours import colour_photo
from tests.serve.conftest import Running

PHOTO = colour_photo("Warm/Red")
JPEG = {"Content-Type": "image/jpeg"}
JSON = {"Content-Type": "application/json"}


def declared_png(width: int, height: int) -> bytes:
    """A PNG of a few bytes that says it is that large."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + header + pixels + chunk(b"IEND", b"")


def compressed_bomb() -> bytes:
    """100 million black pixels in few bytes, all of them really there."""
    out = io.BytesIO()
    Image.new("1", (10_000, 10_000)).save(out, "PNG", optimize=True)
    return out.getvalue()


PHOTO_FAULTS: dict[str, tuple[bytes, int, str]] = {
    "empty": (b"", 400, "invalid-image"),
    "truncated": (PHOTO[: len(PHOTO) // 2], 400, "invalid-image"),
    "header only": (PHOTO[:20], 400, "invalid-image"),
    "not an image": (b"%PDF-1.7 hello", 400, "invalid-image"),
    "svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 400, "invalid-image"),
    "huge": (PHOTO + bytes(500_000), 413, "image-too-large"),
    "declared bomb": (declared_png(60_000, 60_000), 413, "image-too-large"),
    "compressed bomb": (compressed_bomb(), 413, "image-too-large"),
    "short of its pixels": (declared_png(500, 500), 400, "invalid-image"),
}


def encoded(photo: bytes) -> str:
    return base64.b64encode(photo).decode()


def send_photo(http: httpx.Client, call: str, photo: bytes) -> httpx.Response:
    product = {"image": encoded(photo)}
    match call:
        case "classify raw":
            return http.post("/v1/classify", content=photo, headers=JPEG)
        case "classify form":
            files = [("image", ("a.jpg", PHOTO)), ("image", ("b.jpg", photo))]
            return http.post("/v1/classify", files=files)
        case "classify json":
            return http.post("/v1/classify", json={"images": [encoded(PHOTO), encoded(photo)]})
        case "compare json":
            left = {"image": encoded(PHOTO)}
            return http.post("/v1/compare", json={"left": left, "right": product})
        case "compare form":
            files = [("left.image", ("a.jpg", photo)), ("right.image", ("b.jpg", PHOTO))]
            return http.post("/v1/compare", files=files)
        case "categorize json":
            return http.post("/v1/categorize", json={"product": product})
        case "categorize form":
            return http.post("/v1/categorize", files={"image": ("a.jpg", photo)})
        case "put json":
            return http.put("/v1/products/bad", json=product)
        case "put form":
            return http.put("/v1/products/bad", files={"image": ("a.jpg", photo)})
        case "search json":
            return http.post("/v1/search", json={"product": product})
        case "search form":
            return http.post("/v1/search", files={"image": ("a.jpg", photo)})
    raise AssertionError(call)


PHOTO_CALLS = (
    "classify raw", "classify form", "classify json", "compare json", "compare form",
    "categorize json", "categorize form", "put json", "put form", "search json", "search form",
)  # fmt: skip

DEEP = "[" * 100_000
WRONG_TYPE = (415, "unsupported-media-type")
INVALID = (422, "invalid-request")

# method, path, body (bytes as they are, anything else as JSON), headers, status and type
OTHER_FAULTS: dict[str, tuple[str, str, Any, dict[str, str], tuple[int, str]]] = {
    "classify: curl's own type": (
        "POST", "/v1/classify", PHOTO,
        {"Content-Type": "application/x-www-form-urlencoded"}, WRONG_TYPE,
    ),
    "classify: text": ("POST", "/v1/classify", b"hi", {"Content-Type": "text/plain"}, WRONG_TYPE),
    "classify: compressed": (
        "POST", "/v1/classify", PHOTO, {**JPEG, "Content-Encoding": "gzip"}, WRONG_TYPE,
    ),
    "classify: level of another tree": ("POST", "/v1/classify?level=9", PHOTO, JPEG, INVALID),
    "classify: level is no number": ("POST", "/v1/classify?level=x", PHOTO, JPEG, INVALID),
    "classify: top_k 0": ("POST", "/v1/classify?top_k=0", PHOTO, JPEG, INVALID),
    "classify: misspelt top_k": ("POST", "/v1/classify?topk=3", PHOTO, JPEG, INVALID),
    "classify: no photos": ("POST", "/v1/classify", {"images": []}, JSON, INVALID),
    "classify: bad base64": ("POST", "/v1/classify", {"images": ["%%%"]}, JSON, INVALID),
    "classify: loose base64": (
        "POST", "/v1/classify", {"images": [encoded(PHOTO)[:40] + "\n" + encoded(PHOTO)[40:]]},
        JSON, INVALID,
    ),
    "classify: image is a number": ("POST", "/v1/classify", {"images": [1]}, JSON, INVALID),
    "classify: too many photos": (
        "POST", "/v1/classify", {"images": [encoded(b"x")] * 41}, JSON, INVALID,
    ),
    "classify: unknown field": (
        "POST", "/v1/classify", {"images": [encoded(PHOTO)], "model": "x"}, JSON, INVALID,
    ),
    "classify: no boundary": (
        "POST", "/v1/classify", PHOTO, {"Content-Type": "multipart/form-data"}, INVALID,
    ),
    "classify: unfinished form": (
        "POST", "/v1/classify",
        b'--b\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\nabc',
        {"Content-Type": "multipart/form-data; boundary=b"}, INVALID,
    ),
    "classify: form of a charset that decodes nothing": (
        "POST", "/v1/classify",
        b'--b\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\na\r\n--b--\r\n',
        {"Content-Type": "multipart/form-data; boundary=b; charset=undefined"}, INVALID,
    ),
    "classify: form without files": (
        "POST", "/v1/classify",
        b'--b\r\nContent-Disposition: form-data; name="image"\r\n\r\nabc\r\n--b--\r\n',
        {"Content-Type": "multipart/form-data; boundary=b"}, INVALID,
    ),
    "classify: empty json": ("POST", "/v1/classify", b"", JSON, INVALID),
    "compare: half a json": ("POST", "/v1/compare", b'{"left": {', JSON, INVALID),
    "compare: not an object": ("POST", "/v1/compare", [1, 2], JSON, INVALID),
    "compare: not utf-8": ("POST", "/v1/compare", b'{"left": "\xff"}', JSON, INVALID),
    "compare: nested too deep": ("POST", "/v1/compare", DEEP.encode(), JSON, INVALID),
    "compare: no right side": ("POST", "/v1/compare", {"left": {"name": "a"}}, JSON, INVALID),
    "compare: empty sides": ("POST", "/v1/compare", {"left": {}, "right": {}}, JSON, INVALID),
    "compare: nothing in common": (
        "POST", "/v1/compare", {"left": {"name": "a"}, "right": {"image": encoded(PHOTO)}},
        JSON, INVALID,
    ),
    "compare: raw photo": ("POST", "/v1/compare", PHOTO, JPEG, WRONG_TYPE),
    "compare: bad base64": (
        "POST", "/v1/compare", {"left": {"image": "a"}, "right": {"name": "b"}}, JSON, INVALID,
    ),
    "categorize: neither name nor photo": (
        "POST", "/v1/categorize", {"product": {"name": "  "}}, JSON, INVALID,
    ),
    "categorize: name is a number": (
        "POST", "/v1/categorize", {"product": {"name": 5}}, JSON, INVALID,
    ),
    "categorize: unknown field": (
        "POST", "/v1/categorize", {"product": {"name": "a", "colour": "red"}}, JSON, INVALID,
    ),
    "categorize: image url": (
        "POST", "/v1/categorize", {"product": {"image_url": "http://169.254.169.254/"}},
        JSON, INVALID,
    ),
    "categorize: huge json": (
        "POST", "/v1/categorize", {"product": {"name": "a" * 1_100_000}}, JSON,
        (413, "request-too-large"),
    ),
    "categorize: misspelt precision": (
        "POST", "/v1/categorize?precison=0.9", {"product": {"name": "a"}}, JSON, INVALID,
    ),
    "tags: no name": ("POST", "/v1/tags", {}, JSON, INVALID),
    "tags: blank name": ("POST", "/v1/tags", {"name": " "}, JSON, INVALID),
    "tags: null": ("POST", "/v1/tags", {"name": None}, JSON, INVALID),
    "tags: form": (
        "POST", "/v1/tags", b"--b--", {"Content-Type": "multipart/form-data; boundary=b"},
        WRONG_TYPE,
    ),
    "tags: lone surrogate": ("POST", "/v1/tags", b'{"name": "\\ud800"}', JSON, INVALID),
    "put: neither name nor photo": ("PUT", "/v1/products/x", {"category": "A"}, JSON, INVALID),
    "put: attributes are numbers": (
        "PUT", "/v1/products/x", {"name": "a", "attributes": {"size": 4}}, JSON, INVALID,
    ),
    "put: control character in the id": (
        "PUT", "/v1/products/a%00b", {"name": "a"}, JSON, INVALID,
    ),
    "put: empty id": ("PUT", "/v1/products/", {"name": "a"}, JSON, INVALID),
    "put: id too long": ("PUT", "/v1/products/" + "a" * 300, {"name": "a"}, JSON, INVALID),
    "put: text": ("PUT", "/v1/products/x", b"a", {"Content-Type": "text/plain"}, WRONG_TYPE),
    "products: misspelt limit": ("GET", "/v1/products?limits=3", b"", {}, INVALID),
    "model: it takes no parameter": ("GET", "/v1/model?full=1", b"", {}, INVALID),
    "get: unknown id": ("GET", "/v1/products/nobody", b"", {}, (404, "unknown-product")),
    "delete: unknown id": ("DELETE", "/v1/products/nobody", b"", {}, (404, "unknown-product")),
    "search: nothing": ("POST", "/v1/search", {}, JSON, INVALID),
    "search: limit 0": ("POST", "/v1/search", {"text": "a", "limit": 0}, JSON, INVALID),
    "search: limit is text": ("POST", "/v1/search", {"text": "a", "limit": "3"}, JSON, INVALID),
    "search: filter is a list": (
        "POST", "/v1/search", {"text": "a", "filter": ["b"]}, JSON, INVALID,
    ),
    "search: filter holds a number": (
        "POST", "/v1/search", {"text": "a", "filter": {"size": 4}}, JSON, INVALID,
    ),
    "search: filter of more values than a predicate can hold": (
        "POST", "/v1/search", {"text": "a", "filter": {"category": ["a"] * 50_000}}, JSON, INVALID,
    ),
    "search: filter of more keys than a predicate can hold": (
        "POST", "/v1/search", {"text": "a", "filter": {f"k{n}": "a" for n in range(50_000)}},
        JSON, INVALID,
    ),
    "unknown address": ("GET", "/v1/nothing", b"", {}, (404, "unknown-address")),
    "wrong method": ("GET", "/v1/classify", b"", {}, (405, "method-not-allowed")),
}  # fmt: skip


def check(response: httpx.Response, status: int, kind: str) -> None:
    assert (response.status_code, response.json()["type"]) == (status, kind), response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert "Traceback" not in response.text


def check_well(http: httpx.Client) -> None:
    answer = http.post("/v1/classify", content=PHOTO, headers=JPEG)
    assert answer.json()["results"][0]["categories"][0]["path"] == "Warm/Red"
    assert http.get("/readyz").status_code == 200


@pytest.mark.parametrize("fault", PHOTO_FAULTS)
@pytest.mark.parametrize("call", PHOTO_CALLS)
def test_a_bad_photo(http: httpx.Client, call: str, fault: str) -> None:
    photo, status, kind = PHOTO_FAULTS[fault]
    check(send_photo(http, call, photo), status, kind)
    check_well(http)


@pytest.mark.parametrize("fault", OTHER_FAULTS)
def test_a_bad_request(http: httpx.Client, fault: str) -> None:
    method, path, body, headers, (status, kind) = OTHER_FAULTS[fault]
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    check(http.request(method, path, content=content, headers=headers), status, kind)
    check_well(http)


@pytest.mark.parametrize(
    ("path", "known"),
    [
        ("/v1/classify?top_k=1&topk=3", "It takes explain, level, top_k."),
        ("/v1/compare?topk=3", "It takes none."),
    ],
)
def test_an_unknown_parameter_is_named_beside_the_known_ones(
    http: httpx.Client, path: str, known: str
) -> None:
    refused = http.post(path, content=PHOTO, headers=JPEG)
    check(refused, 422, "invalid-request")
    assert (refused.json()["where"], refused.json()["fix"]) == ("topk", known)


def test_other_protocols_and_probes_take_any_parameter(http: httpx.Client) -> None:
    for path in ("/v2/health/ready?x=1", "/readyz?x=1", "/?x=1"):
        assert http.get(path).status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/v1/products/x"),
        ("GET", "/v1/products/x"),
        ("DELETE", "/v1/products/x"),
        ("POST", "/v1/search"),
    ],
)
def test_a_call_that_needs_a_catalog(bare_server: Running, method: str, path: str) -> None:
    with httpx.Client(base_url=bare_server.url, trust_env=False) as http:
        check(http.request(method, path, json={"name": "a"}), 409, "catalog-missing")
        check_well(http)


def test_a_body_without_a_length_is_counted_while_it_is_read(http: httpx.Client) -> None:
    sent = 0

    def endless() -> Any:
        nonlocal sent
        while sent < 200_000_000:
            sent += 100_000
            yield bytes(100_000)

    try:
        answer = http.post("/v1/classify", content=endless(), headers=JPEG)
    except httpx.WriteError:  # the server hung up on us, as it may
        pass
    else:
        check(answer, 413, "image-too-large")
    assert sent < 100_000_000
    check_well(http)


def test_a_length_that_lies_is_not_believed(server: Running, http: httpx.Client) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as peer:
        head = "POST /v1/classify HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\n"
        peer.sendall(f"{head}Content-Length: {len(PHOTO) + 500}\r\n\r\n".encode() + PHOTO)
        peer.shutdown(socket.SHUT_WR)
        assert b" 200 " not in peer.recv(4096).split(b"\r\n")[0]
    with socket.create_connection((host, int(port)), timeout=10) as peer:
        peer.sendall(f"{head}Content-Length: 9000000000\r\n\r\n".encode())
        assert b" 413 " in peer.recv(4096).split(b"\r\n")[0]
    check_well(http)
