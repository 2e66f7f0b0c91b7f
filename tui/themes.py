"""The console's colours: one dark and one light theme."""

from textual.theme import Theme

DARK = Theme(
    name="autotrader-dark",
    primary="#4aa3df",
    secondary="#8fa7bf",
    accent="#e0b050",
    success="#3fb972",
    warning="#e5a13a",
    error="#ef5b5b",
    foreground="#d7dde4",
    background="#0f1419",
    surface="#141a21",
    panel="#1c242d",
    dark=True,
)
LIGHT = Theme(
    name="autotrader-light",
    primary="#0b6bb0",
    secondary="#51647a",
    accent="#8a5a00",
    success="#11773f",
    warning="#9a5b00",
    error="#b3261e",
    foreground="#1b2229",
    background="#f6f7f9",
    surface="#ffffff",
    panel="#e8ecf1",
    dark=False,
)
