"""Keeping a table fast: compacting it, its indices up to date, versions of old dropped."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from lancedb.index import HnswSq, IvfSq
from lancedb.table import Table

from catalog.commits import commit
from catalog.errors import Overloaded

_logger = logging.getLogger(__name__)

VECTOR_INDEX_ABOVE: Final = 10_000
"""Products with an embedding above which there is an approximate index."""

GRAPH_ABOVE: Final = 100_000
"""Products above which that index is a graph: fast however many there are, slow to build.

Below, all embeddings are compared, in eight bits: 100,000 are indexed in 1 s and not in 30.
"""

_GRAPH: Final = "IVF_HNSW_SQ"
_KEEP_VERSIONS: Final = timedelta(hours=1)
_MANY_FRAGMENTS: Final = 32  # each adds about 0.1 ms to every read and write
_MANY_UNINDEXED: Final = 1_000  # rows that a search goes through one by one, about 1 ms


def compact(table: Table, indices: tuple[str, ...] = ()) -> bool:
    """Compact, bring indices up to date, and drop versions older than an hour, where it is due.

    Compaction rewrites photos, so it waits until there is enough to do.

    Args:
        table: whose rows may be read and written meanwhile.
        indices: names of those that are looked at.

    Returns:
        False where those who write were faster again and again: it is for another time.
    """
    stats: Any = table.stats()  # a dict, whatever its annotation says
    fragments = stats["fragment_stats"]["num_small_fragments"]
    found = [table.index_stats(name) for name in indices]
    unindexed = max((one.num_unindexed_rows for one in found if one), default=0)
    old = datetime.now() - _KEEP_VERSIONS  # as Lance's own, without a time zone
    # Also where little was written: what was deleted leaves the disk with the old versions.
    if (
        fragments < _MANY_FRAGMENTS
        and unindexed < _MANY_UNINDEXED
        and all(one["timestamp"] >= old for one in table.list_versions()[:-1])
    ):
        return True
    return _committed(lambda: table.optimize(cleanup_older_than=_KEEP_VERSIONS))


def vector_index(column: str) -> str:
    """Name of the approximate index of a column of embeddings."""
    return f"{column}_idx"


def ensure_vector_index(table: Table, column: str, above: int, graph_above: int) -> bool:
    """Make the approximate index of a column, where as many rows have an embedding.

    Args:
        table: whose rows may be read and written meanwhile.
        column: of embeddings.
        above: so many rows are searched without one.
        graph_above: so many are searched without a graph.

    Returns:
        False where those who write were faster again and again.
    """
    rows = table.count_rows(f"{column} IS NOT NULL")
    if rows <= above:
        return True
    name = vector_index(column)
    found = table.index_stats(name)
    graph = rows > graph_above
    if found is not None and (found.index_type == _GRAPH or not graph):
        return True
    config = HnswSq(distance_type="cosine") if graph else IvfSq(distance_type="cosine")
    return _committed(lambda: table.create_index(column, config=config, name=name))


def _committed(action: Callable[[], object]) -> bool:
    try:
        commit(action)
    except Overloaded:
        _logger.info("upkeep lost to writers; it is tried another time")
        return False
    return True
