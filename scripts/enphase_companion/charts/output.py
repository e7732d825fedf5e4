"""A chart as a file."""

from __future__ import annotations

import io
from pathlib import Path

from matplotlib.figure import Figure

from enphase_api.files import write_file

from .drawing import DOTS


def save(figure: Figure, file: Path) -> None:
    """Write the figure, in the format that the file's name says; whoever reads it finds a whole one.

    Raises OSError where it cannot be written.
    """
    content = io.BytesIO()
    figure.savefig(content, format=file.suffix[1:].lower(), dpi=DOTS)
    write_file(file, content.getvalue())
