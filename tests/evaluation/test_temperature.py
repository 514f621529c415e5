"""Temperature scaling: known optima, the convex bracket's ends, and refusal of what has no answer."""

import numpy as np
import pytest
import torch

from timbre.evaluation import CalibrationError, fit_temperature
from timbre.evaluation.temperature import HIGHEST, LOWEST


def sampled(temperature: float, clips: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    """Logits whose true probabilities are softmax(logits / temperature)."""
    generator = np.random.default_rng(3)
    logits = generator.normal(scale=3, size=(clips, 5))
    scaled = logits / temperature
    targets = (scaled + generator.gumbel(size=scaled.shape)).argmax(axis=1)  # the Gumbel trick samples from softmax
    return logits, targets


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_finds_the_temperature_that_made_the_data(temperature: float) -> None:
    assert fit_temperature(*sampled(temperature)) == pytest.approx(temperature, rel=0.03)


def test_known_by_hand() -> None:
    # Three clips of four are right with logit gap 4: the best confidence is 3/4, so 4 / T = ln 3.
    logits = [[4.0, 0.0]] * 4
    assert fit_temperature(logits, [0, 0, 0, 1]) == pytest.approx(4 / np.log(3), rel=1e-9)


def test_no_neighbour_is_better() -> None:
    logits, targets = sampled(1.7, clips=200)

    def loss(temperature: float) -> float:
        return float(torch.nn.functional.cross_entropy(torch.tensor(logits) / temperature, torch.tensor(targets)))

    best = fit_temperature(logits, targets)
    assert loss(best) <= min(loss(best * 0.99), loss(best * 1.01))


def test_takes_what_torch_gives() -> None:
    logits, targets = sampled(1.5, clips=500)
    assert fit_temperature(torch.tensor(logits), torch.tensor(targets)) == fit_temperature(logits, targets)


def test_separated_and_hopeless_logits_stop_at_the_bounds() -> None:
    assert fit_temperature([[9.0, 0.0], [0.0, 9.0]], [0, 1]) == pytest.approx(LOWEST)
    assert fit_temperature([[9.0, 0.0], [0.0, 9.0]], [1, 0]) == pytest.approx(HIGHEST)


def test_large_logits_do_not_overflow() -> None:
    assert fit_temperature([[1e6, 0.0], [1e6, 0.0], [1e6, 0.0]], [0, 0, 1]) == pytest.approx(HIGHEST)


@pytest.mark.parametrize(
    ("logits", "targets"),
    [
        ([[np.nan, 0.0]], [0]),
        ([[np.inf, 0.0]], [0]),
        (np.zeros((0, 2)), []),
        ([[1.0, 0.0]], [0, 1]),
    ],
)
def test_refuses_what_has_no_answer(logits, targets) -> None:
    with pytest.raises(CalibrationError):
        fit_temperature(logits, targets)
