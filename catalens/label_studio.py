"""The review queue in Label Studio: its answers as tasks, and what people say there as decisions.

https://labelstud.io/guide/tasks and /guide/predictions: a task with a photo and the answer as a
prediction; the labelling interface is a Taxonomy, which `interface` writes.
"""

import base64
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final
from xml.sax.saxutils import quoteattr

from catalens.answers import Review
from catalens.client import Client, ClientError

_FIELD: Final = "category"
_OBJECT: Final = "photo"
_PAGE: Final = 200


@dataclass(frozen=True)
class Decisions:
    """What became of an export of Label Studio.

    Attributes:
        decided: reviews that people decided.
        left: tasks that nobody has labelled yet.
        problems: what could not be done, a sentence each.
    """

    decided: int
    left: int
    problems: tuple[str, ...]


def tasks(client: Client) -> Iterator[dict[str, Any]]:
    """A task for each answer that waits for a person, its photo within."""
    after = None
    while True:
        page = client.reviews("open", limit=_PAGE, after=after)
        for review in page.reviews:
            yield _task(client, review)
        after = page.next
        if after is None:
            return


def interface(paths: Iterable[str]) -> str:
    """The labelling interface of a project: the category tree beside photo and name."""
    tree: dict[str, Any] = {}
    for path in paths:
        node = tree
        for name in path.split("/"):
            node = node.setdefault(name, {})
    choices = "\n".join(_choices(tree, 3))
    return f"""<View>
  <Image name="{_OBJECT}" value="$photo"/>
  <Text name="name" value="$name"/>
  <Taxonomy name="{_FIELD}" toName="{_OBJECT}" maxUsages="1">
{choices}
  </Taxonomy>
</View>
"""


def decide(client: Client, exported: str) -> Decisions:
    """Decide the reviews of an export (JSON) as the last annotation of each task says.

    Repeating it changes nothing: a person's word may be given again.

    Raises:
        ValueError: it is no such export.
    """
    document = json.loads(exported)
    if not isinstance(document, list):
        raise ValueError("it is not a list of tasks")
    decided, left, problems = 0, 0, []
    for number, task in enumerate(document, start=1):
        try:
            review, path = str(task["data"]["review"]), _chosen(task)
        except (KeyError, TypeError, IndexError, AttributeError):
            problems.append(f"task {number} is none of ours, or not labelled by a taxonomy")
            continue
        if path is None:
            left += 1
            continue
        try:
            client.correct_review(review, path)
            decided += 1
        except ClientError as error:
            problems.append(f"task {number}: {error}")
    return Decisions(decided, left, tuple(problems))


def _task(client: Client, review: Review) -> dict[str, Any]:
    photo = ""
    if review.photos:
        jpeg = base64.b64encode(client.review_photo(review.id)).decode()
        photo = f"data:image/jpeg;base64,{jpeg}"
    task: dict[str, Any] = {
        "data": {
            "review": review.id,
            "product": review.product_id,
            "name": review.name or "",
            "photo": photo,
        }
    }
    if review.path is not None:
        result = {
            "from_name": _FIELD,
            "to_name": _OBJECT,
            "type": "taxonomy",
            "value": {"taxonomy": [review.path.split("/")]},
        }
        task["predictions"] = [{"score": review.score, "result": [result]}]
    return task


def _chosen(task: dict[str, Any]) -> str | None:
    """The category that a person chose; None where nobody did."""
    done = [one for one in task.get("annotations", ()) if not one.get("was_cancelled")]
    if not done:
        return None
    last = max(done, key=lambda one: (one.get("updated_at") or "", one.get("id") or 0))
    result = next((one for one in last["result"] if one["type"] == "taxonomy"), None)
    return None if result is None else "/".join(result["value"]["taxonomy"][0])


def _choices(tree: dict[str, Any], depth: int) -> Iterator[str]:
    indent = "  " * (depth - 1)
    for name, below in tree.items():
        if below:
            yield f"{indent}<Choice value={quoteattr(name)}>"
            yield from _choices(below, depth + 1)
            yield f"{indent}</Choice>"
        else:
            yield f"{indent}<Choice value={quoteattr(name)}/>"
