"""Errors that end a command with one line: what is wrong and what to do about it."""

from __future__ import annotations

import shlex
import sys
import sysconfig
from pathlib import Path


class CommandError(Exception):
    """An error that is not a bug; its text is one line for the user, without secrets."""

    exit_status = 1


class UsageError(CommandError):
    """An argument cannot be used."""

    exit_status = 2


class SettingsError(CommandError):
    """A setting is missing or invalid: the text names its key and its source."""

    exit_status = 2


def join_clauses(*parts: str | None) -> str:
    """Return the parts as one fragment: separated by semicolons, without a final stop; None is left out."""
    return "; ".join(part.rstrip(".") for part in parts if part)


def how_to_install(extra: str = "all") -> str:
    """Return the command that installs the project with this extra, for its folder."""
    if sys.prefix == sys.base_prefix and _is_managed():
        # The system's Python rejects pip on Debian 12 and later.
        return f"python3 -m venv ~/enphase && ~/enphase/bin/pip install '.[{extra}]'"
    return f"{_pip()} install '.[{extra}]'"


def how_to_part_from_enphase_api() -> str | None:
    """Return what to do if PyPI's Enphase-API is in the same environment; None if it is not.

    Its import package is `enphase_api` too, so each of the two overwrites files of the other.
    """
    # --help must not wait for it.
    from importlib.metadata import PackageNotFoundError, distribution  # noqa: PLC0415

    try:
        distribution("Enphase-API")
    except PackageNotFoundError:
        return None
    return (
        "Enphase-API is in the same Python environment, and its package enphase_api is in the way of this "
        "project's. Install the project in a separate environment, or remove the other one: "
        f"{_pip()} uninstall Enphase-API && {_pip()} install --force-reinstall --no-deps ."
    )


def _pip() -> str:
    return f"{shlex.quote(sys.executable)} -m pip"


def _is_managed() -> bool:
    return Path(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED").exists()
