import copy

import pytest
import timm
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from train.backbones import create_backbone
from train.depthwise import depthwise
from train.folding import fold_normalisation

_SIDE = 64


def gradients(backbone: nn.Module, photos: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    backbone.eval().zero_grad()
    features = backbone(photos)
    features.square().mean().backward()
    return features.detach(), {
        key: value.grad.clone()
        for key, value in backbone.named_parameters()
        if value.grad is not None
    }


@pytest.mark.parametrize("side", [3, 5])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("size", [12, 13])
def test_depthwise_gradients_are_those_of_autograd(
    side: int, stride: int, padded: bool, size: int
) -> None:
    generator = torch.Generator().manual_seed(0)
    padding = side // 2 if padded else 0
    inputs = [
        torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_()
        for shape in ((2, 4, size, size + 3), (4, 1, side, side), (4,))
    ]
    expected = F.conv2d(*inputs, stride, padding, groups=4)
    found = depthwise(*inputs, stride, padding)
    gradient = torch.randn(expected.shape, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(
        torch.autograd.grad(found, inputs, gradient),
        torch.autograd.grad(expected, inputs, gradient),
    )


@pytest.mark.parametrize(
    "name", ["tf_efficientnet_lite0", "resnet18", "mobilenetv3_small_050", "convnext_atto"]
)
def test_a_folded_backbone_has_the_same_features_gradients_and_names(name: str) -> None:
    torch.manual_seed(0)
    whole = timm.create_model(name, num_classes=0).double()
    for module in whole.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.1, 0.1)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
    folded = copy.deepcopy(whole).float()
    layers = fold_normalisation(folded, _SIDE)
    folded = folded.double()
    norms = sum(isinstance(module, nn.BatchNorm2d) for module in whole.modules())
    assert layers == norms
    photos = torch.rand(2, 3, _SIDE, _SIDE, dtype=torch.float64)
    expected, found = gradients(whole, photos), gradients(folded, photos)
    torch.testing.assert_close(found[0], expected[0])
    torch.testing.assert_close(found[1], expected[1])
    assert folded.state_dict().keys() == whole.state_dict().keys()


def test_a_copy_of_a_folded_backbone_has_weights_of_its_own() -> None:
    backbone, _ = create_backbone("tf_efficientnet_lite0", pretrained=False)
    fold_normalisation(backbone, _SIDE)
    photos = torch.rand(1, 3, _SIDE, _SIDE)
    before = backbone(photos)
    other = copy.deepcopy(backbone)
    with torch.no_grad():
        for value in other.parameters():
            value.zero_()
    torch.testing.assert_close(backbone(photos), before)
    assert not other(photos).any()


class NormalisedFirst(nn.Module):
    """Its normalisation comes before the convolution that was registered before it."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 3, 3, padding=1)
        self.norm = nn.BatchNorm2d(3)
        nn.init.uniform_(self.norm.running_mean, -0.5, 0.5)

    def forward(self, images: Tensor) -> Tensor:
        return self.convolution(self.norm(images)).mean((2, 3))


def test_a_backbone_wired_otherwise_is_left_as_it_is() -> None:
    backbone = NormalisedFirst()
    photos = torch.rand(2, 3, _SIDE, _SIDE)
    before = backbone.eval()(photos)
    assert fold_normalisation(backbone, _SIDE) == 0
    torch.testing.assert_close(backbone(photos), before)
