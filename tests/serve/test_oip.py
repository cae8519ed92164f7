"""The Open Inference Protocol: Triton's own client, and requests that are not well."""

import base64
import json
import subprocess
from pathlib import Path

import httpx
import numpy as np
import pytest

from inference.bundle import read_bundle
from tests.colours import COLOURS, colour_photo
from tests.environments import TRITON_PYTHON
from tests.serve.conftest import Running

WALK = Path(__file__).with_name("triton_walk.py")
INFER = "/v2/models/classifier/infer"
PHOTO = base64.b64encode(colour_photo("Warm/Red")).decode()


@pytest.mark.e2e
def test_tritons_client_gets_what_classify_answers(
    bare_server: Running, tiny_bundle: Path, tmp_path: Path
) -> None:
    files = []
    for path in COLOURS:
        file = tmp_path / f"{path.replace('/', '-')}.jpg"
        file.write_bytes(colour_photo(path, seed=7))
        files.append(str(file))
    address = bare_server.url.removeprefix("http://")
    walk = subprocess.run(
        [*TRITON_PYTHON, str(WALK), address, *files], capture_output=True, text=True, check=False
    )
    assert walk.returncode == 0, walk.stderr
    found = json.loads(walk.stdout)
    document = read_bundle(tiny_bundle).document
    assert found["live"]
    assert found["ready"]
    assert found["model_ready"]
    assert (found["server"], found["versions"], found["id"]) == (
        "catalens",
        [document.version],
        "7",
    )
    inputs = found["configuration"]["input"]
    types = {one["name"]: (one["data_type"], one["dims"]) for one in inputs}
    assert types["encoded"] == ("TYPE_STRING", [-1])
    assert types["images"] == ("TYPE_UINT8", [-1, 224, 224, 3])
    assert found["category_True"] == found["category_False"] == list(COLOURS)
    for place, file in enumerate(files):
        answer = httpx.post(
            f"{bare_server.url}/v1/classify", content=Path(file).read_bytes(), trust_env=False
        ).json()
        shares = dict(zip(document.classes, found["probabilities_True"][place], strict=True))
        for one in answer["results"][0]["categories"]:
            assert shares[one["path"]] == pytest.approx(one["probability"], abs=1e-6)
        best = found["ranked"][place][0]
        assert best.endswith(
            f":{document.classes.index(list(COLOURS)[place])}:{list(COLOURS)[place]}"
        )
    np.testing.assert_allclose(found["probabilities_True"], found["probabilities_False"])
    assert found["norms_True"] == pytest.approx([1.0, 1.0], abs=1e-5)
    assert found["norms_False"] == pytest.approx([1.0, 1.0], abs=1e-5)
    assert found["refused"][0] == "422"
    assert "one input" in found["refused"][1]


def encoded(**changes: object) -> dict[str, object]:
    tensor = {"name": "encoded", "shape": [1], "datatype": "BYTES", "data": [PHOTO]}
    return {"inputs": [tensor | changes]}


def test_json_alone_is_enough(http: httpx.Client) -> None:
    answer = http.post(INFER, json=encoded()).json()
    shapes = {one["name"]: one["shape"] for one in answer["outputs"]}
    assert shapes == {"probabilities": [1, 4], "category": [1]}
    assert answer["outputs"][1]["data"] == ["Warm/Red"]
    assert "id" not in answer


def test_lists_within_lists_are_read(http: httpx.Client) -> None:
    answer = http.post(INFER, json=encoded(shape=[1, 1], data=[[PHOTO]]))
    assert answer.status_code == 200, answer.text


FAULTS: dict[str, object] = {
    "no inputs": {"inputs": []},
    "no json": "{",
    "another input": encoded(name="x"),
    "two inputs": {"inputs": [encoded()["inputs"][0]] * 2},  # type: ignore[index]
    "another type": encoded(datatype="FP32"),
    "no base64": encoded(data=["%"]),
    "numbers for texts": encoded(data=[1]),
    "another shape": encoded(shape=[2]),
    "negative shape": encoded(shape=[-1]),
    "a shape whose product no text can hold": encoded(shape=[10**4_000, 10**4_000]),
    "no data": encoded(data=None),
    "binary that is not there": encoded(parameters={"binary_data_size": 10}),
    "binary of no size": encoded(parameters={"binary_data_size": "x"}),
    "another output": encoded() | {"outputs": [{"name": "x"}]},
    "an output twice": encoded() | {"outputs": [{"name": "category"}] * 2},
    "more classes than there are": encoded()
    | {"outputs": [{"name": "probabilities", "parameters": {"classification": 5}}]},
    "texts for pixels": {
        "inputs": [
            {
                "name": "images",
                "shape": [1, 224, 224, 3],
                "datatype": "UINT8",
                "data": ["x" * 1000] + [""] * 10_000,
            }
        ]
    },
    "too many": encoded(shape=[1_000], data=[""] * 1_000),
    "no class count": encoded()
    | {"outputs": [{"name": "probabilities", "parameters": {"classification": 0}}]},
    "pixels of another size": {
        "inputs": [{"name": "images", "shape": [1, 2, 2, 3], "datatype": "UINT8", "data": [0] * 12}]
    },
    "pixels too few": {
        "inputs": [{"name": "images", "shape": [1, 224, 224, 3], "datatype": "UINT8", "data": [0]}]
    },
    "pixels out of range": {
        "inputs": [
            {
                "name": "images",
                "shape": [1, 224, 224, 3],
                "datatype": "UINT8",
                "data": [256] * 150_528,
            }
        ]
    },
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_not_well_is_refused_as_these_clients_read_it(
    http: httpx.Client, fault: str
) -> None:
    body = FAULTS[fault]
    content = body if isinstance(body, str) else json.dumps(body)
    answer = http.post(INFER, content=content)
    assert answer.status_code == 422, answer.text
    assert answer.json()["error"]
    assert answer.json()["type"] == "invalid-request"


@pytest.mark.parametrize("length", ["x", "-1", "999999", "", "9" * 5_000])
def test_a_header_that_is_no_length_is_refused(http: httpx.Client, length: str) -> None:
    headers = {"Inference-Header-Content-Length": length}
    assert http.post(INFER, content=json.dumps(encoded()), headers=headers).status_code == 422


def test_an_unreadable_photo_and_an_unknown_model_are_told(http: httpx.Client) -> None:
    bad = http.post(INFER, json=encoded(data=[base64.b64encode(b"no photo").decode()]))
    assert (bad.status_code, bad.json()["type"]) == (400, "invalid-image")
    for path in ("/v2/models/other", "/v2/models/classifier/versions/9", "/v2/models/x/ready"):
        answer = http.get(path)
        assert (answer.status_code, answer.json()["type"]) == (404, "unknown-model")
        assert answer.json()["error"]
