import asyncio
from types import FunctionType

import httpx
import pytest

from catalens import calls
from catalens.client import AsyncClient, Client, ClientError
from tests.colours import colour_photo
from tests.serve.conftest import Running

RED, BLUE = colour_photo("Warm/Red"), colour_photo("Cool/Blue")
MODEL = {
    "model": "1", "bundle": "b", "classes": 1, "variant": "fp32", "device": "cpu",
    "embedding_id": "e", "certainty": 0.5, "later": "unknown to this client",
    "swap": {"state": "active", "bundle": "b", "reason": None},
}  # fmt: skip


def test_every_call_against_a_real_server(server: Running) -> None:
    with Client(server.url) as client:
        one = client.classify([RED])
        assert one.results[0].categories[0].path == "Warm/Red"
        two = client.classify([RED, BLUE], top_k=1, level=1)
        assert [found.answer.path for found in two.results] == ["Warm", "Cool"]
        assert client.compare(left_photo=RED, right_photo=RED).image_similarity > 0.99
        assert client.compare(left_name="a b", right_name="a b").decision == "same"
        assert client.categorize(photo=RED).path == "Warm/Red"
        assert client.tags("blue")[0].path == "Cool/Blue"
        stored = client.put_product(
            "client/1", photo=RED, name="Vermilion", category="Warm/Red", attributes={"a": "b"}
        )
        assert client.get_product("client/1") == stored
        assert [found.id for found in client.search(text="vermilion", filter={"a": "b"})] == [
            "client/1"
        ]
        assert client.search(photo=RED)[0].id == "client/1"
        client.delete_product("client/1")
        with pytest.raises(ClientError) as caught:
            client.get_product("client/1")
        assert (caught.value.type, caught.value.status) == ("unknown-product", 404)
        assert client.model().swap.state == "active"


def test_an_import_and_a_review_from_python(server: Running) -> None:
    with Client(server.url) as client:
        lines = [{"id": "client/2", "name": "Qwxzv", "image": RED}, {"id": "client/3"}]
        imported = client.import_products(iter(lines))
        assert (imported.stored, imported.refused) == (1, 1)
        assert (imported.problems[0].line, imported.problems[0].id) == (2, "client/3")
        placed = client.categorize(name="Nothing like it zqj", product_id="client/4")
        assert placed.review is not None
        assert placed.review in [one.id for one in client.reviews(limit=1_000).reviews]
        assert client.correct_review(placed.review, "Client/New").status == "corrected"
        assert client.correct_review(placed.review, "Client/New").status == "corrected"
        assert client.categorize(name="?", product_id="client/4").path == "Client/New"
        assert client.move_category("Client/New", "Client/Newer") == 1
        assert client.undo_review(placed.review).status == "open"
        assert client.undo_review(placed.review).status == "open"
        with pytest.raises(ClientError, match="no such review"):
            client.accept_review("nobody")
        client.delete_product("client/2")


def test_a_problem_is_raised_with_what_where_and_what_to_do(server: Running) -> None:
    with Client(server.url) as client, pytest.raises(ClientError) as caught:
        client.classify([b"no photo"])
    assert caught.value.type == "invalid-image"
    assert "readable photo" in str(caught.value)


def client_of(answers: list[httpx.Response | Exception]) -> Client:
    def handle(_: httpx.Request) -> httpx.Response:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return Client("http://x", transport=httpx.MockTransport(handle))


DROPPED = httpx.RemoteProtocolError("Server disconnected")
PROXY = httpx.Response(500, text="Internal Server Error", headers={"content-type": "text/plain"})


@pytest.mark.parametrize("first", [DROPPED, PROXY, httpx.ConnectError("refused")])
def test_a_drop_or_the_proxys_500_is_tried_once_more(first: httpx.Response | Exception) -> None:
    assert client_of([first, httpx.Response(200, json=MODEL)]).model().model == "1"


def test_the_second_drop_is_an_error() -> None:
    with pytest.raises(ClientError) as caught:
        client_of([DROPPED, DROPPED]).model()
    assert caught.value.type == "unreachable"


def test_the_servers_own_500_is_not_repeated() -> None:
    problem = {"type": "internal", "detail": "something went wrong."}
    with pytest.raises(ClientError, match="something went wrong"):
        client_of([httpx.Response(500, json=problem)]).model()


def test_a_repeated_delete_takes_unknown_for_done() -> None:
    gone = httpx.Response(404, json={"type": "unknown-product", "detail": "no."})
    client_of([DROPPED, gone]).delete_product("a")
    with pytest.raises(ClientError):
        client_of([gone]).delete_product("a")


def test_no_server_is_an_error_that_says_so() -> None:
    with pytest.raises(ClientError) as caught:
        client_of([httpx.ConnectError("refused")] * 2).model()
    assert caught.value.type == "unreachable"


def test_every_call_can_be_awaited(server: Running) -> None:
    async def walk() -> None:
        async with AsyncClient(server.url) as client:
            results = await asyncio.gather(*(client.classify([one]) for one in (RED, BLUE)))
            paths = [one.results[0].categories[0].path for one in results]
            assert paths == ["Warm/Red", "Cool/Blue"]
            imported = await client.import_products([{"id": "async/1", "name": "n", "image": RED}])
            assert imported.stored == 1
            assert (await client.get_product("async/1")).name == "n"
            await client.delete_product("async/1")
            with pytest.raises(ClientError, match="no such product"):
                await client.get_product("async/1")

    asyncio.run(walk())


def test_an_awaited_call_is_tried_once_more_too() -> None:
    answers: list[httpx.Response | Exception] = [DROPPED, httpx.Response(200, json=MODEL)]

    def handle(_: httpx.Request) -> httpx.Response:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def ask() -> str:
        async with AsyncClient("http://x", transport=httpx.MockTransport(handle)) as client:
            return (await client.model()).model

    assert asyncio.run(ask()) == "1"


def test_both_clients_have_every_call_with_its_description() -> None:
    for name, call in vars(calls).items():
        own = isinstance(call, FunctionType) and call.__module__ == calls.__name__
        if own and not name.startswith("_"):
            for client in (Client, AsyncClient):
                assert getattr(client, name).__doc__ == call.__doc__
