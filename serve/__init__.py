"""Online: the Ray Serve application, its HTTP API and the live catalog."""
