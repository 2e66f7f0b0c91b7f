"""What an operator must not overlook, in plain words across the screen."""

from textual.content import Content
from textual.widgets import Static

from autotrader.v1 import engine_pb2
from tui import text
from tui.facts import Facts


class Banner(Static):
    """Hidden while there is nothing to say."""

    def __init__(self) -> None:
        super().__init__(markup=False)

    def show(self, facts: Facts, now: float) -> None:
        """Say the gravest thing that holds now."""
        level, words = announcement(facts, now)
        self.display = bool(words)
        self.set_classes(f"-{level}")
        self.update(Content(f" {text.visible(words)}"))


def announcement(facts: Facts, now: float) -> tuple[str, str]:
    """How grave it is (error, warning), and the words; empty when all is well."""
    if facts.connecting:
        return "warning", ""
    if facts.lost and facts.status is None:
        return "error", f"✖ {facts.lost}. Trying again."
    if facts.lost:
        away = f"away for {text.span(now - facts.lost_at)}: {facts.lost}"
        return "error", f"✖ ENGINE {away}. What you see is old; trying again."
    return of_status(facts.status) if facts.status else ("warning", "")


def of_status(status: engine_pb2.EngineStatus) -> tuple[str, str]:
    """What the engine itself has to say."""
    if status.state == engine_pb2.ENGINE_STATE_FAILED:
        return "error", f"✖ THE ENGINE HALTED: {status.failure or 'it did not say why'}"
    if status.killed:
        return (
            "error",
            f"✖ KILL SWITCH THROWN: {text.readable(status.killed)}. No entries until it is reset (R).",
        )
    if status.state == engine_pb2.ENGINE_STATE_PAUSED:
        return "warning", "‖ PAUSED: no entries until you resume (p). Exits and stops go on."
    if status.day_blocked:
        end = text.moment(status.day_end)
        return "warning", f"▲ The day's loss reached its limit: no entries until {end} UTC."
    return "warning", ""
