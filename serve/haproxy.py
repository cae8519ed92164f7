"""Run by Ray in the place of HAProxy: opens only the front door to others, then becomes HAProxy.

Ray's configuration binds the statistics and the metrics to every address, without a setting; its
replicas let a caller's headers say how long a request may take, and that it goes on without him,
fail at others that are not UTF-8, and read an import ahead into memory. This program is called as
HAProxy would be, with three arguments before: HAProxy's own path, and the host and port to listen
on. It mends the configuration file that follows `-f`, so that such headers are dropped and the
caller's address is passed on, and executes HAProxy. Should that be killed, a process that stays
beside it holds the door open until Ray has another. Standard library only: it starts whenever the
replicas change.
"""

import ctypes
import os
import re
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_RULES = "".join(
    f"\n    {rule}"
    for rule in (
        "option forwardfor",
        "http-request del-header x-request-timeout-seconds",
        "http-request del-header x-request-disconnect-disabled",
        "http-request del-header ^x[-_]session[-_]id$ -m reg",
        "http-request del-header ^serve[-_]multiplexed[-_]model[-_]id$ -m reg",
        # The whole line: req.hdr would look at each value between commas.
        "http-request del-header x-request-id if { req.fhdr(x-request-id) -m reg [^!-~] }",
        # Else Ray would read the whole body ahead, of any size, to learn whether the caller left.
        "http-request set-header x-request-disconnect-disabled ?1"
        " if { path,url_dec /v1/products:import }",
    )
)
_SERVER = re.compile(r"^\s*server ", re.MULTILINE)
_SPARE = "spare.cfg"
_ADMIN_SOCKET = re.compile(r"^\s*stats socket .*\n", re.MULTILINE)
_SPARE_S = 60.0  # Ray needs about ten
_TAKE_OVER_S = 1.0
_DRAIN_S = 60.0
_BIND = re.compile(r"^(\s*bind )\S*:(\d+)(.*)$", re.MULTILINE)


def rebound(configuration: str, host: str, port: int) -> str:
    """HAProxy's configuration with every listener on loopback but that of ``port``, on ``host``.

    That one drops the headers that are Ray's, and adds the caller's address.
    """

    def place(found: re.Match[str]) -> str:
        if int(found[2]) != port:
            return f"{found[1]}127.0.0.1:{found[2]}{found[3]}"
        return f"{found[1]}{host}:{found[2]}{found[3]}{_RULES}"

    return _BIND.sub(place, configuration.replace(_RULES, ""))


def main(arguments: list[str]) -> None:
    """Mend the configuration and become HAProxy."""
    binary, host, port, *rest = arguments
    path = Path(rest[rest.index("-f") + 1])
    configuration = rebound(path.read_text(), host, int(port))
    if _SERVER.search(configuration):
        _leave_watch(binary, path, configuration)
    elif _spare_is_open(path.with_name(_SPARE)):
        # Ray's next configuration has servers; until then the spare door, which has, stays alone.
        configuration = configuration.replace(f"bind {host}:{port}", f"bind abns@{os.getpid()}")
    path.write_text(configuration)
    # Without the actor that started it nothing would ever stop it, and it holds the port.
    _end_with_parent()
    # -dR: no port is shared, but with the spare door this one is.
    os.execv(binary, [binary, *(one for one in rest if one != "-dR")])


def _leave_watch(binary: str, path: Path, configuration: str) -> None:
    """Leave a process behind that opens a spare door where this one, once HAProxy, is killed.

    Ray notices after some seconds and starts another; until then nobody would answer.
    """
    door, actor = os.getpid(), os.getppid()
    with suppress(OSError):  # an old kernel
        watched = os.pidfd_open(door), os.pidfd_open(_parent_of(actor))
        spare = path.with_name(_SPARE)
        # Ray asks whether its own is well over that socket: it must not hear from the spare one.
        spare.write_text(_ADMIN_SOCKET.sub("", configuration))
        current = path.with_name("current.pid")
        current.write_text(str(door))
        # Twice, so that HAProxy has no child that it does not know.
        if os.fork():
            os.wait()
            return
        if not os.fork():
            os.setsid()
            _watch(watched, current, str(door), [binary, "-db", "-f", str(spare)])
        os._exit(0)


def _spare_is_open(spare: Path) -> bool:
    """Whether a HAProxy runs with that configuration."""
    wanted = str(spare).encode()
    for one in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if wanted in one.read_bytes().split(b"\0"):
                return True
    return False


def _watch(watched: tuple[int, int], current: Path, door: str, command: list[str]) -> None:
    """Wait for the end of the door, and hold another open until Ray has a new one."""
    own, raylet = watched
    ended, _, _ = select.select([own, raylet], [], [])
    if raylet in ended or current.read_text() != door:
        return
    spare = subprocess.Popen(command, preexec_fn=_end_with_parent)
    until = time.monotonic() + _SPARE_S
    while time.monotonic() < until and current.read_text() == door and spare.poll() is None:
        if select.select([raylet], [], [], 0.1)[0]:
            spare.kill()
            return
    time.sleep(_TAKE_OVER_S)  # until the new one listens
    spare.send_signal(signal.SIGUSR1)  # it answers what it has begun, and ends
    try:
        spare.wait(_DRAIN_S)
    except subprocess.TimeoutExpired:
        spare.kill()


def _parent_of(process: int) -> int:
    status = Path(f"/proc/{process}/stat").read_text()
    return int(status.rpartition(")")[2].split()[1])


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1:])
