import threading

import numpy as np
import pytest
from numpy.typing import NDArray

from catalog.errors import DeviceUnavailable, InvalidBundle
from catalog.images import decode
from inference.bundle import Bundle
from inference.session import Session
from tests.colours import COLOURS, colour_photo


@pytest.fixture(scope="module")
def photos(bundle: Bundle) -> NDArray[np.uint8]:
    """uint8 [8, 224, 224, 3]: two of each colour, in the order of the classes."""
    spec = bundle.document.image
    return np.stack(
        [decode(colour_photo(path, seed), spec) for path in COLOURS for seed in range(2)]
    )


def test_one_run_gives_probabilities_and_unit_embeddings(
    session: Session, photos: NDArray[np.uint8]
) -> None:
    found = session.run(photos)
    assert found.probabilities.shape == (8, 4)
    assert found.embeddings.shape == (8, 32)
    assert found.probabilities.dtype == found.embeddings.dtype == np.float32
    assert found.probabilities.sum(axis=1) == pytest.approx(np.ones(8), abs=1e-5)
    assert np.linalg.norm(found.embeddings, axis=1) == pytest.approx(np.ones(8), abs=1e-5)
    assert found.probabilities.argmax(axis=1).tolist() == [0, 0, 1, 1, 2, 2, 3, 3]


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_answers_do_not_depend_on_the_batch(
    session: Session, photos: NDArray[np.uint8], size: int
) -> None:
    whole = session.run(photos)
    part = session.run(photos[:size])
    assert part.probabilities == pytest.approx(whole.probabilities[:size], abs=1e-5)
    assert part.embeddings == pytest.approx(whole.embeddings[:size], abs=1e-5)


def test_several_threads_share_a_session(session: Session, photos: NDArray[np.uint8]) -> None:
    expected = session.run(photos).probabilities
    found: list[NDArray[np.float32]] = []

    def ask() -> None:
        found.append(session.run(photos).probabilities)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert all(one == pytest.approx(expected, abs=1e-5) for one in found)


def test_a_gpu_that_is_not_there_is_a_refusal_with_the_missing_library(bundle: Bundle) -> None:
    if Session(bundle, device="auto").device != "cpu":
        pytest.skip("this machine has a GPU")
    for device in ("cuda", "tensorrt"):
        with pytest.raises(DeviceUnavailable, match=r"(lib|ONNX Runtime)") as caught:
            Session(bundle, device=device)  # type: ignore[arg-type]
        assert "--device cpu" in caught.value.fix


def test_an_unknown_variant_is_refused(bundle: Bundle) -> None:
    with pytest.raises(InvalidBundle, match="no variant 'fp8'"):
        Session(bundle, variant="fp8", device="cpu")
