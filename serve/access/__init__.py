"""Who may call the API, how often, and what is written down of it."""
