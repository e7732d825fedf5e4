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

#: Secrets that no output of a test may contain, although the commands know them.
PASSWORD = "sunny-side-up"
USERNAME = "owner@example.com"


@dataclass
class Result:
    """The exit status and output of a command."""

    status: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The only error line."""
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
        # No environment variable redirects a password: the default of this process is patched.
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

    def write_settings(self, **settings: Any) -> None:
        """Write these settings to the credentials file."""
        self.file.write_text(json.dumps(settings))
        self.file.chmod(0o600)

    def write_token_settings(self, **settings: Any) -> None:
        """Write these settings to the token file atomically."""
        written = self.folder / "new"
        written.write_text(json.dumps(settings))
        written.chmod(0o600)
        written.replace(self.folder / "credentials_token.json")

    def read_settings(self) -> dict[str, Any]:
        """Return the settings of the credentials file."""
        content: dict[str, Any] = json.loads(self.file.read_text())
        return content

    def write_account(self, **settings: Any) -> None:
        """Write user name, password, Entrez's address and these settings to the credentials file."""
        account = {"enphase_username": USERNAME, "enphase_password": PASSWORD}
        self.write_settings(**account, entrez_host=self.simulator.entrez_url, **settings)

    def trust_gateway(self) -> None:
        """Store the gateway's current certificate as trusted."""
        self.certificate.write_text(self.simulator.certificate_pem)

    def run(self, main: Main, *arguments: str) -> Result:
        """Run a command inside this process, which is faster than in a new one."""
        for name, value in self.environment.items():
            self.patch.setenv(name, value)
        self.capture.readouterr()
        try:
            status = main(arguments)
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 1
        written = self.capture.readouterr()
        return Result(status, written.out, written.err)

    def start(self, command: str, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        """Start a command as a user would: in a separate process, with pipes for its output."""
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.home), **self.environment}
        program = Path(sys.executable).with_name(command)
        return subprocess.Popen([program, *arguments], env=environment, text=True, **{**pipes, **options})
