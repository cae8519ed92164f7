"""The probe: multinomial logistic regression on features, full batch, over all workers.

Minimised by L-BFGS, so the result depends neither on a learning rate nor on the number of workers.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from train.distributed import Ranks
from train.network import Network

# Strength of the L2 penalty, as a share of one photo's loss; strongest first, each fit starts
# from the one before.
DECAYS = (30.0, 10.0, 3.0, 1.0)
_ITERATIONS = 60


@dataclass(frozen=True)
class Standardiser:
    """Mean and deviation of the features, so that one penalty fits all of them."""

    mean: Tensor
    std: Tensor

    @classmethod
    def of(cls, features: Tensor) -> "Standardiser":
        """From float32 [N, features]."""
        return cls(features.mean(0), features.std(0) + 1e-4 * features.std() + 1e-6)

    def __call__(self, features: Tensor) -> Tensor:
        """Features with mean 0 and deviation 1."""
        return (features - self.mean) / self.std


@dataclass(frozen=True)
class Head:
    """A linear classifier on raw features.

    Attributes:
        weight: float32 [classes, features].
        bias: float32 [classes].
    """

    weight: Tensor
    bias: Tensor

    def __call__(self, features: Tensor) -> Tensor:
        """Logits float32 [N, classes]."""
        return features @ self.weight.T + self.bias

    @classmethod
    def of(cls, network: Network) -> "Head":
        """A copy of the network's head, on the CPU."""
        head = network.head
        return cls(head.weight.detach().cpu().clone(), head.bias.detach().cpu().clone())

    def of_spread_one(self, features: Tensor) -> "Head":
        """The same answers by logits of deviation 1 on these features, float32 [N, features].

        What is equal for all classes, which no softmax sees, is left out.
        """
        weight, bias = self.weight - self.weight.mean(0), self.bias - self.bias.mean()
        spread = Head(weight, bias)(features).std().clamp(min=1e-12)
        return Head(weight / spread, bias / spread)

    def at_temperature(self, temperature: float) -> "Head":
        """The same answers, less sure the higher it is."""
        return Head(self.weight / temperature, self.bias / temperature)

    def load_into(self, network: Network) -> None:
        """Make this the network's head."""
        with torch.no_grad():
            network.head.weight.copy_(self.weight)
            network.head.bias.copy_(self.bias)


def fit_path(
    features: Tensor,
    targets: Tensor,
    class_weights: Tensor,
    ranks: Ranks,
    decays: tuple[float, ...] = DECAYS,
) -> list[Head]:
    """A head for each penalty.

    Args:
        features: float32 [N, features].
        targets: int64 [N].
        class_weights: float32 [classes], mean 1 over the photos.
        ranks: every rank computes the loss of its part of the rows.
        decays: the penalties, strongest first.
    """
    count, width = features.shape
    rows = ranks.part(count)
    standardise = Standardiser.of(features)
    own, labels = standardise(features[rows]), targets[rows]
    parameters = torch.zeros(len(class_weights), width + 1, requires_grad=True)
    heads = []
    for decay in decays:
        _minimise(parameters, own, labels, class_weights, decay, count, ranks)
        weight = parameters[:, :-1].detach() / standardise.std
        heads.append(Head(weight, parameters[:, -1].detach() - weight @ standardise.mean))
    return heads


def _minimise(
    parameters: Tensor,
    features: Tensor,
    labels: Tensor,
    class_weights: Tensor,
    decay: float,
    total: int,
    ranks: Ranks,
) -> None:
    optimizer = torch.optim.LBFGS(
        [parameters],
        max_iter=_ITERATIONS,
        tolerance_grad=1e-6,
        tolerance_change=1e-7,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        logits = features @ parameters[:, :-1].T + parameters[:, -1]
        losses = F.cross_entropy(logits, labels, weight=class_weights, reduction="sum") / total
        penalty = 0.5 * decay * parameters[:, :-1].square().mean(dim=1).sum()
        loss = losses + penalty / ranks.world
        loss.backward()
        assert parameters.grad is not None
        ranks.sum(parameters.grad)
        return ranks.sum(loss.detach())

    optimizer.step(closure)
