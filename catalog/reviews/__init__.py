"""Answers that wait for a person: kept in the catalog, decided, undone, exported to learn from."""
