"""The front door: command line, Python client, sample shop."""
