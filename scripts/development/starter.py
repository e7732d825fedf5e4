"""Start a development command in its environment, which is made first where it is missing.

Standard library only, and no syntax newer than Python 3.9: this runs before anything else is there.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import NoReturn

from .environments import environment
from .steps import BYTECODE, PROJECT, SetUpError


def start(
    module: str,
    name: str,
    *,
    prepare: Callable[[], dict[str, str]] | None = None,
    holds_interrupt: bool = False,
    **variables: str,
) -> NoReturn:
    """Replace this process by `python -m MODULE` with the same arguments, in the environment called `name`.

    `variables` are added to its environment, and those that `prepare` returns, which brings what else is
    needed or raises SetUpError. Exits with status 1 if the environment cannot be made, 130 on
    Ctrl-C. With `holds_interrupt`, Ctrl-C waits until the module unblocks SIGINT: while Python starts, it
    would end with a traceback.
    """
    command = os.path.basename(sys.argv[0])  # noqa: PTH119 - the word that was typed
    try:
        interpreter = environment(name)
        variables.update(prepare() if prepare else {})
    except SetUpError as error:
        sys.exit(f"scripts/{command}: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    if holds_interrupt:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    path = os.pathsep.join([str(PROJECT / "scripts"), str(PROJECT)])
    os.execve(  # noqa: S606 - no shell is wanted
        interpreter,
        [str(interpreter), "-m", module, *sys.argv[1:]],
        {**os.environ, **BYTECODE, **variables, "PYTHONPATH": path},
    )
