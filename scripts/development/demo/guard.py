"""Run a command that Linux kills when its parent ends: `python guard.py COMMAND`.

A demo that is killed cannot end its own processes.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def end_with_parent(number: signal.Signals) -> None:
    """Ask Linux to send this process a signal when its parent ends."""
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:  # the parent ended before prctl
        sys.exit(1)


def main() -> None:
    """Become the command, after asking Linux to kill it together with its parent."""
    end_with_parent(signal.SIGKILL)
    os.execv(sys.argv[1], sys.argv[1:])  # noqa: S606  # without a shell


if __name__ == "__main__":
    main()
