import base64
import io
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import httpx
import numpy as np
import pytest
from PIL import Image

from catalog.images import decode
from inference.bundle import read_bundle, write_bundle
from inference.session import Session
from serve.settings import read_settings
from tests.colours import COLOURS, colour_photo
from tests.serve.conftest import Running, empty_catalog, running

RED, BLUE = colour_photo("Warm/Red"), colour_photo("Cool/Blue")
JPEG = {"Content-Type": "image/jpeg"}


def encoded(photo: bytes) -> str:
    return base64.b64encode(photo).decode()


def test_a_raw_photo_is_classified_as_by_the_session_itself(
    http: httpx.Client, tiny_bundle: Path
) -> None:
    bundle = read_bundle(tiny_bundle)
    session = Session(bundle, device="cpu")
    for path in COLOURS:
        photo = colour_photo(path, seed=5)
        answer = http.post("/v1/classify", content=photo, headers=JPEG).json()
        expected = session.run(decode(photo, bundle.document.image)[None]).probabilities[0]
        assert answer["model"] == bundle.document.version
        result = answer["results"][0]
        best = result["categories"][0]
        assert best["path"] == path
        assert path.startswith(result["answer"]["path"])
        assert result["answer"]["decision"] == ("auto" if best["probability"] >= 0.8 else "review")
        assert best["probability"] == pytest.approx(float(expected.max()), abs=1e-5)
        assert bundle.document.classes[int(expected.argmax())] == best["path"]


def test_an_explanation_lights_what_mattered_and_names_training_photos_like_it(
    http: httpx.Client,
) -> None:
    answer = http.post("/v1/classify?explain=true", content=RED, headers=JPEG).json()
    (result,) = answer["results"]
    found = result["explanation"]
    assert found["path"] == result["answer"]["path"]
    assert Image.open(io.BytesIO(base64.b64decode(found["saliency"]))).size == (224, 224)
    assert [one["path"] for one in found["nearest"][:4]] == ["Warm/Red"] * 4  # all it has
    assert len(found["nearest"]) == 5
    similarities = [one["similarity"] for one in found["nearest"]]
    assert similarities == sorted(similarities, reverse=True)
    assert Image.open(io.BytesIO(base64.b64decode(found["nearest"][0]["photo"]))).size == (64, 64)
    plain = http.post("/v1/classify", content=RED, headers=JPEG).json()
    assert plain["results"] == [{key: result[key] for key in ("answer", "categories")}]


def test_several_photos_are_not_explained_at_once(http: httpx.Client) -> None:
    files = [("image", ("a.jpg", RED)), ("image", ("b.jpg", BLUE))]
    refused = http.post("/v1/classify?explain=true", files=files)
    assert refused.status_code == 422
    assert refused.json()["where"] == "explain"


@pytest.mark.parametrize("kind", ["image/png", "image/anything", "application/octet-stream", ""])
def test_any_image_type_is_read(http: httpx.Client, kind: str) -> None:
    out = io.BytesIO()
    Image.open(io.BytesIO(RED)).save(out, "PNG")
    answer = http.post("/v1/classify", content=out.getvalue(), headers={"Content-Type": kind})
    assert answer.json()["results"][0]["categories"][0]["path"] == "Warm/Red"


def test_many_photos_are_answered_in_their_order(http: httpx.Client) -> None:
    order = [list(COLOURS)[place % 4] for place in range(37)]
    photos = [colour_photo(path, seed=place) for place, path in enumerate(order)]
    files = [("image", (f"{place}.jpg", photo)) for place, photo in enumerate(photos)]
    by_form = http.post("/v1/classify?top_k=1", files=files).json()["results"]
    by_json = http.post("/v1/classify?top_k=1", json={"images": list(map(encoded, photos))}).json()
    for results in (by_form, by_json["results"]):
        assert [one["categories"][0]["path"] for one in results] == order


NDJSON = {"Accept": "application/x-ndjson"}


def test_a_large_request_is_answered_line_by_line_in_the_order_of_its_photos(
    http: httpx.Client,
) -> None:
    order = [list(COLOURS)[place % 4] for place in range(90)]  # more than max_photos
    photos = [encoded(colour_photo(path, seed=place)) for place, path in enumerate(order)]
    url = "/v1/classify?top_k=1"
    with http.stream("POST", url, json={"images": photos}, headers=NDJSON) as answer:
        assert answer.headers["content-type"].startswith("application/x-ndjson")
        lines = [json.loads(line) for line in answer.iter_lines()]
    assert [line["index"] for line in lines] == list(range(90))
    assert [line["categories"][0]["path"] for line in lines] == order


def test_an_unreadable_photo_costs_only_its_own_line(http: httpx.Client) -> None:
    body = {"images": [encoded(RED), encoded(b"no photo"), encoded(BLUE)]}
    answer = http.post("/v1/classify", json=body, headers=NDJSON)
    assert answer.status_code == 200
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [line["index"] for line in lines] == [0, 1, 2]
    assert lines[1]["problem"]["type"] == "invalid-image"
    assert lines[1]["problem"]["where"] == "images.1"
    assert lines[2]["categories"][0]["path"] == "Cool/Blue"


def test_level_ranks_the_categories_of_that_depth(http: httpx.Client) -> None:
    answer = http.post("/v1/classify?level=1&top_k=9", content=RED, headers=JPEG).json()
    result = answer["results"][0]
    assert [one["path"] for one in result["categories"]] == ["Warm", "Cool"]
    assert result["answer"]["path"] == "Warm"
    assert http.post("/v1/classify?level=&top_k=1", content=RED, headers=JPEG).is_success


def test_equal_products_are_the_same_and_others_are_not(http: httpx.Client) -> None:
    left = {"name": "Red Paint 500ml", "image": encoded(RED)}
    same = http.post("/v1/compare", json={"left": left, "right": left}).json()
    assert same["decision"] == "same"
    assert same["image_similarity"] == pytest.approx(1.0, abs=1e-4)
    assert same["name_similarity"] == 1.0
    assert same["name_reasons"]
    right = {"name": "Blue Ink 30ml", "image": encoded(BLUE)}
    other = http.post("/v1/compare", json={"left": left, "right": right}).json()
    assert other["decision"] != "same"
    assert other["score"] < same["score"]


def test_names_alone_are_compared(http: httpx.Client) -> None:
    sides = {"left": {"name": "Milk 0.5 L"}, "right": {"name": "milk 500ml"}}
    answer = http.post("/v1/compare", json=sides).json()
    assert answer["image_similarity"] is None
    assert answer["decision"] == "same"


def test_compare_takes_a_form(http: httpx.Client) -> None:
    files = {"left.image": ("a.jpg", RED), "right.image": ("b.jpg", RED)}
    answer = http.post("/v1/compare", files=files, data={"left.name": "Red"}).json()
    assert answer["image_similarity"] == pytest.approx(1.0, abs=1e-4)
    assert answer["name_similarity"] is None


@pytest.mark.parametrize("product_id", ["sku-1", "a/b c?d#e%f", "日本", "..", "x:import", "a+b&c"])
def test_a_product_of_any_id_is_kept_found_and_removed(http: httpx.Client, product_id: str) -> None:
    address = "/v1/products/" + "".join(f"%{byte:02X}" for byte in product_id.encode())
    body = {
        "name": "Unusual Zinnober Paint",
        "image": encoded(RED),
        "category": " Warm / Red ",
        "attributes": {"brand": "Öl & Co"},
    }
    stored = http.put(address, json=body)
    assert stored.json() == {
        "id": product_id,
        "name": "Unusual Zinnober Paint",
        "category": "Warm/Red",
        "attributes": {"brand": "Öl & Co"},
        "photos": 1,
    }
    assert http.get(address).json() == stored.json()
    asked = {"text": "zinnober", "filter": {"brand": "Öl & Co", "category": "Warm"}}
    found = http.post("/v1/search", json=asked).json()["results"]
    assert product_id in [one["id"] for one in found]
    assert http.delete(address).status_code == 204
    assert http.delete(address).status_code == 404
    assert http.get(address).status_code == 404


def test_a_form_keeps_several_photos_of_one_product(http: httpx.Client) -> None:
    files = [("image", ("a.jpg", RED)), ("image", ("b.jpg", colour_photo("Warm/Red", 3)))]
    data = {"name": "Two views", "category": "Warm/Red", "attributes": '{"size": "L"}'}
    stored = http.put("/v1/products/two", files=files, data=data).json()
    assert (stored["photos"], stored["attributes"]) == (2, {"size": "L"})
    http.delete("/v1/products/two")


def test_every_put_is_found_by_the_very_next_search(http: httpx.Client) -> None:
    rng = np.random.default_rng(0)
    for number in range(10):
        pixels = rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)
        out = io.BytesIO()
        Image.fromarray(pixels).save(out, "PNG")
        image = encoded(out.getvalue())
        http.put(f"/v1/products/next-{number}", json={"image": image, "name": f"qwx{number}"})
        found = http.post("/v1/search", json={"product": {"image": image}, "limit": 20}).json()
        assert f"next-{number}" in [one["id"] for one in found["results"]]
        found = http.post("/v1/search", json={"text": f"qwx{number}"}).json()
        assert [one["id"] for one in found["results"]] == [f"next-{number}"]
    for number in range(10):
        http.delete(f"/v1/products/next-{number}")


def test_categorize_uses_photo_name_or_both(http: httpx.Client) -> None:
    photo = http.post("/v1/categorize", files={"image": ("b.jpg", BLUE)}).json()
    assert photo["path"] == "Cool/Blue"
    filed = {"name": "Crimson Teapot 70d", "image": encoded(RED), "category": "Kitchen/Teapots"}
    assert http.put("/v1/products/teapot", json=filed).is_success
    name = http.post("/v1/categorize", json={"product": {"name": "crimson teapot 70d"}}).json()
    assert name["path"] == "Kitchen/Teapots"
    assert name["evidence"][0]["id"] == "teapot"
    both = http.post(
        "/v1/categorize", json={"product": {"name": "Crimson Teapot 70d", "image": encoded(RED)}}
    ).json()
    assert both["path"] == "Kitchen/Teapots"
    assert both["evidence"][0]["image_similarity"] == pytest.approx(1.0, abs=1e-3)
    assert both["evidence"][0]["name_similarity"] == 1.0
    http.delete("/v1/products/teapot")


def test_categorize_and_tags_work_without_a_catalog(bare_server: Running) -> None:
    with httpx.Client(base_url=bare_server.url, trust_env=False) as http:
        photo = http.post("/v1/categorize", files={"image": ("a.jpg", RED)}).json()
        assert (photo["path"], photo["evidence"]) == ("Warm/Red", [])
        name = http.post("/v1/categorize", json={"product": {"name": "blue"}}).json()
        assert name["decision"] == "unknown"
        assert name["alternatives"][0]["path"] == "Cool/Blue"
        tags = http.post("/v1/tags", json={"name": "a blue one"}).json()["tags"]
        assert tags[0]["path"] == "Cool/Blue"
        assert http.get("/v1/model").json()["catalog"] is None
        assert http.get("/v1/categories").json()["categories"][0]["products"] is None


def test_categories_show_the_models_and_the_catalogs(http: httpx.Client) -> None:
    http.put("/v1/products/c", json={"name": "c", "category": "Warm/Orange"})
    roots = http.get("/v1/categories").json()["categories"]
    warm = next(node for node in roots if node["path"] == "Warm")
    assert warm["products"] == 1
    leaves = {node["name"]: node for node in warm["children"]}
    assert leaves["Orange"]["is_class"] is False
    assert leaves["Red"] == {
        "name": "Red", "path": "Warm/Red", "is_class": True, "products": 0, "children": [],
    }  # fmt: skip
    http.delete("/v1/products/c")


def test_probes_model_and_pages(http: httpx.Client) -> None:
    assert http.get("/healthz").json() == {"status": "alive"}
    assert http.get("/readyz").json() == {"status": "ready"}
    model = http.get("/v1/model").json()
    assert (model["variant"], model["device"], model["swap"]["state"]) == ("fp32", "cpu", "active")
    assert "<title>Catalens</title>" in http.get("/").text
    page = http.get("/docs").text
    assert "https://" not in page
    script = page.split('src="')[1].split('"')[0]
    assert http.get(script).status_code == 200


def test_openapi_shows_every_call_and_its_body(http: httpx.Client) -> None:
    document = http.get("/openapi.json").json()
    calls = {
        "/v1/classify", "/v1/compare", "/v1/categorize", "/v1/tags", "/v1/search",
        "/v1/products/{product_id}", "/v1/products", "/v1/products:photo",
        "/v1/categories", "/v1/model", "/v1/model/report", "/healthz", "/readyz",
        "/v1/categories:move", "/v1/products:import", "/v1/reviews", "/v1/reviews:export",
        "/v1/reviews/{review}",
        "/v1/reviews/{review}:accept", "/v1/reviews/{review}:correct",
        "/v1/reviews/{review}:undo", "/v1/reviews/{review}/photos/{number}",
    }  # fmt: skip
    # The Open Inference Protocol's own document describes those under /v2: test_oip.py.
    assert calls == {path for path in document["paths"] if not path.startswith("/v2")}
    schemas = document["components"]["schemas"]
    text = str(document)
    for name in text.split("#/components/schemas/")[1:]:
        assert name.split("'")[0] in schemas
    bodies = document["paths"]["/v1/classify"]["post"]["requestBody"]["content"]
    assert set(bodies) == {"image/*", "application/json", "multipart/form-data"}
    assert "HTTPValidationError" not in schemas


def test_a_full_queue_answers_503_at_once_and_probes_pass(tiny_bundle: Path) -> None:
    limits = read_settings(max_batch=1, max_queue=2, max_photos=2)
    with running(tiny_bundle, settings=limits) as found:
        batcher = found.service.model.batcher
        free, real = threading.Event(), batcher._run
        batcher._run = lambda images: (free.wait(20), real(images))[1]

        def post(_: int) -> httpx.Response:
            return httpx.post(
                f"{found.url}/v1/classify", content=RED, headers=JPEG, timeout=30, trust_env=False
            )

        with ThreadPoolExecutor(6) as callers:
            waiting = [callers.submit(post, number) for number in range(6)]
            while sum(one.done() for one in waiting) < 4:
                time.sleep(0.01)
            assert httpx.get(f"{found.url}/readyz", trust_env=False).status_code == 200
            refused = [one.result() for one in waiting if one.done()]
            free.set()
            answered = [one.result() for one in waiting if one.result() not in refused]
    assert {one.status_code for one in answered} == {200}
    for one in refused:
        assert (one.status_code, one.json()["type"]) == (503, "overloaded")
        assert one.headers["retry-after"] == "1"


def test_what_nobody_expected_is_a_500_problem_without_a_trace(
    server: Running, http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> object:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(server.service.model, "predict", broken)
    answer = http.post("/v1/classify", content=RED, headers=JPEG)
    assert (answer.status_code, answer.json()["type"]) == (500, "internal")
    assert "secret" not in answer.text


def test_the_catalog_is_gone_through_page_by_page(tiny_bundle: Path, tmp_path: Path) -> None:
    catalog = empty_catalog(tiny_bundle, tmp_path / "catalog")
    with running(tiny_bundle, catalog) as server, httpx.Client(base_url=server.url) as http:
        for number in range(7):
            category = "Warm/Red" if number % 2 else "Cool/Blue"
            http.put(f"/v1/products/p/{number}", json={"name": f"n{number}", "category": category})
        steps = [{"limit": 3, "offset": offset} for offset in (0, 3, 6, 9)]
        pages = [http.get("/v1/products", params=step).json() for step in steps]
        assert [page["total"] for page in pages] == [7] * 4
        ids = [one["id"] for page in pages for one in page["products"]]
        assert sorted(ids) == [f"p/{number}" for number in range(7)]
        warm = http.get("/v1/products", params={"category": "Warm"}).json()
        assert (warm["total"], {one["category"] for one in warm["products"]}) == (3, {"Warm/Red"})
        for query in ({"limit": 0}, {"limit": 201}, {"offset": -1}, {"limit": "many"}):
            assert http.get("/v1/products", params=query).status_code == 422


def test_a_products_photos_are_shown_whatever_its_id(http: httpx.Client) -> None:
    photos = [("image", colour_photo("Warm/Red")), ("image", colour_photo("Cool/Blue"))]
    product = "a b/photos/0?x=1&é"
    http.put(f"/v1/products/{quote(product, safe='')}", files=photos, data={"name": "two"})
    shown = [
        http.get("/v1/products:photo", params={"id": product, "number": number})
        for number in (0, 1, 2)
    ]
    assert [one.status_code for one in shown] == [200, 200, 404]
    assert shown[0].headers["Content-Type"] == "image/jpeg"
    assert shown[0].content != shown[1].content
    assert http.get("/v1/products:photo", params={"id": "none"}).status_code == 404
    assert http.get("/v1/products:photo").status_code == 422


def test_the_report_comes_with_the_bundle_and_may_run_nothing(
    tiny_bundle: Path, tmp_path: Path, http: httpx.Client
) -> None:
    missing = http.get("/v1/model/report")
    assert (missing.status_code, missing.json()["type"]) == (404, "unknown-report")
    page = tmp_path / "report.html"
    page.write_text("<h1>How far to trust it</h1>")
    found = read_bundle(tiny_bundle)
    files = {"version", "variants", "prototypes", "examples", "match", "report"}
    fields = found.document.model_dump(exclude=files)
    graphs = {"fp32": (found.graph("fp32"), {})}
    write_bundle(tmp_path / "bundle", fields, graphs, files={"report": page})
    with running(tmp_path / "bundle") as server:
        shown = httpx.get(f"{server.url}/v1/model/report", trust_env=False)
    assert shown.text == page.read_text()
    assert shown.headers["Content-Security-Policy"].startswith("sandbox;")
