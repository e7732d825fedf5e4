"""How a command ends other than well: in one line that says what is wrong and what to do."""

from __future__ import annotations


class CommandError(Exception):
    """An end that is no fault of the program's; its text is one line for a person and holds no secret."""

    exit_status = 1


class SettingsError(CommandError):
    """A setting is missing or wrong: the text names its key and where it stands."""

    exit_status = 2
