import torch

from train.pseudo_labels import surest


def logits(*sure: tuple[int, float]) -> torch.Tensor:
    """Rows of three classes: the class that is likeliest, and by how much."""
    rows = torch.zeros(len(sure), 3)
    for row, (guess, margin) in enumerate(sure):
        rows[row, guess] = margin
    return rows


def test_each_class_labels_the_surer_half_of_what_is_taken_for_it() -> None:
    easy = [(0, 9.0), (0, 7.0), (0, 8.0), (0, 6.0)]
    rows, classes = surest(logits(*easy, (1, 0.2), (1, 0.4)))
    assert dict(zip(rows.tolist(), classes.tolist(), strict=True)) == {0: 0, 2: 0, 5: 1}


def test_a_class_with_one_photo_labels_it() -> None:
    rows, classes = surest(logits((0, 9.0), (0, 8.0), (2, 0.1)))
    assert dict(zip(rows.tolist(), classes.tolist(), strict=True)) == {0: 0, 2: 2}
