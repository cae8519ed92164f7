"""`catalens serve` with another session in its replicas; everything around it is the real thing.

It runs as a process of its own, `python bench/serving/stand_in.py BUNDLE --port N`, and takes
`serve.launch.serve_bundle`, as `catalens serve` does: Ray, HAProxy, the application, decode, queue
and answers are the product's. Only the session that `serve.model` opens is replaced, in the
replica's process:

* `Sleeping` runs no graph and takes a fixed time per batch, so that cores are not the limit;
* `Counting` runs the graph and appends one line to a file for each marked photo that it ran.
"""

import io
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from catalens.background import started
from inference.session import Prediction, Session

_LATENCY, _COUNTED = "BENCH_STAND_IN_LATENCY_S", "BENCH_STAND_IN_COUNTED"
_MARK = (255, 0, 255)
_MARK_TOLERANCE = 40


class Sleeping(Session):
    """Answers the same to every photo after a fixed time per batch, one batch at a time."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._busy = threading.Lock()  # however many threads the server runs batches on

    def run(self, images: NDArray[np.uint8]) -> Prediction:
        """Wait; ``images`` uint8 [N, S, S, 3]."""
        with self._busy:
            time.sleep(float(os.environ[_LATENCY]))
        document = self.bundle.document
        classes, dimension = len(document.classes), document.embedding_dimension
        return Prediction(
            np.full((len(images), classes), 1 / classes, np.float32),
            np.full((len(images), dimension), dimension**-0.5, np.float32),
        )


class Counting(Session):
    """Runs the graph and counts marked photos."""

    def run(self, images: NDArray[np.uint8]) -> Prediction:
        """Classify; ``images`` uint8 [N, S, S, 3]."""
        count = int(marked(images).sum())
        if count:
            with open(os.environ[_COUNTED], "a") as file:
                file.write("1\n" * count)
        return super().run(images)


def mark(photo: bytes) -> bytes:
    """The photo as JPEG with a magenta square in its middle, by which `Counting` knows it."""
    image = Image.open(io.BytesIO(photo)).convert("RGB")
    width, height = image.size
    box = (width // 3, height // 3, 2 * width // 3, 2 * height // 3)
    image.paste(_MARK, box)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=90)
    return file.getvalue()


def marked(images: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which of uint8 [N, S, S, 3] are magenta in the middle: bool [N]."""
    middle = images[:, images.shape[1] // 2, images.shape[2] // 2].astype(int)
    return (np.abs(middle - _MARK) < _MARK_TOLERANCE).all(axis=-1)


@contextmanager
def sleeping(
    bundle: Path, port: int, *, replicas: int, latency_s: float, max_batch: int
) -> Iterator[str]:
    """A server whose replicas each take ``latency_s`` for up to ``max_batch`` photos."""
    settings = {_LATENCY: str(latency_s), "CATALENS_MAX_BATCH": str(max_batch)}
    with _served(bundle, port, replicas, settings) as address:
        yield address


@contextmanager
def counting(bundle: Path, port: int, counted: Path) -> Iterator[str]:
    """A server that appends a line to ``counted`` for each marked photo its graph runs."""
    with _served(bundle, port, 1, {_COUNTED: str(counted)}) as address:
        yield address


@contextmanager
def _served(bundle: Path, port: int, replicas: int, settings: dict[str, str]) -> Iterator[str]:
    # By its file: the package around it would load torch into the server's process.
    command = [sys.executable, "-P", __file__, str(bundle)]
    command += ["--port", str(port), "--replicas", str(replicas)]
    with started(command, port, os.environ | settings) as address:
        yield address


def main(bundle: str, *, port: int, replicas: int = 1) -> None:
    """Serve until told to stop; which session, the environment says.

    Args:
        bundle: directory; its graph is opened, and run by `Counting` only.
        port: to listen on.
        replicas: of the classifier.
    """
    from serve.launch import environment, serve_bundle
    from serve.launch_config import ServeConfig

    config = ServeConfig(port=port, replicas=replicas, device="cpu")
    with tempfile.TemporaryDirectory(prefix="catalens-bench-") as scratch:
        os.environ.update(environment(config, Path(scratch)))  # Ray reads it when imported
        import serve.app

        serve.app.Classifier = _with_session(serve.app.Classifier)
        serve_bundle(bundle, config)


def _with_session(classifier: type) -> type:
    """The deployment's class, which opens our session instead of the graph's."""
    session = Sleeping if _LATENCY in os.environ else Counting

    class StandIn(classifier):
        async def reconfigure(self, user_config: dict[str, object]) -> None:
            from serve import model

            model.Session = session
            await super().reconfigure(user_config)

    return StandIn


if __name__ == "__main__":
    from cyclopts import run

    run(main)
