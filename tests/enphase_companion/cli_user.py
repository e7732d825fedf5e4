"""A user of the commands: simulated gateway, configuration folder, environment, and runs of commands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from enphase_companion.config.settings import Settings
from enphase_companion.simulator import Simulator

Main = Callable[[Sequence[str]], int]

#: The words that no test's output may ever hold, though the commands know them.
PASSWORD = "sunny-side-up"
USERNAME = "owner@example.com"


@dataclass
class Result:
    """How a command ended, and what it wrote."""

    status: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The one line that says what was wrong."""
        lines = [line for line in self.err.splitlines() if not line.startswith("warning: ")]
        assert len(lines) == 1, self.err
        assert lines[0].startswith("error: "), self.err
        return lines[0]

    @property
    def warnings(self) -> list[str]:
        return [line for line in self.err.splitlines() if line.startswith("warning: ")]


@dataclass
class CliUser:
    """A user with an empty credentials file and without a trusted certificate."""

    simulator: Simulator
    home: Path
    capture: pytest.CaptureFixture[str]
    patch: pytest.MonkeyPatch
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        self.environment |= {
            "ENPHASE_CONFIGURATION": str(self.folder),
            "ENPHASE_GATEWAY_HOST": self.simulator.url,
        }
        # No variable moves where a password goes: a command in this process finds another default.
        defaults = Settings.__init__.__kwdefaults__
        assert defaults is not None
        self.patch.setitem(defaults, "entrez_host", self.simulator.entrez_url)

    @property
    def folder(self) -> Path:
        return self.home / "enphase"

    @property
    def file(self) -> Path:
        return self.folder / "credentials.json"

    @property
    def certificate(self) -> Path:
        return self.folder / "gateway.cer"

    def writes(self, **settings: Any) -> None:
        """Put these settings into the credentials file."""
        self.file.write_text(json.dumps(settings))
        self.file.chmod(0o600)

    def writes_token_file(self, **settings: Any) -> None:
        """Put these settings into the file of the scripts that need no account; whole or not at all."""
        written = self.folder / "new"
        written.write_text(json.dumps(settings))
        written.chmod(0o600)
        written.replace(self.folder / "credentials_token.json")

    def reads(self) -> dict[str, Any]:
        """Return what stands in the credentials file."""
        content: dict[str, Any] = json.loads(self.file.read_text())
        return content

    def has_account(self, **settings: Any) -> None:
        """Put user name and password into the credentials file, where they are sent, and these settings."""
        account = {"enphase_username": USERNAME, "enphase_password": PASSWORD}
        self.writes(**account, entrez_host=self.simulator.entrez_url, **settings)

    def trusts(self) -> None:
        """Trust the certificate that the gateway shows now."""
        self.certificate.write_text(self.simulator.certificate_pem)

    def runs(self, main: Main, *arguments: str) -> Result:
        """Run a command inside this process, which is quicker than the real thing."""
        for name, value in self.environment.items():
            self.patch.setenv(name, value)
        self.capture.readouterr()
        try:
            status = main(arguments)
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 1
        written = self.capture.readouterr()
        return Result(status, written.out, written.err)

    def starts(self, command: str, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        """Start a command as a user would: in a separate process, with pipes for its output."""
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        where = {"PATH": os.environ["PATH"], "HOME": str(self.home), **self.environment}
        program = Path(sys.executable).with_name(command)
        return subprocess.Popen([program, *arguments], env=where, text=True, **{**pipes, **options})
