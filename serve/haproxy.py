"""Run by Ray in the place of HAProxy: opens only the front door to others, then becomes HAProxy.

Ray's configuration binds the statistics and the metrics to every address, without a setting; its
replicas let a caller's headers say how long a request may take, and that it goes on without him,
fail at others that are not UTF-8, and read an import ahead into memory. This program is called as
HAProxy would be, with three arguments before: HAProxy's own path, and the host and port to listen
on. It mends the configuration file that follows `-f`, so that such headers are dropped and the
caller's address is passed on, and executes HAProxy. Standard library only: it starts whenever the
replicas change.
"""

import ctypes
import os
import re
import signal
import sys
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
    path.write_text(rebound(path.read_text(), host, int(port)))
    # Without the actor that started it nothing would ever stop it, and it holds the port.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.execv(binary, [binary, *rest])


if __name__ == "__main__":
    main(sys.argv[1:])
