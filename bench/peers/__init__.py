"""Well-known servers putting the same exported graph behind HTTP."""
