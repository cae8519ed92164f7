"""Keep freed memory in the process: training frees and takes the same large buffers every step."""

import ctypes
import sys

_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3


def keep_freed_memory() -> None:
    """Stop glibc from handing large buffers back to the kernel after each use.

    By default every activation tensor over 128 KiB is mapped, page-faulted and unmapped anew.
    On 2 cores this made a training step of EfficientNet-Lite0 1.4 to 1.7 times, and feature
    extraction 1.5 to 2 times, as fast. Does nothing where the C library is another.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, 2**30)
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
