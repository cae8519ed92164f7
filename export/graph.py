"""The exported graph: uint8 NHWC photos in; calibrated probabilities and unit embedding out."""

from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from train.network import Network

# From ONNX Runtime's opset table: what PyTorch's exporter emits and every provider implements.
OPSET = 20


class ServedNetwork(nn.Module):
    """The trained network as it is served: normalisation, temperature and softmax inside.

    Args:
        network: as it was trained.
        temperature: the logits are divided by it.
        mirror: average the features of each photo and its mirror image.
    """

    def __init__(self, network: Network, temperature: float, *, mirror: bool = False) -> None:
        super().__init__()
        self.network = network
        self.temperature = temperature
        self.mirror = mirror

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """``images`` uint8 [N, S, S, 3] -> probabilities [N, C], unit embeddings [N, D]."""
        features = self._features(images.permute(0, 3, 1, 2))
        probabilities = torch.softmax(self.network.head(features) / self.temperature, dim=1)
        embedding = nn.functional.normalize(self.network.embedding(features), dim=1)
        return probabilities, embedding

    def _features(self, images: Tensor) -> Tensor:
        features = self.network.features(images)
        if self.mirror:
            features = (features + self.network.features(images.flip(3))) / 2
        return features


def write_graph(served: ServedNetwork, path: Path) -> None:
    """Export with a dynamic batch axis and check the result.

    The example batch has 2 photos: with 1 the exporter takes the batch axis for a constant.
    """
    side = served.network.architecture.image.size
    example = torch.zeros(2, side, side, 3, dtype=torch.uint8)
    program = torch.onnx.export(
        served.eval(),
        (example,),
        input_names=["images"],
        output_names=["probabilities", "embedding"],
        dynamic_shapes={"images": {0: torch.export.Dim("batch", min=1)}},
        opset_version=OPSET,
        dynamo=True,
        verbose=False,
    )
    assert program is not None  # None only without dynamo
    program.optimize()
    program.save(str(path), external_data=False)
    onnx.checker.check_model(str(path), full_check=True)
