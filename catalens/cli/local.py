"""A bundle on this machine, asked as `catalens.client.Client` asks a server."""

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np

from catalens.answers import Categorisation, Classification, Comparison
from catalog.categorise import Neighbour
from catalog.errors import InvalidRequest
from catalog.images import decode
from catalog.match import score_pair
from catalog.moves import Move
from catalog.precision import TARGET_PRECISION, check_precision
from inference.answers import AnswerPolicy
from inference.bundle import read_bundle
from inference.categoriser import Categoriser
from inference.explain import covered, explanation
from inference.neighbours import find_neighbours
from inference.session import Prediction, Session


class LocalBundle:
    """Answers as the service would.

    Args:
        directory: of the bundle.
        catalog: directory or ``s3://`` prefix that categorize searches.

    Raises:
        InvalidBundle: it is not whole.
        CatalogMissing, EmbeddingMismatch: there is no such catalog, or it is not this bundle's.
    """

    def __init__(self, directory: str, catalog: str | None = None) -> None:
        self._bundle = read_bundle(directory)
        self._session = Session(self._bundle)
        self._policy = AnswerPolicy.of(self._bundle)
        self._categoriser = Categoriser.of(self._bundle)
        self._catalog = None
        if catalog is not None:
            from catalog.store import Catalog  # takes seconds

            self._catalog = Catalog.open(catalog, self._bundle.document.embedding_id)

    def classify(
        self,
        photos: Sequence[bytes],
        *,
        top_k: int = 5,
        level: int | None = None,
        explain: bool = False,
    ) -> Classification:
        """Which categories encoded photos show."""
        if level is not None:
            self._policy.tree.level(level)  # refuses before anything is computed
        seen = self._see(photos)
        results = self._policy.answers(seen, top_k, level)
        if explain:
            for place, (photo, row) in enumerate(zip(photos, results, strict=True)):
                row["explanation"] = self._explained(photo, seen, place, row["answer"]["path"])
        return Classification.model_validate(
            {"model": self._bundle.document.version, "results": results}
        )

    def compare(
        self,
        *,
        left_photo: bytes | None = None,
        left_name: str | None = None,
        right_photo: bytes | None = None,
        right_name: str | None = None,
    ) -> Comparison:
        """Whether two products are one, from photos, names or both."""
        cosine = None
        if left_photo is not None and right_photo is not None:
            left, right = self._see([left_photo, right_photo]).embeddings
            cosine = float(left @ right)
        model = self._bundle.match_model
        names = model.names.compare(left_name, right_name) if left_name and right_name else None
        return Comparison.model_validate(asdict(score_pair(model, cosine, names)))

    def categorize(
        self,
        *,
        photo: bytes | None = None,
        name: str | None = None,
        precision: float = TARGET_PRECISION,
    ) -> Categorisation:
        """Where in the catalog a new product belongs."""
        check_precision(precision, "--precision")
        if photo is None and not name:
            raise InvalidRequest("there is neither a photo nor a name.", fix="Give one of them.")
        seen = None if photo is None else self._see([photo])
        embedding = None if seen is None else seen.embeddings[0]
        neighbours: list[Neighbour] = []
        moves: tuple[Move, ...] = ()
        if self._catalog is not None:
            neighbours = find_neighbours(self._catalog, embedding, name)
            moves = self._catalog.moves()
        shares = None if seen is None else seen.probabilities[0]
        found = self._categoriser.categorise(neighbours, shares, embedding, name, moves, precision)
        return Categorisation.model_validate(asdict(found))

    def _explained(
        self, photo: bytes, seen: Prediction, place: int, path: str
    ) -> dict[str, object]:
        pixels = decode(photo, self._bundle.document.image)
        return explanation(
            self._bundle.tree,
            path,
            pixels,
            seen.probabilities[place],
            self._session.run(covered(pixels)).probabilities,
            seen.embeddings[place],
            self._bundle.examples,
        )

    def _see(self, photos: Sequence[bytes]) -> Prediction:
        spec = self._bundle.document.image
        return self._session.run(np.stack([decode(photo, spec) for photo in photos]))
