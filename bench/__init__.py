"""Side by side against peers and against the machine's ceiling: `python -m bench NAME`."""
