import pytest

from catalog.errors import InvalidRequest
from train.backbones import create_backbone, feature_count


def test_a_backbone_takes_photos_of_another_size() -> None:
    backbone, spec = create_backbone("tf_efficientnet_lite2", size=240, pretrained=False)
    assert spec.size == 240
    assert feature_count(backbone, spec) == 1280


@pytest.mark.parametrize("size", [-1, 0, 97])
def test_a_size_that_a_backbone_cannot_take_is_refused(size: int) -> None:
    with pytest.raises(InvalidRequest, match=f"no photos of {size} px") as refused:
        create_backbone("vit_tiny_patch16_224", size=size, pretrained=False)
    assert "224 px" in str(refused.value.fix)
