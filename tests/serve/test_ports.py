import socket

from serve.ports import free_ports


def test_ports_differ_can_be_listened_on_and_lie_below_those_of_outgoing_connections() -> None:
    found = free_ports(5)
    assert len(set(found)) == 5
    assert all(20_000 <= port < 30_000 for port in found)
    for port in found:
        socket.create_server(("127.0.0.1", port)).close()
