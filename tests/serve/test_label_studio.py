"""The review queue in Label Studio: tasks out, decisions in."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from catalens import label_studio
from catalens.client import Client
from tests.colours import COLOURS, colour_photo
from tests.serve.conftest import empty_catalog, running


def test_what_waits_becomes_tasks_and_what_people_say_decides(
    tiny_bundle: Path, tmp_path: Path
) -> None:
    catalog = empty_catalog(tiny_bundle, tmp_path / "catalog")
    with running(tiny_bundle, catalog) as server, Client(server.url) as client:
        photo = colour_photo("Warm/Red")
        for number in range(3):
            found = client.categorize(
                photo=photo if number else None,
                name=f"mystery {number}",
                product_id=f"m{number}",
                precision=0.999,
            )
            assert found.review is not None
        tasks = list(label_studio.tasks(client))
        assert sorted(task["data"]["product"] for task in tasks) == ["m0", "m1", "m2"]
        by_product = {task["data"]["product"]: task for task in tasks}
        assert by_product["m0"]["data"]["photo"] == ""
        assert by_product["m1"]["data"]["photo"].startswith("data:image/jpeg;base64,")

        for product, path in (("m1", ["Cool", "Green"]), ("m2", ["New", "One"])):
            result = {"type": "taxonomy", "value": {"taxonomy": [path]}}
            by_product[product]["annotations"] = [
                {"result": [result], "updated_at": "2026-02-01T00:00:00Z"},
                {
                    "result": [{"type": "taxonomy", "value": {"taxonomy": [["Old"]]}}],
                    "updated_at": "2026-01-01T00:00:00Z",
                },
                {"was_cancelled": True, "result": []},
            ]
        stranger = {"data": {"text": "of another project"}}
        gone = {**by_product["m1"], "data": {"review": "0" * 24}}
        empty = {"data": {"review": "1" * 24}, "annotations": [{"result": []}]}
        broken = {"data": {"review": "1" * 24}, "annotations": [5]}
        exported = json.dumps([*tasks, stranger, gone, empty, broken])
        for _ in range(2):  # it may be repeated
            done = label_studio.decide(client, exported)
            assert (done.decided, done.left, len(done.problems)) == (2, 2, 3)
        assert client.get_product("m1").category == "Cool/Green"
        assert client.get_product("m2").category == "New/One"
        assert client.reviews().total == 1

        tree = ElementTree.fromstring(label_studio.interface(client.categories()))
        paths = [one.get("value") for one in tree.iter("Choice")]
        assert {part for path in COLOURS for part in path.split("/")} <= set(paths)


@pytest.mark.parametrize("text", ["{", "{}", "7"])
def test_what_is_no_export_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"list of tasks|Expecting|property name"):
        label_studio.decide(Client("http://127.0.0.1:1"), text)
