"""The table of reviews beside a catalog's products."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, Final

import pyarrow as pa
from lancedb.table import Table

from catalog.chunks import chunks
from catalog.commits import commit
from catalog.database import connect_to, open_or_create, open_table
from catalog.errors import InvalidRequest
from catalog.filters import below, equals, moved_sql
from catalog.moves import Move
from catalog.reviews.record import SCHEMA, Page, Review, Status, alternatives_text
from catalog.upkeep import compact

_TABLE: Final = "reviews"
_WITHOUT_PHOTOS: Final = [name for name in SCHEMA.names if name != "photos"]
_AT_ONCE: Final = 256
_CONDITIONS: Final[dict[Status, str]] = {
    "open": "decided IS NULL",
    "accepted": "decided = path",
    "corrected": "decided IS NOT NULL AND (path IS NULL OR decided != path)",
}


class Reviews:
    """A handle on the reviews of a catalog, for any number of threads and processes.

    Args:
        uri: of the catalog.

    Raises:
        CatalogMissing: there is no catalog.
    """

    def __init__(self, uri: str) -> None:
        self._db = connect_to(uri)
        self._there: Table | None = None

    @property
    def _table(self) -> Table | None:
        """None as long as nothing was ever queued."""
        self._there = self._there or open_table(self._db, _TABLE)
        return self._there

    def keep(self, reviews: Sequence[Review]) -> None:
        """Queue them; one that is queued already is brought up to date, a decided one stays."""
        table = self._there = self._table or open_or_create(self._db, _TABLE, SCHEMA)
        upsert = table.merge_insert("id").when_not_matched_insert_all()
        upsert = upsert.when_matched_update_all(where="target.decided IS NULL")
        rows = _rows(reviews)
        commit(lambda: upsert.execute(rows))

    def replace(self, review: Review) -> None:
        """Keep what became of one that is there."""
        if self._table is not None:
            update = self._table.merge_insert("id").when_matched_update_all()
            commit(lambda: update.execute(_rows([review])))

    def get(self, review_id: str, *, with_photos: bool = True) -> Review | None:
        """One, or None."""
        return next(iter(self._get_all([review_id], with_photos)), None)

    def page(
        self, statuses: Sequence[Status], limit: int | None = None, after: str | None = None
    ) -> Page:
        """Some of those statuses.

        Args:
            statuses: which.
            limit: at most so many; all if not given.
            after: ``next`` of the page before, which holds however many were decided since.

        Raises:
            InvalidRequest: ``after`` is no such place.
        """
        order = sorted(self._places(statuses))
        begin = _place(after) if after is not None else None
        rest = [one for one in order if begin is None or one > begin]
        chosen = rest[:limit]
        found = {one.id: one for one in self._get_all([key for _, key in chosen], False)}
        more = len(rest) > len(chosen)
        return Page(
            len(order),
            tuple(found[key] for _, key in chosen if key in found),
            _cursor(*chosen[-1]) if more else None,
        )

    def labelled(self) -> Iterator[Review]:
        """The decided ones with their photos, the oldest first."""
        for some in self._whole(("accepted", "corrected")):
            yield from (one for one in some if one.decided is not None)

    def decided_categories(self) -> dict[str, str]:
        """Of each product that a person has placed, the category."""
        if self._table is None:
            return {}
        query = self._table.search().where("decided IS NOT NULL")
        rows = query.select(["product_id", "decided"]).to_arrow()
        return dict(zip(*(rows[name].to_pylist() for name in rows.column_names), strict=True))

    def batches(self) -> Iterator[pa.Table]:
        """All rows, a few hundred at a time."""
        yield from map(_rows, self._whole(tuple(_CONDITIONS)))

    def put_rows(self, rows: pa.Table) -> None:
        """Keep rows as `batches` gives them, whatever was there of the same ids."""
        table = self._there = self._table or open_or_create(self._db, _TABLE, SCHEMA)
        upsert = table.merge_insert("id").when_not_matched_insert_all().when_matched_update_all()
        commit(lambda: upsert.execute(rows.cast(SCHEMA)))

    def ids(self) -> list[str]:
        """Of all reviews."""
        return [key for _, key in self._places(tuple(_CONDITIONS))]

    def delete(self, ids: Sequence[str]) -> int:
        """Forget reviews; how many there were."""
        return self._delete("id", ids)

    def delete_of(self, product_ids: Sequence[str]) -> int:
        """Forget what was asked about those products; how many reviews that were."""
        return self._delete("product_id", product_ids)

    def move_category(self, move: Move) -> None:
        """Let the reviews follow a category that was moved."""
        table = self._table
        if table is None:
            return
        for column in ("path", "decided", "category_before"):
            where, now = below(column, move.old), moved_sql(column, move.old, move.new)
            commit(partial(table.update, where=where, values_sql={column: now}))
        changed = []
        for one in self.page(("open",)).reviews:
            ranked = [replace(other, path=move.of(other.path)) for other in one.alternatives]
            if tuple(ranked) != one.alternatives:
                changed.append({"id": one.id, "alternatives": alternatives_text(ranked)})
        if changed:
            columns = pa.schema([SCHEMA.field("id"), SCHEMA.field("alternatives")])
            rows = pa.Table.from_pylist(changed, schema=columns)
            update = table.merge_insert("id").when_matched_update_all()
            commit(lambda: update.execute(rows))

    def maintain(self) -> None:
        """Compact, for one process to call now and then."""
        if self._table is not None:
            compact(self._table)

    def _places(self, statuses: Sequence[Status]) -> Iterator[tuple[datetime, str]]:
        """When each was asked about first, and its id."""
        if self._table is None or not statuses:
            return iter(())
        condition = " OR ".join(f"({_CONDITIONS[status]})" for status in statuses)
        rows = self._table.search().where(condition).select(["created", "id"]).to_arrow()
        return zip(rows["created"].to_pylist(), rows["id"].to_pylist(), strict=True)

    def _whole(self, statuses: Sequence[Status]) -> Iterator[list[Review]]:
        """Those of the statuses with their photos, the oldest first, a few hundred at a time."""
        order = [key for _, key in sorted(self._places(statuses))]
        for some in chunks(order, _AT_ONCE):
            found = {one.id: one for one in self._get_all(some, True)}
            yield [found[key] for key in some if key in found]

    def _get_all(self, ids: Sequence[str], with_photos: bool) -> list[Review]:
        table = self._table
        if table is None:
            return []
        found: list[Review] = []
        columns = SCHEMA.names if with_photos else _WITHOUT_PHOTOS
        for some in chunks(ids, _AT_ONCE):
            query = table.search().where(equals("id", some)).select(columns)
            found += [Review.from_row(row) for row in query.limit(len(some)).to_list()]
        return found

    def _delete(self, column: str, values: Sequence[str]) -> int:
        table = self._table
        if table is None or not values:
            return 0
        deleted: Any = commit(lambda: table.delete(equals(column, values)))
        return int(deleted.num_deleted_rows)


def _rows(reviews: Sequence[Review]) -> pa.Table:
    latest = {one.id: one.to_row() for one in reviews}
    return pa.Table.from_pylist(list(latest.values()), schema=SCHEMA)


def _cursor(created: datetime, review_id: str) -> str:
    return f"{created.isoformat()} {review_id}"


def _place(cursor: str) -> tuple[datetime, str]:
    try:
        created, _, review_id = cursor.partition(" ")
        found = datetime.fromisoformat(created)
        if found.tzinfo is None:
            raise ValueError("no time zone")
    except ValueError as error:
        raise InvalidRequest(
            f"{cursor[:60]!r} is no place in the queue.",
            where="after",
            fix="Give what `next` of the page before says.",
        ) from error
    return found, review_id
