"""Write the reference anew from the code: `make reference`."""

import asyncio
import json
from pathlib import Path

import httpx

from catalens.cli.app import make_app
from serve.api import create_api
from serve.model import Hardware
from serve.service import Service
from serve.settings import read_settings


def commands() -> str:
    """Every command with its flags, as Markdown."""
    return make_app().generate_docs(output_format="markdown", recursive=True)


def openapi() -> str:
    """The calls of a server, as an OpenAPI document."""

    async def ask() -> str:
        api = create_api(Service(read_settings(), Hardware("cpu"), None))
        transport = httpx.ASGITransport(api)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            answer = await client.get("/openapi.json")
        document = answer.raise_for_status().json()
        document["info"]["version"] = "1"  # of the calls, /v1; the code's changes with each commit
        return json.dumps(document, indent=1) + "\n"

    return asyncio.run(ask())


if __name__ == "__main__":
    here = Path(__file__).parent
    (here / "commands.md").write_text(commands(), encoding="utf-8")
    (here / "openapi.json").write_text(openapi(), encoding="utf-8")
