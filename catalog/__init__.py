"""The shop's catalog: products and manifests, photos, category tree, names, match score, store."""
