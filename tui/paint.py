"""Pieces of text with a tone. Tones are colours of the theme.

What a tone says is always in the text as well.
"""

from textual.content import Content

from tui import text

# Of the theme in force, so that light and dark need no second set.
TONES = {
    "": "",
    "good": "$text-success",
    "bad": "$text-error",
    "warn": "$text-warning",
    "dim": "$secondary",
    "accent": "$text-accent",
    "strong": "bold",
    "loud": "bold $text-error",
}

Piece = tuple[str, str]


def paint(words: str, tone: str = "") -> Content:
    """A text in a tone; text from outside is made visible, and is never markup."""
    return Content.styled(text.visible(words), TONES[tone])


def pieces(*parts: Piece) -> Content:
    """Texts with their tones in a row."""
    return Content("").join(paint(words, tone) for words, tone in parts if words)


def result(value: str, places: int = 2, unit: str = "") -> Content:
    """A gain or a loss: its sign, and the tone of it."""
    found = text.decimal(value)
    if found is None:
        return paint(text.NONE, "dim")
    tone = "good" if found > 0 else "bad" if found < 0 else ""
    return paint(text.signed(value, places) + unit, tone)


def meter(share: float, width: int, tone: str = "") -> Content:
    """A bar in a tone; without one, it is a limit's use, and warns from four fifths on."""
    level = tone or ("bad" if share >= 1 else "warn" if share >= 0.8 else "good")
    drawn = text.bar(share, width)
    filled = drawn.rstrip("░")
    return pieces((filled, level), (drawn[len(filled) :], "dim"))
