"""Runs a command that ends, at the latest, when whoever started it ends: `python guard.py COMMAND`.

A demo that is killed outright can end nothing any more; Linux does it then.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Become the command, after asking Linux to kill it together with its parent."""
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before Linux was asked
        sys.exit(1)
    os.execv(sys.argv[1], sys.argv[1:])  # noqa: S606  # no shell is wanted


if __name__ == "__main__":
    main()
