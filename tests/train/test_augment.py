from dataclasses import replace

import numpy as np
import torch
from PIL import Image

from train.augment import augment, cut_and_mix, draw
from train.distributed import Ranks


def _photos(count: int) -> torch.Tensor:
    return torch.randint(
        0, 256, (count, 40, 40, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )


def test_parts_of_a_batch_are_augmented_as_the_whole_batch_would_be() -> None:
    photos, drawn = _photos(6), draw(6, seed=3)
    whole = augment(photos, 32, drawn)
    parts = [augment(photos[part], 32, drawn.part(part)) for part in (slice(0, 2), slice(2, 6))]
    assert torch.allclose(whole, torch.cat(parts), atol=1e-3)


def test_augmented_photos_keep_shape_and_range_and_differ_from_each_other() -> None:
    photos = _photos(1).repeat(4, 1, 1, 1)
    result = augment(photos, 32, draw(4, seed=1))
    assert result.shape == (4, 3, 32, 32)
    assert 0 <= float(result.min()) <= float(result.max()) <= 255
    assert not torch.allclose(result[0], result[1])


def test_a_crop_is_resampled_as_the_decode_resamples() -> None:
    photo = _photos(1)
    plain = replace(
        draw(1, seed=0),
        crop=torch.tensor([[1.0, 0.5, 0.5, 0.5]]),  # the whole square
        mirror=torch.tensor([False]),
        brightness=torch.zeros(1),
    )
    decoded = Image.fromarray(photo[0].numpy()).resize((24, 24), Image.Resampling.BICUBIC)
    resampled = augment(photo, 24, plain)[0].permute(1, 2, 0).numpy()
    assert np.abs(resampled - np.asarray(decoded, np.float32)).max() <= 2


def test_the_same_seed_augments_the_same_way() -> None:
    photos = _photos(3)
    assert torch.equal(augment(photos, 32, draw(3, 5)), augment(photos, 32, draw(3, 5)))


def test_cutmix_gives_each_target_its_share_of_the_pixels() -> None:
    images = torch.zeros(2, 3, 20, 20)
    images[1] = 1
    seeds = (seed for seed in range(100) if draw(2, seed).cut[0] < 0.5)
    mixed, targets = cut_and_mix(images, torch.eye(2), draw(2, next(seeds)))
    assert torch.allclose(targets.sum(1), torch.ones(2))
    assert abs(float(mixed[0].mean()) - float(targets[0, 1])) < 1e-6


def test_a_batch_shared_out_in_pairs_is_mixed_as_the_whole_would_be() -> None:
    images = torch.rand(7, 3, 20, 20)
    seeds = (seed for seed in range(100) if draw(7, seed).cut[0] < 0.5)
    drawn = draw(7, next(seeds))
    whole = cut_and_mix(images, torch.eye(7), drawn)
    assert not torch.equal(whole[0], images)
    for world in (1, 2, 3):
        parts = [Ranks(rank, world).part_in_pairs(7, turn=0) for rank in range(world)]
        mixed = [cut_and_mix(images[part], torch.eye(7)[part], drawn.part(part)) for part in parts]
        assert torch.equal(torch.cat([one for one, _ in mixed]), whole[0])
        assert torch.equal(torch.cat([one for _, one in mixed]), whole[1])
