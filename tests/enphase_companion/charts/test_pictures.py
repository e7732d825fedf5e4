"""The charts of the documentation are what the command draws of the same simulated houses."""

from __future__ import annotations

from pathlib import Path

import pytest
from matplotlib.testing.compare import compare_images

from development.pictures.charts import CHARTS, draw_chart
from development.pictures.house import IMAGES

#: Root of the mean square of the difference, of 255. Other versions of matplotlib and its fonts draw edges a
#: little differently; one line that is not there, or in another place, is more.
_TOLERANCE = 1.0


#: To store a year of readings takes minutes; a heat map is tested in test_heat_map.py.
_YEAR = "database_pyplot_meters_year.png"


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in CHARTS if name != _YEAR])
def test_a_chart_looks_as_in_the_documentation(name: str, tmp_path: Path) -> None:
    draw_chart(name, tmp_path / name)
    difference = compare_images(str(IMAGES / name), str(tmp_path / name), _TOLERANCE)
    assert difference is None, f"{difference}\nif it is meant to: scripts/pictures database_pyplot_meters"
