"""What a server answers, as the Python client gives it."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

Decision = Literal["auto", "review", "unknown"]


class Answer(BaseModel):
    """Any answer."""

    # A newer server may say more.
    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())


class PathProbability(Answer):
    """A category and its probability."""

    path: str
    probability: float


class Placed(PathProbability):
    """The category that is given, and whether it needs a person."""

    decision: Decision


class TrainingPhoto(Answer):
    """A training photo that is like the one asked about; ``photo`` is a small JPEG in base64."""

    image: str
    path: str
    similarity: float
    photo: str


class Explanation(Answer):
    """Why a photo got its answer; ``saliency`` is a JPEG in base64, bright where it mattered."""

    path: str
    saliency: str
    nearest: list[TrainingPhoto]


class TagProbability(Answer):
    """A tag and its probability, which does not depend on other tags."""

    tag: str
    probability: float


class Classified(Answer):
    """One photo's answer and the ranked categories.

    Tags come with a model that learnt any, the explanation where it was asked for.
    """

    answer: Placed
    categories: list[PathProbability]
    tags: list[TagProbability] | None = None
    explanation: Explanation | None = None


class Classification(Answer):
    """The answers, in the order of the photos, and the version of the bundle that gave them."""

    model: str
    results: list[Classified]


class Comparison(Answer):
    """How alike two products are; a similarity is None where a side lacks the photo or name."""

    image_similarity: float | None
    name_similarity: float | None
    name_reasons: list[str]
    score: float
    decision: Literal["same", "review", "different"]


class Evidence(Answer):
    """A product of the catalog that speaks for a category."""

    id: str
    name: str | None
    path: str
    image_similarity: float | None
    name_similarity: float | None
    score: float


class Categorisation(Answer):
    """Where a product belongs; ``path`` is None when nothing speaks for any."""

    path: str | None
    score: float
    decision: Decision
    alternatives: list[PathProbability]
    evidence: list[Evidence]
    review: str | None = None


class StoredProduct(Answer):
    """A product as the catalog keeps it; ``photos`` is how many."""

    id: str
    name: str | None
    category: str | None
    attributes: dict[str, str]
    photos: int


class Found(Answer):
    """A product that a search found."""

    id: str
    name: str | None
    category: str | None
    attributes: dict[str, str]
    image_similarity: float | None
    name_similarity: float | None
    score: float


class Swap(Answer):
    """What became of the bundle that was asked for last."""

    state: Literal["loading", "active", "refused"]
    bundle: str
    reason: str | None


class CategoryNode(Answer):
    """A category and those below it."""

    path: str
    children: list["CategoryNode"]


class CategoryTree(Answer):
    """The tree: the model's classes and the catalog's categories together."""

    categories: list[CategoryNode]


class Model(Answer):
    """The bundle that answers."""

    model: str
    bundle: str
    classes: int
    variant: str
    device: str
    embedding_id: str
    certainty: float
    swap: Swap


class Tags(Answer):
    """Categories that a name speaks for, best first."""

    tags: list[PathProbability]


class SearchAnswer(Answer):
    """Products that were found, best first."""

    results: list[Found]


class Problem(Answer):
    """Why a line of an import was refused."""

    type: str
    detail: str
    where: str
    fix: str


class RefusedLine(Answer):
    """A line of an import that was not kept; the first is 1."""

    line: int
    id: str | None
    problem: Problem


class Imported(Answer):
    """What an import did."""

    stored: int
    refused: int
    problems: list[RefusedLine]


class Moved(Answer):
    """How many products a category that was moved had."""

    products: int


class Review(Answer):
    """An answer that waits for a person, or that one has decided.

    Attributes:
        product_id: that the product has in the catalog once it is decided.
        photos: addresses of small JPEG copies.
        path: what was answered.
        decided: the category that a person gave.
    """

    id: str
    status: Literal["open", "accepted", "corrected"]
    product_id: str
    name: str | None
    photos: list[str]
    path: str | None
    score: float
    alternatives: list[PathProbability]
    created: datetime
    decided: str | None
    decided_at: datetime | None


class ReviewPage(Answer):
    """Reviews, the oldest first; ``next`` is None at the end."""

    total: int
    reviews: list[Review]
    next: str | None
