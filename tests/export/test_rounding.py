import numpy as np

from export.rounding import refit, round_weights


def test_rounding_with_regard_to_the_inputs_errs_less_than_to_the_nearest() -> None:
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(1, 500, 4)) @ rng.normal(size=(1, 4, 32))  # few directions used
    inputs += 0.01 * rng.normal(size=inputs.shape)
    weights, scale = rng.normal(size=(1, 8, 32)), np.full((1, 8), 0.1)
    wanted = inputs @ weights.transpose(0, 2, 1)

    def error(steps: np.ndarray) -> float:
        return float(np.square(inputs @ (steps * 0.1).transpose(0, 2, 1) - wanted).mean())

    ours = round_weights(weights, scale, inputs)
    assert ours.dtype == np.int8
    assert error(ours.astype(float)) < 0.2 * error(np.round(weights / 0.1))


def test_a_refit_makes_up_for_inputs_that_shrank() -> None:
    rng = np.random.default_rng(0)
    inputs, weights = rng.normal(size=(3, 400, 9)), rng.normal(size=(3, 1, 9))
    wanted = inputs @ weights.transpose(0, 2, 1)
    shrunk = 0.9 * inputs
    moved = refit(weights, shrunk, wanted - shrunk @ weights.transpose(0, 2, 1))
    before = np.square(wanted - shrunk @ weights.transpose(0, 2, 1)).mean()
    assert np.square(wanted - shrunk @ moved.transpose(0, 2, 1)).mean() < 0.05 * before
