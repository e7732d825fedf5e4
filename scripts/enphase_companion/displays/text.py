"""Text on 16 x 16 LEDs: letters drawn five dots wide and seven high, doubled smoothly, and scrolled."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from .frames import SIZE, Colour, Frame, blank, mix

_LETTERS = """
0     1   2     3     4     5     6     7     8     9
.###. .#. .###. ####. ...#. ##### ..##. ##### .###. .###.
#...# ##. #...# ....# ..##. #.... .#... ....# #...# #...#
#...# .#. ....# ....# .#.#. ####. #.... ...#. #...# #...#
#...# .#. ...#. .###. #..#. ....# ####. ..#.. .###. .####
#...# .#. ..#.. ....# ##### ....# #...# .#... #...# ....#
#...# .#. .#... ....# ...#. #...# #...# .#... #...# ...#.
.###. ### ##### ####. ...#. .###. .###. .#... .###. .##..
..... ... ..... ..... ..... ..... ..... ..... ..... .....

.  -   ! ?     >   W     M     k    a    b    c    d
.  ... # .###. ... #...# #...# #... .... #... .... ...#
.  ... # #...# #.. #...# ##.## #... .... #... .... ...#
.  ... # ....# .#. #...# #.#.# #..# .##. ###. .##. .###
.  ### # ...#. ..# #.#.# #.#.# #.#. ...# #..# #..# #..#
.  ... # ..#.. .#. #.#.# #...# ##.. .### #..# #... #..#
.  ... . ..... #.. ##.## #...# #.#. #..# #..# #..# #..#
#  ... # ..#.. ... #...# #...# #..# .### ###. .##. .###
.  ... . ..... ... ..... ..... .... .... .... .... ....

e    f   g    h    i j   l  m     n    o
.... .## .... #... # ..# #. ..... .... ....
.... #.. .... #... . ... #. ..... .... ....
.##. #.. .### ###. # ..# #. ##.#. ###. .##.
#..# ### #..# #..# # ..# #. #.#.# #..# #..#
#### #.. #..# #..# # ..# #. #.#.# #..# #..#
#... #.. .### #..# # ..# #. #.#.# #..# #..#
.##. #.. ...# #..# # #.# .# #.#.# #..# .##.
.... ... .##. .... . .#. .. ..... .... ....

p    q    r   s    t   u    v    w     x     y    z
.... .... ... .... .#. .... .... ..... ..... .... ....
.... .... ... .... .#. .... .... ..... ..... .... ....
###. .### #.# .### ### #..# #..# #...# #...# #..# ####
#..# #..# ##. #... .#. #..# #..# #.#.# .#.#. #..# ..#.
#..# #..# #.. .##. .#. #..# #..# #.#.# ..#.. #..# .#..
###. .### #.. ...# .#. #..# .##. #.#.# .#.#. .### #...
#... ...# #.. ###. ..# .### .##. .#.#. #...# ...# ####
#... ...# ... .... ... .... .... ..... ..... .##. ....
"""

#: Rows and columns; True where a letter is.
Bitmap = npt.NDArray[np.bool_]

#: Rows of a letter: seven, and one below the line.
HEIGHT = 8

#: Columns of a blank.
_BLANK = 2

_UNKNOWN = "?"


def _parse(drawing: str) -> dict[str, Bitmap]:
    """Return the letters of a drawing: blocks of eight lines below a line that names them."""
    found = {}
    lines = [line for line in drawing.splitlines() if line.strip()]
    for start in range(0, len(lines), HEIGHT + 1):
        names, rows = lines[start].split(), [line.split() for line in lines[start + 1 : start + 1 + HEIGHT]]
        for index, name in enumerate(names):
            found[name] = np.array([[dot == "#" for dot in row[index]] for row in rows])
    return found


GLYPHS = _parse(_LETTERS)


def render(words: str) -> Bitmap:
    """Return text as a bitmap 8 rows high; an unknown character is a question mark."""
    columns: list[Bitmap] = [np.zeros((HEIGHT, 0), dtype=np.bool_)]
    for number, character in enumerate(words):
        if number:
            columns.append(np.zeros((HEIGHT, 1), dtype=np.bool_))
        if character == " ":
            columns.append(np.zeros((HEIGHT, _BLANK), dtype=np.bool_))
        else:
            columns.append(GLYPHS.get(character, GLYPHS[_UNKNOWN]))
    return np.hstack(columns)


def scale2x(bitmap: Bitmap) -> Bitmap:
    """Return a bitmap twice as wide and high, its slopes smoothed (the rule known as Scale2x)."""
    padded = np.pad(bitmap, 1)
    above, below = padded[:-2, 1:-1], padded[2:, 1:-1]
    left, right = padded[1:-1, :-2], padded[1:-1, 2:]
    is_edge = (above != below) & (left != right)
    result = bitmap.repeat(2, axis=0).repeat(2, axis=1)
    for row, column, vertical, horizontal in (
        (0, 0, above, left),
        (0, 1, above, right),
        (1, 0, below, left),
        (1, 1, below, right),
    ):
        corner = is_edge & (vertical == horizontal)
        result[row::2, column::2][corner] = vertical[corner]
    return result


#: The upper rows are lighter.
_LIGHT: Colour = (255, 255, 255)
_LIGHT_SHARE = 0.35


def scroll(words: str, colour: Colour) -> Iterator[Frame]:
    """Yield a frame for each step by one LED: from dark, through the words, to dark again."""
    letters = scale2x(render(words))
    if not letters[-2:].any():
        # Without a descender, there is a row to spare above.
        letters = np.roll(letters, 1, axis=0)
    strip = np.pad(letters, ((0, 0), (SIZE, SIZE)))
    shades = np.array([mix(colour, _LIGHT, _LIGHT_SHARE * (1 - y / SIZE)) for y in range(SIZE)], np.uint8)
    for start in range(strip.shape[1] - SIZE + 1):
        frame = blank()
        window = strip[:, start : start + SIZE]
        frame[window] = np.broadcast_to(shades[:, np.newaxis], frame.shape)[window]
        yield frame
