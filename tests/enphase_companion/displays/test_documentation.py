"""The picture of the scenes in docs/scripts.md is what the code draws."""

from pathlib import Path

import numpy as np

from development.pictures.hat import draw_scenes
from development.pictures.house import IMAGES

from .hats import is_text_in, read_frames


def test_the_picture_of_the_scenes_is_current(tmp_path: Path) -> None:
    draw_scenes(tmp_path / "scenes.gif", "energy", "day", "panels")
    drawn, documented = (
        read_frames(file) for file in (tmp_path / "scenes.gif", IMAGES / "unicorn_hat_hd_scenes.gif")
    )
    assert len(drawn) == len(documented), "run scripts/pictures unicorn_hat_hd_scenes"
    # Palettes of other versions of Pillow differ a little.
    differences = np.abs(np.subtract(drawn, documented, dtype=int))
    assert differences.mean(axis=(1, 2, 3)).max() < 2
    assert is_text_in(drawn, "29.3 kWh")
