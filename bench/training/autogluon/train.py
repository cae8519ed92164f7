"""AutoGluon as its documentation trains an image classifier: `MultiModalPredictor(...).fit(...)`.

https://auto.gluon.ai/stable/tutorials/multimodal/image_prediction/beginner_image_cls.html, with the
backbone that all trainers have in place of its own, which no hub gives here.
"""

import pandas as pd
from autogluon.multimodal import MultiModalPredictor
from task import BACKBONE, read_task


def main():
    """Train and answer."""
    task = read_task()
    frame = pd.DataFrame(task.train, columns=["image", "label"])
    predictor = MultiModalPredictor(label="label", problem_type="multiclass")
    predictor.fit(
        frame,
        time_limit=task.left,
        seed=0,
        hyperparameters={
            "model.names": ["timm_image"],
            "model.timm_image.checkpoint_name": BACKBONE,
            "env.num_gpus": 0,
            "env.num_workers": 2,
        },
    )
    found = predictor.predict(pd.DataFrame({"image": task.test}))
    task.answer([str(category) for category in found])


if __name__ == "__main__":
    main()
