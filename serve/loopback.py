"""Keeps a replica's inter-deployment port on loopback when Ray itself is there.

Ray 2.60 binds that gRPC port to `[::]` in `Replica._on_initialized`, without a setting. It asks
for Ray's token, but on a laptop nothing needs to reach it from outside.
"""

import ipaddress
from typing import Any

import ray
from ray.serve._private import replica


def keep_replica_on_loopback() -> None:
    """To be called in a replica's constructor, which runs before the port is opened."""
    address = ray.util.get_node_ip_address()
    opener = getattr(replica, "add_port_to_grpc_server", None)
    if opener is None or not ipaddress.ip_address(address).is_loopback:
        return

    def open_here(server: Any, wanted: str) -> int:
        port: int = opener(server, wanted.replace("[::]", address))
        return port

    replica.add_port_to_grpc_server = open_here
