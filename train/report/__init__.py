"""The page that a run leaves: how good the model is, how far to trust it, what to mend."""
