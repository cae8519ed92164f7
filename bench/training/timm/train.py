"""timm as its own train.py trains: that script's defaults, epochs to fill the time.

https://github.com/huggingface/pytorch-image-models/blob/main/train.py: SGD with momentum 0.9 and
weight decay 2e-5, a rate of 0.1 for 256 photos, here 0.05 for its batch of
128, label smoothing 0.1, cosine schedule after 5 epochs of warm-up from 1e-5, random
resized crops of 8 to 100%, mirror, colour jitter 0.4. Where there are fewer than
10 epochs, half of them warm up.
"""

import time
from itertools import islice

import torch
from PIL import Image
from task import BACKBONE, SIZE, read_task
from timm import create_model
from timm.data import create_transform, resolve_model_data_config
from timm.loss import LabelSmoothingCrossEntropy
from timm.optim import create_optimizer_v2
from timm.scheduler import create_scheduler_v2
from torch.utils.data import DataLoader, Dataset

_BATCH = 128
_RATE = 0.1 * _BATCH / 256
_TIMED = 3


class Photos(Dataset):
    """Photos with class numbers."""

    def __init__(self, photos, transform):
        self.photos = photos
        self.transform = transform

    def __len__(self):
        return len(self.photos)

    def __getitem__(self, row):
        image, number = self.photos[row]
        return self.transform(Image.open(image).convert("RGB")), number


def main():
    """Train and answer."""
    task = read_task()
    torch.manual_seed(0)
    classes = sorted({category for _, category in task.train})
    numbered = [(image, classes.index(category)) for image, category in task.train]
    model = create_model(BACKBONE, pretrained=True, num_classes=len(classes))
    config = resolve_model_data_config(model) | {"input_size": (3, SIZE, SIZE)}
    train = Photos(numbered, create_transform(**config, is_training=True))
    loader = DataLoader(train, _BATCH, shuffle=True, num_workers=2, drop_last=len(train) >= _BATCH)
    epochs = _epochs(model, loader, task)
    optimizer = create_optimizer_v2(model, "sgd", lr=_RATE, weight_decay=2e-5, momentum=0.9)
    warm_up = min(5, epochs // 2)
    scheduler, epochs = create_scheduler_v2(
        optimizer, "cosine", num_epochs=epochs, warmup_epochs=warm_up, warmup_lr=1e-5
    )
    for epoch in range(epochs):
        scheduler.step(epoch)
        for _ in _steps(model, loader, optimizer, len(loader)):
            pass
        if task.left < 0:
            break
    model.eval()
    test = Photos([(image, 0) for image in task.test], create_transform(**config))
    with torch.inference_mode():
        best = torch.cat([model(images).argmax(1) for images, _ in DataLoader(test, 64)])
    task.answer([classes[number] for number in best.tolist()])


def _epochs(model, loader, task):
    """As many as the time allows, from the time of a few steps that are not kept."""
    kept = {key: value.clone() for key, value in model.state_dict().items()}
    started = time.monotonic()
    ended = list(_steps(model, loader, torch.optim.SGD(model.parameters(), lr=0.0), _TIMED))
    model.load_state_dict(kept)
    # The first step waits for the workers to start, in every epoch: that counts where it is all.
    step = (ended[-1] - ended[0]) / (len(ended) - 1) if len(ended) > 1 else ended[0] - started
    return max(1, int(0.95 * task.left / (step * len(loader))))


def _steps(model, loader, optimizer, most):
    """An epoch, or its first steps; when each has ended."""
    model.train()
    criterion = LabelSmoothingCrossEntropy(0.1)
    for images, targets in islice(loader, most):
        optimizer.zero_grad()
        criterion(model(images), targets).backward()
        optimizer.step()
        yield time.monotonic()


if __name__ == "__main__":
    main()
