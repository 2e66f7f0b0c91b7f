"""The look of all charts: colours by their role (page.css has the values, for light and for dark), thin axes.

A colour is the text `@role`; the page's script puts the colour of the theme in its place.
"""

from typing import Any

Figure = dict[str, Any]

STRATEGY = "@strategy"
MARKET = "@market"
GAIN = "@gain"
LOSS = "@loss"
LOSS_AREA = "@loss-area"
INK = "@ink"
FAINT = "@faint"
HIGHLIGHT = "@highlight"
BAND = "@band"
BAND_INNER = "@band-inner"

SCALE = [[place / 8, f"@scale-{place}"] for place in range(9)]


def axis(title: str = "", **more: Any) -> Figure:
    """An axis with a thin grid; `title` says what and in which unit."""
    made: Figure = {
        "gridcolor": "@grid",
        "zerolinecolor": "@axis",
        "linecolor": "@axis",
        "gridwidth": 1,
        "zerolinewidth": 1,
        "automargin": True,
        "tickfont": {"size": 11},
    }
    if title:
        made["title"] = {"text": title, "font": {"size": 12}, "standoff": 8}
    return made | more


def time_axis(**more: Any) -> Figure:
    """An axis of UTC times, given in ms."""
    return axis(type="date", showgrid=False, showline=True, hoverformat="%Y-%m-%d %H:%M", **more)


def figure(traces: list[Figure], **layout: Any) -> Figure:
    """A chart from its traces and what its layout says beyond the house's."""
    base: Figure = {
        "paper_bgcolor": "@nothing",
        "plot_bgcolor": "@nothing",
        "font": {"family": "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif", "color": "@text"},
        "margin": {"l": 8, "r": 8, "t": 12, "b": 8},
        "hoverlabel": {
            "bgcolor": "@card",
            "bordercolor": "@axis",
            "font": {"color": "@text", "size": 12},
            "namelength": -1,
        },
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": {"size": 12}},
        "hovermode": "closest",
        "bargap": 0.15,
        "modebar": {"bgcolor": "@nothing", "color": "@axis", "activecolor": "@strategy"},
    }
    return {"data": traces, "layout": base | layout}


def line(name: str, x: Any, y: Any, color: str, **more: Any) -> Figure:
    """A line without markers."""
    width = more.pop("width", 1.5)
    made = {"type": "scatter", "mode": "lines", "name": name, "x": x, "y": y}
    return made | {"line": {"color": color, "width": width}} | more


def marked_value(x: float, text: str) -> Figure:
    """The part of a layout that marks one place of the x axis."""
    return {
        "shapes": [
            {
                "type": "line", "xref": "x", "yref": "paper", "x0": x, "x1": x, "y0": 0, "y1": 1,
                "line": {"color": HIGHLIGHT, "width": 2, "dash": "dash"},
            }
        ],
        "annotations": [
            {
                "x": x, "xref": "x", "y": 1, "yref": "paper", "yanchor": "bottom", "text": text,
                "showarrow": False, "font": {"color": HIGHLIGHT, "size": 12},
            }
        ],
    }  # fmt: skip
