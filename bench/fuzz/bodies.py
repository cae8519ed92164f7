"""Real bodies, bent byte by byte, sent to the calls that read photos and batches."""

import base64
import io
import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import httpx
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from PIL import Image

_FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "MPO")
_BOUNDARY: Final = b"fuzzfuzz"
_EXAMPLES: Final = 200
_TIMEOUT_S: Final = 60.0


@dataclass
class Bent:
    """What became of the bodies.

    Attributes:
        statuses: how many answers had each.
        dropped: without an answer.
        longest_s: of an answer.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    dropped: int = 0
    longest_s: float = 0.0

    def of(self, wanted: Callable[[int], bool]) -> int:
        """Answers with such a status."""
        return sum(count for status, count in self.statuses.items() if wanted(status))


@dataclass(frozen=True)
class Seed:
    """A body that is good.

    Attributes:
        path: of the call.
        media_type: of the body.
        body: itself.
    """

    path: str
    media_type: str
    body: bytes


def bend(address: str, photo: bytes, until: float) -> Bent:
    """Send bent bodies until that moment of `time.monotonic`."""
    bent = Bent()
    seeds = _seeds(photo)
    with httpx.Client(base_url=address, timeout=_TIMEOUT_S, trust_env=False) as http:
        number = 0
        while time.monotonic() < until:
            number += 1
            _round(http, seeds, bent, number, until)
    return bent


def _round(http: httpx.Client, seeds: list[Seed], bent: Bent, number: int, until: float) -> None:
    @seed(number)
    @settings(
        max_examples=_EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.sampled_from(seeds), _edits())
    def send(good: Seed, edits: list[tuple[float, str, bytes]]) -> None:
        if time.monotonic() > until:
            return
        began = time.monotonic()
        try:
            answer = http.post(
                good.path,
                content=_edited(good.body, edits),
                headers={"Content-Type": good.media_type},
            )
        except httpx.HTTPError:
            bent.dropped += 1
        else:
            bent.statuses[answer.status_code] += 1
            bent.longest_s = max(bent.longest_s, time.monotonic() - began)

    send()


def _edits() -> st.SearchStrategy[list[tuple[float, str, bytes]]]:
    """Where in the body, what is done there, and with which bytes."""
    kinds = st.sampled_from(("replace", "insert", "delete", "repeat", "cut"))
    extremes = st.sampled_from((b"\x00", b"\xff" * 4, b"\x7f\xff\xff\xff", b"\x80\x00\x00\x00"))
    # Heads decide most: half of the edits are in the first hundredth.
    place = st.one_of(st.floats(0, 0.01), st.floats(0, 1))
    return st.lists(
        st.tuples(place, kinds, st.one_of(extremes, st.binary(min_size=1, max_size=16))), max_size=4
    )


def _edited(body: bytes, edits: list[tuple[float, str, bytes]]) -> bytes:
    for where, kind, with_bytes in edits:
        at = int(where * len(body))
        length = len(with_bytes)
        if kind == "replace":
            body = body[:at] + with_bytes + body[at + length :]
        elif kind == "insert":
            body = body[:at] + with_bytes + body[at:]
        elif kind == "delete":
            body = body[:at] + body[at + length :]
        elif kind == "repeat":
            body = body[:at] + body[at : at + 1_000] * 3 + body[at:]
        else:
            body = body[:at]
    return body


def _seeds(photo: bytes) -> list[Seed]:
    photos = [_as(photo, kind, mode) for kind in _FORMATS for mode in _modes(kind)]
    encoded = base64.b64encode(photos[0]).decode()
    product = {"name": "Café au lait 2 x 500 g", "image": encoded}
    lines = "\n".join(json.dumps({"id": f"f{number}", **product}) for number in range(4))
    form = b"".join(
        b"--%s\r\nContent-Disposition: form-data; name=image; filename=%d.jpg\r\n"
        b"Content-Type: image/jpeg\r\n\r\n%s\r\n" % (_BOUNDARY, number, one)
        for number, one in enumerate(photos[:3])
    )
    form_type = f"multipart/form-data; boundary={_BOUNDARY.decode()}"
    bodies = {
        "/v1/classify": {"images": [encoded, encoded]},
        "/v1/compare": {"left": product, "right": product},
        "/v1/categorize": {"product": product, "id": "f1"},
        "/v1/search": {"product": product, "text": "lait", "filter": {"brand": ["a", "b"]}},
        "/v1/tags": {"name": product["name"]},
    }
    return [
        *(Seed("/v1/classify", "image/jpeg", one) for one in photos),
        *(Seed(path, "application/json", json.dumps(one).encode()) for path, one in bodies.items()),
        Seed("/v1/classify", form_type, form + b"--%s--\r\n" % _BOUNDARY),
        Seed("/v1/products:import", "application/x-ndjson", lines.encode()),
    ]


def _modes(kind: str) -> tuple[str, ...]:
    modes = {"JPEG": ("RGB", "L", "CMYK"), "PNG": ("RGB", "RGBA", "P", "I;16", "1")}
    return modes.get(kind, ("P",) if kind == "GIF" else ("RGB",))


def _as(photo: bytes, kind: str, mode: str) -> bytes:
    out = io.BytesIO()
    with Image.open(io.BytesIO(photo)) as image:
        small = image.convert("RGB").resize((64, 48))
        if mode == "I;16":
            small = small.convert("L").convert("I").convert("I;16")
        small.convert(mode).save(out, kind)
    return out.getvalue()
