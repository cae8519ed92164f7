"""The shop's catalog: products and manifests, photos, category tree, names, match score, store."""

import os

# LanceDB reads it where it is imported. These two warn of what is no fault: that an index has more
# partitions than it had, and that a compaction lost to a writer, after which it is tried again.
os.environ.setdefault(
    "LANCEDB_LOG", "warn,lance::index::vector::builder=error,lance::dataset::optimize=error"
)
# Or Lance warns, at every look at a vector index, that its statistics will change.
os.environ.setdefault("LANCE_INCLUDE_VECTOR_CENTROIDS", "false")
