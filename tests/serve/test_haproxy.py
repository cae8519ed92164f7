from serve.haproxy import rebound

CONFIGURATION = """frontend prometheus
    bind :9101
    mode http
frontend http_frontend
    bind 127.0.0.1:8000
listen stats
  bind *:8404
  stats enable
"""


def test_only_the_front_door_leaves_loopback() -> None:
    found = rebound(CONFIGURATION, "0.0.0.0", 8000)
    assert "bind 0.0.0.0:8000\n" in found
    assert "    bind 127.0.0.1:9101\n" in found
    assert "  bind 127.0.0.1:8404\n" in found
    assert found.count("0.0.0.0") == 1


def test_only_the_front_door_drops_what_a_caller_must_not_tell_ray() -> None:
    found = rebound(CONFIGURATION, "0.0.0.0", 8000)
    front = found[found.index("bind 0.0.0.0:8000") : found.index("listen stats")]
    assert "http-request del-header x-request-timeout-seconds\n" in front
    assert "http-request del-header x-request-disconnect-disabled\n" in front
    assert "option forwardfor\n" in front
    assert found.count("del-header") == front.count("del-header") == 5


def test_rebinding_twice_changes_nothing() -> None:
    once = rebound(CONFIGURATION, "127.0.0.1", 8000)
    assert rebound(once, "127.0.0.1", 8000) == once
