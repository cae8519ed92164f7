"""A Ray cluster on this machine that scales as one on Kubernetes does, with logical GPUs."""
