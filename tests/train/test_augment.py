from dataclasses import replace

import numpy as np
import torch
from PIL import Image

from train.augment import Augmentation, View, augment, cut_and_mix, draw
from train.distributed import Ranks

_STRONG = Augmentation(colour=0.3, erase=0.5, cutmix=0.5)


def _photos(count: int) -> torch.Tensor:
    return torch.randint(
        0, 256, (count, 40, 40, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )


def test_parts_of_a_batch_are_augmented_as_the_whole_batch_would_be() -> None:
    photos, drawn = _photos(6), draw(6, seed=3)
    whole = augment(photos, 32, drawn, _STRONG)
    parts = [
        augment(photos[part], 32, drawn.part(part), _STRONG) for part in (slice(0, 2), slice(2, 6))
    ]
    assert torch.allclose(whole, torch.cat(parts), atol=1e-3)


def test_augmented_photos_keep_shape_and_range_and_differ_from_each_other() -> None:
    photos = _photos(1).repeat(4, 1, 1, 1)
    result = augment(photos, 32, draw(4, seed=1), _STRONG)
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
    resampled = augment(photo, 24, plain, Augmentation())[0].permute(1, 2, 0).numpy()
    assert np.abs(resampled - np.asarray(decoded, np.float32)).max() <= 2


def test_the_same_seed_augments_the_same_way() -> None:
    photos = _photos(3)
    assert torch.equal(*(augment(photos, 32, draw(3, 5), _STRONG) for _ in range(2)))


def test_cutmix_gives_each_target_its_share_of_the_pixels() -> None:
    images = torch.zeros(2, 3, 20, 20)
    images[1] = 1
    seeds = (seed for seed in range(100) if draw(2, seed).cut[0] < 0.5)
    mixed, targets = cut_and_mix(images, torch.eye(2), draw(2, next(seeds)), 0.5)
    assert torch.allclose(targets.sum(1), torch.ones(2))
    assert abs(float(mixed[0].mean()) - float(targets[0, 1])) < 1e-6


def test_a_batch_shared_out_in_pairs_is_mixed_as_the_whole_would_be() -> None:
    images = torch.rand(7, 3, 20, 20)
    seeds = (seed for seed in range(100) if draw(7, seed).cut[0] < 0.5)
    drawn = draw(7, next(seeds))
    whole = cut_and_mix(images, torch.eye(7), drawn, 0.5)
    assert not torch.equal(whole[0], images)
    for world in (1, 2, 3):
        parts = [Ranks(rank, world).part_in_pairs(7, turn=0) for rank in range(world)]
        mixed = [
            cut_and_mix(images[part], torch.eye(7)[part], drawn.part(part), 0.5) for part in parts
        ]
        assert torch.equal(torch.cat([one for one, _ in mixed]), whole[0])
        assert torch.equal(torch.cat([one for _, one in mixed]), whole[1])


def test_a_part_of_as_many_photos_as_asked_is_erased() -> None:
    photos, drawn = _photos(200), replace(draw(200, seed=2), brightness=torch.zeros(200))
    whole = augment(photos, 32, drawn, Augmentation())
    erased = augment(photos, 32, drawn, Augmentation(erase=0.25))
    changed = (whole != erased).any(dim=1).float().mean(dim=(1, 2))
    assert 0.15 < float((changed > 0).float().mean()) < 0.35
    assert 0.01 < float(changed[changed > 0].min()) <= float(changed.max()) < 0.4


def test_colours_shift_by_no_more_than_asked() -> None:
    photos = torch.full((50, 40, 40, 3), 120, dtype=torch.uint8)
    drawn = replace(draw(50, seed=2), brightness=torch.zeros(50))
    shifted = augment(photos, 32, drawn, Augmentation(colour=0.2))
    assert float(shifted.min()) >= 120 * 0.9 - 1e-3
    assert float(shifted.max()) <= 120 * 1.1 + 1e-3
    assert float(shifted.std()) > 1


def test_a_view_is_the_same_at_every_reading_also_in_parts() -> None:
    view = View(_photos(6).numpy(), 32, draw(6, seed=3), _STRONG)
    assert view.shape == (6, 32, 32, 3)
    whole = view[:]
    assert whole.dtype == np.uint8
    parts = np.concatenate([view[np.array([0, 1])], view[2:6]])
    assert np.abs(whole.astype(int) - parts).max() <= 1
    assert not np.array_equal(whole, View(_photos(6).numpy(), 32, draw(6, seed=4), _STRONG)[:])
