"""fastai as its vision tutorial trains: `vision_learner(...).fine_tune(epochs)`.

https://docs.fast.ai/tutorial.vision.html: `Resize(460)`, `aug_transforms(size=224)`, batches of 64,
a fifth of the photos for validation, one epoch with the backbone frozen, the rest with it free.
Epochs fill the time. The fifth is drawn here: fastai's own fails where it takes a category's only
photo.
"""

import time

import pandas as pd
import torch
from fastai.vision.all import (
    ImageDataLoaders,
    Resize,
    accuracy,
    aug_transforms,
    set_seed,
    vision_learner,
)
from task import BACKBONE, SIZE, read_task


def main():
    """Train and answer."""
    task = read_task()
    set_seed(0)
    frame = pd.DataFrame(task.train, columns=["image", "category"])
    frame["is_valid"] = False
    later = frame[frame.duplicated("category")]  # so each category's first photo is learnt from
    frame.loc[later.sample(n=len(frame) // 5, random_state=0).index, "is_valid"] = True
    loaders = ImageDataLoaders.from_df(
        frame,
        path="/",
        valid_col="is_valid",
        item_tfms=Resize(460),
        batch_tfms=aug_transforms(size=SIZE),
        num_workers=2,
    )
    learner = vision_learner(loaders, BACKBONE, metrics=accuracy, path=".")
    epochs = _epochs(learner, task.left)
    learner.fine_tune(epochs)
    test = loaders.test_dl([f"/{image.lstrip('/')}" for image in task.test])
    shares, _ = learner.get_preds(dl=test)
    task.answer([str(loaders.vocab[number]) for number in shares.argmax(1).tolist()])


def _epochs(learner, seconds):
    """Unfrozen epochs that the time allows beside the frozen one, from a few steps' time."""
    kept = {key: value.clone() for key, value in learner.model.state_dict().items()}
    learner.unfreeze()
    learner.create_opt()
    started, steps = time.monotonic(), 0
    for images, targets in learner.dls.train:
        learner.loss_func(learner.model(images), targets).backward()
        learner.model.zero_grad()
        steps += 1
        if steps == 4:
            break
    step = (time.monotonic() - started) / steps
    learner.model.load_state_dict(kept)
    learner.freeze()
    validation = 0.1  # of an epoch's time
    epoch = step * len(learner.dls.train) * (1 + validation)
    return max(1, int(0.95 * seconds / epoch) - 1)


if __name__ == "__main__":
    torch.set_num_threads(2)
    main()
