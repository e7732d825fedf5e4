"""Run a command: its log, and its end with an error message and an exit status."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import warnings
from collections.abc import Awaitable, Callable
from contextlib import suppress
from copy import copy
from typing import TYPE_CHECKING, NoReturn

from .errors import CommandError, how_to_install, how_to_part_from_enphase_api
from .redaction import RedactingFormatter, redact

if TYPE_CHECKING:
    from .service import Service

_LOGGER = logging.getLogger(__name__)

#: Exit statuses after Ctrl-C, SIGTERM and a closed pipe (SIGPIPE), as in shells.
INTERRUPTED, TERMINATED, UNREAD = 130, 143, 141

_ISSUES = "https://github.com/enphase-iq-gateway/enphase-iq-gateway/issues"


def run(arguments: argparse.Namespace, work: Callable[[argparse.Namespace], int]) -> int:
    """Do the work and return its exit status; an error becomes one line on stderr and a status."""
    _set_up_log(verbose=arguments.verbose)
    # Do not fail on a terminal without a degree sign.
    for stream in (sys.stdout, sys.stderr):
        if (reconfigure := getattr(stream, "reconfigure", None)) is not None:
            reconfigure(errors="replace")
    before = signal.signal(signal.SIGTERM, _end)
    try:
        status = work(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        # A coroutine that could not start any more is not a bug.
        warnings.simplefilter("ignore", RuntimeWarning)
        status = INTERRUPTED
    except BrokenPipeError:
        status = UNREAD
    except Exception as error:
        _LOGGER.debug("command failed", exc_info=True)
        status, message = _describe_error(error)
        print(redact(f"error: {message}"), file=sys.stderr)
    finally:
        signal.signal(signal.SIGTERM, before)
        _let_go_of_stdout()
    return status


def serve(
    arguments: argparse.Namespace, work: Callable[[Service, argparse.Namespace], Awaitable[None]]
) -> int:
    """Do work that lasts until SIGTERM or Ctrl-C, as `run` does, and return its exit status."""

    def run_service(arguments: argparse.Namespace) -> int:
        # --help must not wait for asyncio.
        from . import service  # noqa: PLC0415

        service.run(lambda begun: work(begun, arguments))
        return 0

    return run(arguments, run_service)


def _end(*_: object) -> NoReturn:
    # Raised at the current line, so that all open resources are closed.
    raise SystemExit(TERMINATED)


def _describe_error(error: Exception) -> tuple[int, str]:
    """Return exit status and message of an error."""
    if isinstance(error, CommandError):
        return error.exit_status, str(error)
    if isinstance(error, ImportError) and (advice := how_to_part_from_enphase_api()) is not None:
        return 1, advice
    if isinstance(error, ModuleNotFoundError):
        return 1, (
            f"the Python package {error.name} is missing: "
            f"install the project, in its folder: {how_to_install()}"
        )
    # Only now: if its own dependencies are missing, the lines above report that.
    with suppress(ImportError):
        from enphase_api import EnphaseError  # noqa: PLC0415

        if isinstance(error, EnphaseError):
            return 1, str(error)
    if isinstance(error, OSError):
        named = f"{error.filename}: " if error.filename else ""
        return 1, f"{named}{error.strerror or type(error).__name__}"
    name = type(error).__name__
    return 1, how_to_part_from_enphase_api() or (
        f"unexpected error ({name}): run the command again with -v, and report its output: {_ISSUES}"
    )


class _LogFormatter(RedactingFormatter):
    """Formats warnings like this command's errors, in its own log only."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """Return the line of a record."""
        shown = copy(record)
        if shown.levelno == logging.WARNING:
            shown.levelname = "warning"
        return super().formatMessage(shown)


def _set_up_log(*, verbose: bool) -> None:
    handler = logging.StreamHandler()
    plain = "%(levelname)s: %(message)s"
    detailed = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    handler.setFormatter(_LogFormatter(detailed if verbose else plain))
    logging.basicConfig(level=logging.DEBUG if verbose else logging.WARNING, handlers=[handler], force=True)


def _let_go_of_stdout() -> None:
    """Flush stdout; if its pipe is closed, discard the rest before Python complains about it."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
