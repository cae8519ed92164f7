"""The table of reviews beside a catalog's products."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

import pyarrow as pa

from catalog import pointer
from catalog.commits import commit
from catalog.filters import below, equals, moved_sql
from catalog.moves import Move
from catalog.reviews.record import SCHEMA, Review, Status
from catalog.store import connect

_TABLE: Final = "reviews"
_WITHOUT_PHOTOS: Final = [name for name in SCHEMA.names if name != "photos"]
_CONDITIONS: Final[dict[Status, str]] = {
    "open": "decided IS NULL",
    "accepted": "decided = path",
    "corrected": "decided IS NOT NULL AND (path IS NULL OR decided != path)",
}


class Reviews:
    """A handle on the reviews of a catalog, for any number of threads and processes.

    Args:
        uri: of a catalog that is there.
    """

    def __init__(self, uri: str) -> None:
        self._table = pointer.open_or_create(connect(uri), _TABLE, SCHEMA)

    def keep(self, reviews: Sequence[Review]) -> None:
        """Queue them; one that is queued already is brought up to date, a decided one stays."""
        upsert = self._table.merge_insert("id").when_not_matched_insert_all()
        upsert = upsert.when_matched_update_all(where="target.decided IS NULL")
        commit(lambda: upsert.execute(_rows(reviews)))

    def replace(self, review: Review) -> None:
        """Keep what became of one that is there."""
        update = self._table.merge_insert("id").when_matched_update_all()
        commit(lambda: update.execute(_rows([review])))

    def get(self, review_id: str) -> Review | None:
        """One with its photos, or None."""
        rows = self._table.search().where(equals("id", [review_id])).limit(1).to_list()
        return Review.from_row(rows[0]) if rows else None

    def decided(self, review_id: str) -> str | None:
        """The category that a person gave, or None."""
        query = self._table.search().where(equals("id", [review_id])).select(["decided"])
        rows = query.limit(1).to_list()
        return rows[0]["decided"] if rows else None

    def list(self, statuses: Sequence[Status]) -> list[Review]:
        """All of those statuses without their photos, the oldest first."""
        condition = " OR ".join(f"({_CONDITIONS[status]})" for status in statuses) or "false"
        query = self._table.search().where(condition).select(_WITHOUT_PHOTOS)
        found = [Review.from_row(row) for batch in query.to_batches() for row in batch.to_pylist()]
        return sorted(found, key=lambda one: (one.created, one.id))

    def labelled(self) -> Iterator[Review]:
        """The decided ones with their photos, the oldest first."""
        for one in self.list(("accepted", "corrected")):
            whole = self.get(one.id)
            if whole is not None and whole.decided is not None:
                yield whole

    def table(self) -> pa.Table:
        """All of them, as rows."""
        return self._table.search().to_arrow().select(SCHEMA.names).cast(SCHEMA)

    def restore(self, rows: pa.Table) -> None:
        """Make rows as `table` gave them all that there is."""
        commit(lambda: self._table.delete("true"))
        if len(rows):
            insert = self._table.merge_insert("id").when_not_matched_insert_all()
            commit(lambda: insert.execute(rows))

    def move_category(self, move: Move) -> None:
        """Let the reviews follow a category that was moved."""
        for column in ("path", "decided", "category_before"):
            where, now = below(column, move.old), moved_sql(column, move.old, move.new)
            commit(partial(self._table.update, where=where, values_sql={column: now}))

    def delete_of(self, product_ids: Sequence[str]) -> None:
        """Forget what was asked about those products."""
        if product_ids:
            commit(lambda: self._table.delete(equals("product_id", product_ids)))


def _rows(reviews: Sequence[Review]) -> pa.Table:
    latest = {one.id: one.to_row() for one in reviews}
    return pa.Table.from_pylist(list(latest.values()), schema=SCHEMA)
