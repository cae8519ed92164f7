"""The servers we are measured beside."""

import json
import sysconfig
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from bench.peers.launch import CACHE, HERE, PeerUnavailable, prepare, running
from bench.peers.peer import Categories, Peer

__all__ = [
    "PEERS",
    "UVICORN_OUR_DECODE",
    "UVICORN_WHOLE_PHOTO",
    "Peer",
    "PeerUnavailable",
    "prepare",
    "running",
]

_BEST = 5
_BOUNDARY = "photo-boundary"


def _listed(answer: bytes, classes: Sequence[str]) -> Categories:
    document = json.loads(answer)
    return [(one["path"], one["probability"]) for one in document["categories"]]


def _listed_first(answer: bytes, classes: Sequence[str]) -> Categories:
    """BentoML answers a form of one file with a list of one."""
    return _listed(json.dumps(json.loads(answer)[0]).encode(), classes)


def _tensor(answer: bytes, classes: Sequence[str]) -> Categories:
    """Triton answers with a JSON head and every probability as float32 behind it."""
    probabilities = np.frombuffer(answer[-4 * len(classes) :], dtype=np.float32)
    return [
        (classes[place], float(probabilities[place]))
        for place in np.argsort(-probabilities)[:_BEST]
    ]


def _form(photo: bytes) -> bytes:
    head = (
        f"--{_BOUNDARY}\r\n"
        'Content-Disposition: form-data; name="photos"; filename="photo.jpg"\r\n'
        "Content-Type: image/jpeg\r\n\r\n"
    )
    return head.encode() + photo + f"\r\n--{_BOUNDARY}--\r\n".encode()


def _script(folder: str) -> Callable[[Path, int, Path], list[str]]:
    script = str(HERE / folder / "server.py")
    return lambda bundle, port, python: [str(python), script, str(bundle), str(port)]


def _uvicorn(bundle: Path, port: int, python: Path) -> list[str]:
    return [
        *(str(python), "-m", "uvicorn", "server:make_app", "--factory"),
        *("--app-dir", str(HERE / "uvicorn"), "--host", "127.0.0.1", "--port", str(port)),
        *("--workers", "2", "--loop", "uvloop", "--http", "httptools"),
        *("--no-access-log", "--log-level", "warning"),
    ]


def _bentoml(bundle: Path, port: int, python: Path) -> list[str]:
    return [
        *(str(python), "-m", "bentoml", "serve", "server:Classifier"),
        *("--working-dir", str(HERE / "bentoml"), "--host", "127.0.0.1", "--port", str(port)),
        *("--arg", f"bundle={bundle}"),
    ]


def _nothing(bundle: Path, port: int) -> dict[str, str]:
    return {}


def _decoding(how: str) -> Callable[[Path, int], dict[str, str]]:
    return lambda bundle, port: {"BUNDLE": str(bundle), "DECODE": how}


def _offline(bundle: Path, port: int) -> dict[str, str]:
    return {"BENTOML_DO_NOT_TRACK": "true", "BENTOML_HOME": str(CACHE / "bentoml-home")}


def _libpython(bundle: Path, port: int) -> dict[str, str]:
    """Triton's stub process is linked to libpython, which may lie outside the system's folders."""
    return {"LD_LIBRARY_PATH": sysconfig.get_config_var("LIBDIR")}


_JPEG = {"Content-Type": "image/jpeg"}

PEERS = (
    Peer("uvicorn", "uvicorn", _uvicorn, _decoding("pillow"), "/classify", _JPEG, _listed),
    Peer("litserve", "litserve", _script("litserve"), _nothing, "/classify", _JPEG, _listed),
    Peer(
        *("bentoml", "bentoml", _bentoml, _offline, "/classify"),
        headers={"Content-Type": f"multipart/form-data; boundary={_BOUNDARY}"},
        top_categories=_listed_first,
        body=_form,
    ),
    Peer(
        *("torchserve", "torchserve", _script("torchserve"), _nothing),
        *("/predictions/classifier", _JPEG, _listed),
        installer="pip",
    ),
    Peer(
        *("triton", "triton", _script("triton"), _libpython, "/v2/models/classifier/infer"),
        headers={
            "Content-Type": "application/octet-stream",
            "Inference-Header-Content-Length": "0",
        },
        top_categories=_tensor,
    ),
)

# uvicorn again: decoding every photo at its full size before it is scaled, and with our decode.
UVICORN_WHOLE_PHOTO, UVICORN_OUR_DECODE = (
    Peer(name, "uvicorn", _uvicorn, _decoding(how), "/classify", _JPEG, _listed)
    for name, how in (("uvicorn_whole_photo", "whole"), ("uvicorn_our_decode", "ours"))
)
