"""The match score, learnt from pairs of products."""
