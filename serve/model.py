"""A bundle at work in a replica: verified, loaded, warmed up, with its own queue."""

import asyncio
import math
import time
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from catalog.errors import InvalidBundle
from catalog.images import ImageLimits, decode
from catalog.product import mean_embedding
from inference.answers import AnswerPolicy
from inference.bundle import BundleDocument
from inference.categoriser import Categoriser
from inference.devices import Device, GpuConfig, VariantName
from inference.explain import covered, explanation
from inference.fetch import open_bundle
from inference.session import Prediction, Session
from serve.batching import Batcher
from serve.settings import Settings
from serve.watch import Watch

_PROBE_TIMEOUT_S: Final = 5.0
_FRESH_S: Final = 10.0


@dataclass(frozen=True)
class Hardware:
    """What a replica runs its graph on.

    Attributes:
        device: where.
        variant: which of the bundle's graphs; ``auto`` takes the fastest on the device.
        gpus: share of a GPU that is the replica's own.
    """

    device: Device = "auto"
    variant: VariantName = "auto"
    gpus: float = 1.0


class ServedModel:
    """One bundle that answers; a swap replaces the whole of it.

    Loading is slow and needs no event loop; `start` binds it to the running one.

    Args:
        uri: the bundle's directory, or its place on S3 or GCS.
        settings: limits of the replica.
        hardware: what to run the graph on.

    Raises:
        InvalidBundle: the bundle is not whole, or its graph cannot be run.
        DeviceUnavailable: the device asked for is not there.
    """

    def __init__(self, uri: str, settings: Settings, hardware: Hardware) -> None:
        self.uri = uri
        self._bundle = bundle = open_bundle(uri)
        self.document: BundleDocument = bundle.document
        self.match_model = bundle.match_model
        self.policy = AnswerPolicy.of(bundle)
        self.report = bundle.report
        self.categoriser = Categoriser.of(bundle)
        self.session = Session(
            bundle,
            variant=hardware.variant,
            device=hardware.device,
            threads=settings.threads,
            max_batch=settings.max_batch,
            gpu=GpuConfig(hardware.gpus, settings.engine_cache),
        )
        self._settings = settings
        self._limits = ImageLimits(max_bytes=settings.max_photo_bytes)
        self._batcher: Batcher | None = None
        self._probe: asyncio.Task[bool] | None = None
        self._last_probe = -math.inf
        self._warm_up()

    @property
    def batcher(self) -> Batcher:
        """Its queue, once started."""
        if self._batcher is None:
            raise RuntimeError("the model was not started")
        return self._batcher

    def start(self, decoders: Executor, watch: Watch) -> None:
        """Open its queue on the running event loop."""
        on_cpu = self.session.device == "cpu"
        self._batcher = Batcher(
            self.session.run,
            None if on_cpu else decoders,
            batch_sizes=self.session.batch_sizes,
            runs=self._settings.runs if on_cpu else 1,
            max_queue=self._settings.max_queue,
            deadline_s=self._settings.deadline_s,
            watch=watch,
        )
        watch.serving(self.document.version, self.session.variant, self.session.device)

    async def predict(self, photos: Sequence[bytes], names: Sequence[str]) -> Prediction:
        """Classify and embed encoded photos.

        Args:
            photos: encoded, at least one.
            names: what to call each in an error.

        Raises:
            InvalidImage, ImageTooLarge: a photo cannot be read.
            Overloaded: the queue is full.
        """
        spec, limits = self.document.image, self._limits  # and not self: a swap waits for that

        def decode_at(place: int) -> NDArray[np.uint8]:
            return decode(photos[place], spec, limits, where=names[place])

        return await self.batcher.submit(len(photos), decode_at)

    async def predict_pixels(self, images: NDArray[np.uint8]) -> Prediction:
        """Classify and embed photos that are decoded; ``images`` uint8 [N, S, S, 3] RGB.

        Raises:
            Overloaded: the queue is full.
        """
        return await self.batcher.submit(len(images), list(images).__getitem__)

    async def embed(
        self, photos: Sequence[bytes], names: Sequence[str]
    ) -> NDArray[np.float32] | None:
        """One product's embedding from its photos, float32 [D]; None without any.

        Raises:
            InvalidImage, ImageTooLarge: a photo cannot be read.
            Overloaded: the queue is full.
        """
        if not photos:
            return None
        return mean_embedding((await self.predict(photos, names)).embeddings)

    async def explain(
        self, photo: bytes, name: str, prediction: Prediction, path: str
    ) -> dict[str, Any]:
        """Why a photo got its answer: the `explanation` of a classify answer.

        The photos with a part covered wait in the queue like any others, a batch at a time.

        Args:
            photo: encoded.
            name: what to call it in an error.
            prediction: of that photo alone.
            path: the category answered.

        Raises:
            Overloaded: the queue is full.
        """
        spec = self.document.image
        pixels = await asyncio.to_thread(decode, photo, spec, self._limits, where=name)
        copies = await asyncio.to_thread(covered, pixels)
        step = self.session.batch_sizes[-1]
        seen = []
        for start in range(0, len(copies), step):
            part = list(copies[start : start + step])
            seen.append((await self.batcher.submit(len(part), part.__getitem__)).probabilities)
        return await asyncio.to_thread(
            lambda: explanation(
                self.policy.tree,
                path,
                pixels,
                prediction.probabilities[0],
                np.concatenate(seen),
                prediction.embeddings[0],
                self._bundle.examples,
            )
        )

    async def answers(self) -> bool:
        """Whether the graph gives answers now: one did lately, or one does past the queue.

        Anybody may ask, so all who ask at a time wait for one run.
        """
        if not self.batcher.alive:
            return False
        last = max(self.batcher.last_success, self._last_probe)
        if time.monotonic() - last < _FRESH_S:
            return True
        if self._probe is None or self._probe.done():
            self._probe = asyncio.create_task(self._passes_probe())
        return await asyncio.shield(self._probe)

    async def _passes_probe(self) -> bool:
        try:
            await asyncio.wait_for(asyncio.to_thread(self._run_blank, 1), _PROBE_TIMEOUT_S)
        except Exception:  # noqa: BLE001 - whatever it is, the answer is no
            return False
        self._last_probe = time.monotonic()
        return True

    def _warm_up(self) -> None:
        for size in self.session.warm_up_sizes:
            try:
                prediction = self._run_blank(size)
            except Exception as error:
                raise InvalidBundle(
                    f"its graph cannot be run ({error}).", where=self.uri
                ) from error
            shapes = prediction.probabilities.shape, prediction.embeddings.shape
            expected = (size, len(self.document.classes)), (size, self.document.embedding_dimension)
            if shapes != expected:
                raise InvalidBundle(
                    f"its graph answers {shapes} and bundle.json says {expected}.", where=self.uri
                )

        try:
            self.match_model.names.compare("one", "another")
        except Exception as error:  # whatever a boosted tree that is none may raise
            raise InvalidBundle(
                f"its names cannot be compared ({error}).", where=self.uri
            ) from error

    def _run_blank(self, size: int) -> Prediction:
        side = self.document.image.size
        return self.session.run(np.full((size, side, side, 3), 127, dtype=np.uint8))
