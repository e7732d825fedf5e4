"""The help of every installed command: its content, and that it imports no slow packages."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

from enphase_companion.config.settings import SETTINGS, option

PROJECT = Path(__file__).parents[3]
COMMANDS = {
    name: entry.removesuffix(":main")
    for name, entry in tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["scripts"].items()
}

#: Packages too slow to import for help, which may take 0.3 s on a small computer.
SLOW_IMPORTS = {
    "PIL", "aio_pika", "aiohttp", "aiomysql", "aiosqlite", "alembic", "asyncio", "cryptography", "jwt",
    "matplotlib", "numpy", "orjson", "prometheus_client", "rich", "sqlalchemy", "unicornhathd", "voluptuous",
}  # fmt: skip

_HELP = """
import sys
from importlib import import_module
try:
    import_module(sys.argv[1]).main(["--help"])
except SystemExit as end:
    assert end.code == 0
print("imported", *sorted({name.partition(".")[0] for name in sys.modules}))
"""


@pytest.mark.parametrize("name", COMMANDS)
def test_help_names_every_setting_and_examples_without_slow_imports(name: str) -> None:
    shown = subprocess.run(
        [sys.executable, "-c", _HELP, COMMANDS[name]],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "COLUMNS": "80"},
    ).stdout
    *lines, last = shown.splitlines()
    for key in import_module(COMMANDS[name]).KEYS:
        assert (f"{key} [" if SETTINGS[key].metadata["secret"] else option(key)) in shown
    assert "examples:" in shown
    assert f"  {name}" in shown
    assert "exit status:" in shown
    assert max(map(len, lines)) <= 80
    imported = set(last.split())
    assert "enphase_companion" in imported
    assert imported & SLOW_IMPORTS == set()
