"""One HTML file that needs nothing else: style, script, plotly and the charts' data inside it.

The page may run its own two scripts and load nothing (Content-Security-Policy), so that no text in
it, whatever it holds, can act.
"""

import base64
import hashlib
import json
import os
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from backtest.report.markup import Html, html, joined
from backtest.report.theme import Figure

_SHELL = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>{style}</style>
<script>{early}</script>
</head>
<body>
<header><p class="brand">autotrader</p>
<button type="button" id="theme" aria-label="Change between light and dark">Light / dark</button>
<h1>{title}{badge}</h1><p class="lead">{lead}</p></header>
<main>{sections}</main>
<script type="application/json" id="charts">{charts}</script>
<script>{plotly}</script>
<script>{script}</script>
</body>
</html>
"""

# Before anything is drawn, so that a dark page never flashes.
_EARLY = Html(
    "document.documentElement.dataset.theme=matchMedia('(prefers-color-scheme: dark)').matches?'dark':'light'"
)


@dataclass
class Page:
    """A report while it is being made: what it is about, its sections, and the charts in them."""

    title: str
    lead: str
    simulated: bool = False
    _sections: list[Html] = field(default_factory=list)
    _charts: dict[str, Any] = field(default_factory=dict)

    def section(self, name: str, heading: str, *parts: Html) -> None:
        """Add a section; nothing is added when it has no parts."""
        if parts:
            self._sections.append(
                html(
                    "<section id='{name}'><h2>{heading}</h2>{parts}</section>",
                    name=name,
                    heading=heading,
                    parts=joined(parts),
                )
            )

    def chart(self, name: str, figure: Figure, size: str = "usual") -> Html:
        """The place of a chart in the page; `size` is a class of page.css: small, usual, tall."""
        self.data(name, figure)
        return html(
            "<div class='chart {size}' id='chart-{name}' data-chart='{name}'></div>", size=size, name=name
        )

    def data(self, name: str, value: Any) -> None:
        """Data that the page's script finds under this name."""
        if name in self._charts:
            raise ValueError(f"the page has a chart {name!r} already")
        self._charts[name] = value

    def rendered(self) -> str:
        """The whole file; the same page gives the same text."""
        badge = html("<span class='badge'>SIMULATED</span>") if self.simulated else Html("")
        script = _resource("page.js")
        return html(
            _SHELL,
            policy=_policy(_EARLY, plotly_js(), script),
            early=_EARLY,
            title=self.title,
            badge=badge,
            lead=self.lead,
            style=_resource("page.css"),
            sections=joined(self._sections),
            charts=json_in_html(self._charts),
            plotly=plotly_js(),
            script=script,
        )

    def write(self, path: Path) -> None:
        """Write the file; it appears whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(path.name + ".partial")
        partial.write_bytes(self.rendered().encode("utf-8", errors="replace"))
        os.replace(partial, path)


@cache
def plotly_js() -> Html:
    """The plotly.js that comes with the plotly package: 4.8 MB, the only bundle that it ships."""
    return _embeddable(files("plotly").joinpath("package_data", "plotly.min.js").read_text(encoding="utf-8"))


@cache
def _resource(name: str) -> Html:
    return _embeddable(files(__package__).joinpath(name).read_text(encoding="utf-8"))


def _embeddable(text: str) -> Html:
    """The text of a script or style; what would end or hide its element is a bug."""
    if "</script" in text.lower() or "</style" in text.lower() or "<!--" in text or "\r" in text:
        raise ValueError("a script of the page cannot stand in HTML")
    return Html(text)


def json_in_html(value: Any) -> Html:
    """JSON that cannot end its script element; numbers that are not finite raise ValueError."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Html(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


def _policy(*scripts: str) -> str:
    hashes = (base64.b64encode(hashlib.sha256(each.encode()).digest()).decode() for each in scripts)
    allowed = " ".join(f"'sha256-{each}'" for each in hashes)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )
