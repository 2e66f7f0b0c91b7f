"""How the feed and the actors are."""

from collections.abc import Iterable

from textual.content import Content
from textual.widgets import Static

from autotrader.v1 import engine_pb2
from tui import text
from tui.paint import paint, pieces
from tui.words import HEALTHS, UNKNOWN


class HealthPanel(Static):
    """The feed in a line, then the actors, the ill ones first."""

    BORDER_TITLE = "Health"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__("", id=id, markup=False, classes="panel")

    def show(self, status: engine_pb2.EngineStatus | None) -> None:
        """Show how the feed and each actor are."""
        if status is None:
            self.update(paint("no data yet", "dim"))
            return
        self.border_subtitle = summary(status.actors)
        lines = [feed(status), *(_line(actor) for actor in by_gravity(status.actors))]
        self.update(Content("\n").join(lines))


def feed(status: engine_pb2.EngineStatus) -> Content:
    """Where candles come from, and the newest one below."""
    newest = f"{status.timeframe}, newest {text.moment(status.open_time)}"
    return paint(status.feed or text.NONE) + Content("\n") + paint(newest, "dim")


def by_gravity(actors: Iterable[engine_pb2.ActorStatus]) -> list[engine_pb2.ActorStatus]:
    """The lost first, then the degraded, then those that are well."""
    return sorted(actors, key=lambda actor: -actor.health if actor.health != engine_pb2.HEALTH_OK else 0)


def summary(actors: Iterable[engine_pb2.ActorStatus]) -> str:
    """How many of them are well."""
    states = [actor.health for actor in actors]
    return f"{states.count(engine_pb2.HEALTH_OK)} of {len(states)} ok"


def _line(actor: engine_pb2.ActorStatus) -> Content:
    state = HEALTHS.get(actor.health, UNKNOWN)
    extra = [text.visible(actor.note)] if actor.note else []
    extra += [f"busy {actor.busy_ms / 1000:.1f} s"] if actor.busy_ms >= 1000 else []
    extra += [f"started {actor.restarts + 1} times"] if actor.restarts else []
    end = ": " + ", ".join(extra) if extra else ""
    line = pieces((f"{state} ", state.tone), (actor.name, ""), (end, state.tone))
    facts = ", ".join(f"{text.readable(each.name)} {each.value}" for each in actor.facts)
    return line + Content("\n") + paint(f"  {facts}", "dim") if facts else line
