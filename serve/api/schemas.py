"""Bodies and answers of the HTTP API, as pydantic models; the OpenAPI page is made from them."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from serve.problems import Problem
from serve.shadow import ShadowState
from serve.swap import SwapState

Verdict = Literal["auto", "review", "unknown"]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class ProductBody(_Body):
    """A product to judge: a name, a photo or both."""

    name: str | None = Field(None, max_length=1_000)
    image: str | None = Field(None, description="the photo's bytes as base64")
    image_url: str | None = Field(None, description="of a host that this server allows")


class StoredProductBody(ProductBody):
    """A product to keep in the catalog."""

    category: str | None = Field(None, max_length=1_000, description="path with /")
    attributes: dict[str, str] = Field(default_factory=dict)


class ImportedProductBody(StoredProductBody):
    """A line of an import: a product and its id."""

    id: str


class ClassifyBody(_Body):
    """Photos to classify."""

    images: list[str] = Field(min_length=1, description="photos as base64")


class CompareBody(_Body):
    """Two products to compare."""

    left: ProductBody
    right: ProductBody


class CategorizeBody(_Body):
    """A product to place."""

    product: ProductBody
    id: str | None = Field(
        None, description="of the product: what a person decides is filed under it"
    )


class TagsBody(_Body):
    """A name to tag."""

    name: str = Field(max_length=1_000)


class SearchBody(_Body):
    """What to look for; a product, a text or both."""

    product: ProductBody | None = None
    text: str | None = Field(None, max_length=1_000)
    filter: dict[str, str | list[str]] | None = Field(
        None, description='for example {"category": "Apparel", "brand": ["Nike", "Puma"]}'
    )
    limit: int = Field(10, ge=1, le=100)


class PathProbability(BaseModel):
    """A category and its probability."""

    path: str
    probability: float


class Answer(PathProbability):
    """The category that is given, and whether it needs a person."""

    decision: Verdict


class TrainingPhoto(BaseModel):
    """A training photo that is like the one asked about."""

    image: str = Field(description="where it was read from")
    path: str = Field(description="the category it was labelled with")
    similarity: float = Field(description="cosine of the embeddings")
    photo: str = Field(description="small JPEG as base64")


class Explanation(BaseModel):
    """Why a photo got its answer."""

    path: str = Field(description="the category that is explained")
    saliency: str = Field(description="JPEG as base64: the photo, bright where it mattered")
    nearest: list[TrainingPhoto] = Field(description="most alike first")


class TagProbability(BaseModel):
    """A tag and its probability, which does not depend on other tags."""

    tag: str
    probability: float


class Classified(BaseModel):
    """One photo's answer and the ranked categories."""

    answer: Answer
    categories: list[PathProbability]
    tags: list[TagProbability] | None = Field(
        None, description="the likeliest first; only where the model learnt tags"
    )
    explanation: Explanation | None = Field(None, description="only with explain=true")


class ClassifyAnswer(BaseModel):
    """The answers, in the order of the photos."""

    model: str
    results: list[Classified]


class CompareAnswer(BaseModel):
    """How alike two products are; a similarity is null where a side lacks the photo or name."""

    image_similarity: float | None
    name_similarity: float | None
    name_reasons: list[str]
    score: float
    decision: Literal["same", "review", "different"]


class EvidenceAnswer(BaseModel):
    """A product of the catalog that speaks for a category."""

    id: str
    name: str | None
    path: str
    image_similarity: float | None
    name_similarity: float | None
    score: float


class CategorizeAnswer(BaseModel):
    """Where a product belongs; path is null when nothing speaks for any."""

    path: str | None
    score: float
    decision: Verdict
    alternatives: list[PathProbability]
    evidence: list[EvidenceAnswer]
    review: str | None = Field(
        None, description="id under which it waits for a person, or was decided by one"
    )


class TagsAnswer(BaseModel):
    """Categories that a name speaks for, best first."""

    tags: list[PathProbability]


class ListedProduct(BaseModel):
    """A product of a list."""

    id: str
    name: str | None
    category: str | None
    attributes: dict[str, str]


class ProductsAnswer(BaseModel):
    """Some of the catalog's products."""

    total: int = Field(description="that there are of this kind")
    products: list[ListedProduct]


class ProductAnswer(BaseModel):
    """A product as the catalog keeps it."""

    id: str
    name: str | None
    category: str | None
    attributes: dict[str, str]
    photos: int


class RefusedLine(BaseModel):
    """A line of an import that was not kept, and why."""

    line: int = Field(description="1 for the first")
    id: str | None
    problem: Problem


class ImportAnswer(BaseModel):
    """What an import did; every product that is not refused is found by the next search."""

    stored: int = Field(description="lines that were kept")
    refused: int
    problems: list[RefusedLine] = Field(description="the first 1,000 that were refused")


class Found(BaseModel):
    """A product that was found; `score` is how sure we are that it is the one asked about."""

    id: str
    name: str | None
    category: str | None
    attributes: dict[str, str]
    image_similarity: float | None
    name_similarity: float | None
    score: float


class SearchAnswer(BaseModel):
    """The products found, best first."""

    results: list[Found]


class CorrectBody(_Body):
    """The category that a person gives a product."""

    path: str = Field(max_length=1_000, description="path with /")


class MoveBody(_Body):
    """A category and where it is to be."""

    old: str = Field(max_length=1_000, description="path; all below it moves along")
    new: str = Field(max_length=1_000, description="path; products may be there already")


class MoveAnswer(BaseModel):
    """What became of a category."""

    products: int = Field(description="that were filed at or below it")


class ReviewAnswer(BaseModel):
    """An answer that waits for a person, or that one has decided."""

    id: str
    status: Literal["open", "accepted", "corrected"]
    product_id: str = Field(description="of the product in the catalog, once it is decided")
    name: str | None
    photos: list[str] = Field(description="addresses of small JPEG copies")
    path: str | None = Field(description="what was answered")
    score: float
    alternatives: list[PathProbability]
    created: datetime
    decided: str | None = Field(description="the category that a person gave")
    decided_at: datetime | None


class ReviewsAnswer(BaseModel):
    """Reviews, the oldest first."""

    total: int = Field(description="of that status")
    reviews: list[ReviewAnswer]
    next: str | None = Field(description="what `after` takes for the next page; null at the end")


class CategoryNode(BaseModel):
    """A node of the tree."""

    name: str
    path: str
    is_class: bool = Field(description="whether the model can answer it")
    products: int | None = Field(description="filed at or below it; null without a catalog")
    children: list["CategoryNode"]


class CategoriesAnswer(BaseModel):
    """The tree: the model's classes and the catalog's categories together."""

    categories: list[CategoryNode]


class CatalogAnswer(BaseModel):
    """The catalog that is served."""

    uri: str
    embedding_id: str
    dimension: int
    products: int
    reindexed: float | None = Field(
        description="share that is embedded for the bundle that is being loaded, 0 to 1"
    )


class ModelAnswer(BaseModel):
    """The bundle that answers, and what became of the one asked for last."""

    model: str
    bundle: str
    classes: int
    variant: str
    device: str
    embedding_id: str
    embedding_dimension: int
    certainty: float
    unknown: float
    accuracy: float | None
    provenance: dict[str, object]
    catalog: CatalogAnswer | None
    swap: SwapState
    shadow: ShadowState | None


class Health(BaseModel):
    """An answer to a probe."""

    status: Literal["alive", "ready"]
