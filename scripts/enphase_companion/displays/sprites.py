"""What the weather is made of, drawn in letters: each letter is a colour of the palette, a dot is nothing."""

from __future__ import annotations

from .frames import Colour, sprite

_PALETTE: dict[str, Colour] = {
    "W": (255, 255, 255),
    "L": (205, 220, 240),
    "G": (140, 160, 195),
    "D": (75, 90, 125),
    "K": (45, 55, 85),
    "M": (255, 235, 170),
    "N": (225, 190, 110),
    "Y": (255, 225, 60),
    "A": (255, 176, 0),
    "R": (150, 75, 0),
}

CLOUD = sprite(
    """
    .....WWWW.....
    ...WWWWWWW....
    ..WWWWWWWWWW..
    .WWWWWWWWWWWW.
    WWWWWWWWWWWWWL
    LWWWWWWWWWWLLL
    GLLLLLLLLLLLLG
    .GGGGGGGGGGGG.
    """,
    _PALETTE,
)

SMALL_CLOUD = sprite(
    """
    ...GGGG...
    .GGGGGGGG.
    GGGGGGGGGD
    DGGGGGGGDD
    .DDDDDDDD.
    """,
    _PALETTE,
)

DARK_CLOUD = sprite(
    """
    .....GGGG.....
    ...GGGGGGG....
    ..GGGGGGGGGG..
    .GGGGGGGGGGGG.
    GGGGGGGGGGGGGD
    DGGGGGGGGGGDDD
    KDDDDDDDDDDDDK
    .KKKKKKKKKKKK.
    """,
    _PALETTE,
)

MOON = sprite(
    """
    ....MMM...
    ..MMMM....
    .MMMM.....
    .MMMN.....
    MMMM......
    MMMN......
    MMMMN.....
    .MMMMN...N
    .MMMMMNNNN
    ..MMMMMMN.
    ....MMMN..
    """,
    _PALETTE,
)

FLASH = sprite(
    """
    ...YY
    ..YY.
    .YYYY
    ...Y.
    ..YY.
    ..Y..
    .Y...
    """,
    _PALETTE,
)

FLAKE = sprite(
    """
    .L.
    LWL
    .L.
    """,
    _PALETTE,
)

WARNING = sprite(
    """
    .......AA.......
    ......AAAA......
    ......AAAA......
    .....AA..AA.....
    .....AA..AA.....
    ....AAA..AAA....
    ....AAA..AAA....
    ...AAAA..AAAA...
    ...AAAA..AAAA...
    ..AAAAA..AAAAA..
    ..AAAAAAAAAAAA..
    .AAAAAA..AAAAAA.
    .AAAAAA..AAAAAA.
    AAAAAAAAAAAAAAAA
    AAAAAAAAAAAAAAAA
    """,
    _PALETTE,
)
