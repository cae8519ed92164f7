import io
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from catalog.images import decode
from catalog.manifest import BadRow, Row
from inference.photos import SeenRow, see_rows
from inference.session import Session
from tests.colours import COLOURS, colour_photo

PATHS = list(COLOURS)


def row(line: int, image: Path | None) -> Row:
    return Row(line, str(image) if image else None, None, None, f"{line}", "val")


@pytest.fixture
def rows(tmp_path: Path) -> list[Row]:
    """Eleven photos whose colours take turns."""
    made = []
    for line in range(11):
        (tmp_path / f"{line}.jpg").write_bytes(colour_photo(PATHS[line % 4], line))
        made.append(row(line, tmp_path / f"{line}.jpg"))
    return made


@pytest.mark.parametrize("runs", [1, 2, 5])
def test_answers_come_in_the_order_of_the_rows(
    session: Session, rows: list[Row], runs: int
) -> None:
    seen = list(see_rows(session, rows, runs=runs))
    assert [one.row.line for one in seen if isinstance(one, SeenRow)] == list(range(11))
    answers = [int(one.probabilities.argmax()) for one in seen]  # type: ignore[union-attr]
    assert answers == [line % 4 for line in range(11)]


def test_answers_are_those_of_a_photo_decoded_alone(session: Session, rows: list[Row]) -> None:
    spec = session.bundle.document.image
    for one in see_rows(session, rows):
        assert isinstance(one, SeenRow)
        photo = decode(Path(one.row.image or "").read_bytes(), spec)
        alone = session.run(photo[None])
        assert one.probabilities == pytest.approx(alone.probabilities[0], abs=1e-5)
        assert one.embedding == pytest.approx(alone.embeddings[0], abs=1e-5)


def test_unreadable_photos_become_bad_rows_in_their_place(
    session: Session, rows: list[Row], tmp_path: Path
) -> None:
    (tmp_path / "3.jpg").write_bytes(b"no photo")
    (tmp_path / "7.jpg").unlink()
    seen = list(see_rows(session, rows))
    bad = [one for one in seen if isinstance(one, BadRow)]
    assert [one.line for one in bad] == [3, 7]
    assert seen.index(bad[0]) == 3
    assert "not a readable photo" in bad[0].problem
    assert (bad[1].problem, bad[1].split) == ("no such file.", "val")


def test_rows_without_a_photo_come_back_as_they_are(session: Session, rows: list[Row]) -> None:
    only_name = row(99, None)
    seen = list(see_rows(session, [rows[0], only_name, rows[1]], copy_side=32))
    assert seen[1] == SeenRow(only_name)
    assert list(see_rows(session, [only_name])) == [SeenRow(only_name)]


def test_copies_are_made_where_they_are_asked_for(session: Session, rows: list[Row]) -> None:
    for one in see_rows(session, rows[:2], copy_side=32):
        assert isinstance(one, SeenRow)
        assert Image.open(io.BytesIO(one.copy or b"")).size == (32, 32)
    assert next(iter(see_rows(session, rows))).copy is None  # type: ignore[union-attr]


def test_rows_are_taken_only_as_they_are_needed(session: Session, rows: list[Row]) -> None:
    taken = 0

    def endless() -> Iterator[Row]:
        nonlocal taken
        while True:
            taken += 1
            yield rows[taken % 11]

    answers = see_rows(session, endless(), runs=1)
    for _ in range(6):
        next(answers)
    assert taken < 20
    answers.close()  # type: ignore[attr-defined]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("photo")]


def test_no_rows_give_no_answers(session: Session) -> None:
    assert list(see_rows(session, [])) == []


def test_embeddings_of_one_colour_are_closer_than_those_of_two(
    session: Session, rows: list[Row]
) -> None:
    seen = [one for one in see_rows(session, rows) if isinstance(one, SeenRow)]
    matrix = np.stack([one.embedding for one in seen if one.embedding is not None])
    cosine = matrix @ matrix.T
    assert cosine[0, 4] > 0.95 > cosine[0, 1]
