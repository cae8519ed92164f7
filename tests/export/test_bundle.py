import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from catalog.images import ImageSpec
from export.bundle import Exported, embedding_id, export_run
from export.graph import ServedNetwork, write_graph
from export.photos import export_photos
from export.sessions import cpu_session
from inference.bundle import read_bundle
from inference.session import Session
from train.network import load_network
from train.run import read_run


@pytest.fixture(scope="module")
def exported(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    return export_run(run, tmp_path_factory.mktemp("export") / "bundle")


def test_an_export_holds_every_variant_or_says_why_not(exported: Exported) -> None:
    document = read_bundle(exported.bundle.directory).document
    assert "fp32" in document.variants
    assert {*document.variants, *exported.refused} == {"fp32", "fp16", "int8"}
    for name, variant in document.variants.items():
        assert variant.file == f"model.{name}.onnx"
        assert variant.photos == 12
        assert variant.batch_size == 16
        Session(exported.bundle, variant=name, device="cpu")


def test_photos_of_the_judge_are_not_calibrated_on(run: Path) -> None:
    finished = read_run(run)
    held_out = finished.held_out()
    found = export_photos(finished, held_out, finished.document.architecture.image)
    assert len(found.judged) == len(found.rows) == 12
    assert len(found.calibration) == 12
    seen = {photo.tobytes() for photo in found.judged}
    assert not any(photo.tobytes() in seen for photo in found.calibration)
    assert {held_out.truth[row] for row in found.rows} == set(finished.document.classes)


def test_photos_that_were_set_aside_are_judged_and_the_rest_calibrates(
    run: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(run, tmp_path / "run"))
    finished = read_run(copy)
    held_out = finished.held_out()
    few = type(held_out)(held_out.images[:5], held_out.truth[:5], held_out.logits[:5])
    found = export_photos(finished, few, ImageSpec(32, 1.0, (0.0,) * 3, (1.0,) * 3))
    assert sorted(found.rows) == [0, 1, 2, 3, 4]
    assert len(found.calibration) == 19


def test_a_bundle_from_before_a_field_came_still_reads(tiny_bundle: Path, tmp_path: Path) -> None:
    from inference.bundle import _version

    copy = Path(shutil.copytree(tiny_bundle, tmp_path / "old"))
    document = json.loads((copy / "bundle.json").read_text())
    for variant in document["variants"].values():
        for field in ("embedding_cosine", "photos", "batch_size"):
            del variant[field]
    document["version"] = _version(document)
    (copy / "bundle.json").write_text(json.dumps(document))
    assert read_bundle(copy).document.variants["fp32"].photos is None


def test_a_mirrored_graph_answers_a_photo_and_its_mirror_image_alike(
    run: Path, tmp_path: Path
) -> None:
    finished = read_run(run)
    network = load_network(finished.document.architecture, finished.weights)
    size = network.architecture.image.size
    photo = np.random.default_rng(0).integers(0, 256, (1, size, size, 3), dtype=np.uint8)
    both = np.concatenate([photo, photo[:, :, ::-1]])
    alike = []
    for mirror in (False, True):
        graph = tmp_path / f"{mirror}.onnx"
        write_graph(ServedNetwork(network, 1.0, mirror=mirror), graph)
        _, (left, right) = cpu_session(graph).run(["probabilities", "embedding"], {"images": both})
        alike.append(float(left @ right))
    assert alike[1] == pytest.approx(1, abs=1e-4)
    assert alike[0] < 0.999
    assert embedding_id(network) != embedding_id(network, mirror=True)
