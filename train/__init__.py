"""Labelled photos to a trained run, with Ray Train."""
