import torch

from train.pseudo_labels import confident


def logits(*sure: tuple[int, float]) -> torch.Tensor:
    """Rows of three classes: the class that is likeliest, and by how much."""
    rows = torch.zeros(len(sure), 3)
    for row, (guess, margin) in enumerate(sure):
        rows[row, guess] = margin
    return rows


def test_photos_as_sure_as_those_that_were_right_are_labelled() -> None:
    held_out = logits((0, 9.0), (1, 8.0), (2, 3.0), (2, 2.0))
    truth = torch.tensor([0, 1, 0, 0])
    rows, classes = confident(held_out, truth, logits((2, 8.5), (1, 2.5), (0, 8.0)))
    assert rows.tolist() == [0, 2]
    assert classes.tolist() == [2, 1, 0]


def test_a_few_mistakes_among_many_are_allowed() -> None:
    held_out = logits(*[(0, 10.0 - step / 10) for step in range(50)])
    truth = torch.tensor([0] * 30 + [1] + [0] * 19)
    rows, _ = confident(held_out, truth, logits((0, 5.2)))
    assert rows.tolist() == [0]


def test_nothing_is_labelled_where_the_surest_are_wrong() -> None:
    held_out = logits((0, 9.0), (1, 8.0))
    rows, _ = confident(held_out, torch.tensor([2, 2]), logits((0, 20.0), (1, 8.0)))
    assert rows.tolist() == []
