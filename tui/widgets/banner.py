"""What an operator must not overlook, in plain words across the screen."""

from textual.content import Content
from textual.widgets import Static

from autotrader.v1 import engine_pb2, portfolio_pb2
from tui import text
from tui.facts import Facts
from tui.words import protection_words

REPLACED_SECONDS = 2.0


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
    if facts.status is None:
        return "warning", ""
    return of_grave(facts, now) or of_status(facts.status)


def of_grave(facts: Facts, now: float) -> tuple[str, str] | None:
    """A halt, the kill switch, or a position without its stop."""
    status = facts.status
    if status is None:
        return None
    if status.state == engine_pb2.ENGINE_STATE_FAILED:
        return "error", f"✖ THE ENGINE HALTED: {status.failure or 'it did not say why'}"
    if status.killed:
        left = f" Still to do: {'; '.join(status.kill_steps)}." if status.kill_steps else ""
        return (
            "error",
            f"✖ KILL SWITCH THROWN: {text.readable(status.killed)}. No entries until it is reset (R).{left}",
        )
    bare = [each for each in facts.positions if _is_bare(each, now)]
    if bare:
        words = ", ".join(f"{each.symbol} ({protection_words(each)})" for each in bare)
        return "error", f"✖ NO STOP AT THE EXCHANGE: {words}. The engine watches the price itself."
    return None


def _is_bare(position: portfolio_pb2.Position, now: float) -> bool:
    """Whether a stop has been missing for longer than it takes to replace one, whatever the clocks say."""
    missing = position.protection == portfolio_pb2.PROTECTION_MISSING
    return missing and not 0 <= now - position.unprotected_since.seconds < REPLACED_SECONDS


def of_status(status: engine_pb2.EngineStatus) -> tuple[str, str]:
    """What keeps the engine from entries."""
    if status.unreconciled:
        return "warning", f"▲ THE BOOKS ARE NOT RECONCILED: {status.unreconciled}. No entries until they are."
    blocked = [each for each in status.symbols if each.blocked]
    if blocked:
        words = "; ".join(each.blocked for each in blocked)
        return "warning", f"▲ BLOCKED {', '.join(each.symbol for each in blocked)}: {words}"
    if status.state == engine_pb2.ENGINE_STATE_PAUSED:
        return "warning", "‖ PAUSED: no entries until you resume (p). Exits and stops go on."
    if status.day_blocked:
        end = text.moment(status.day_end)
        return "warning", f"▲ The day's loss reached its limit: no entries until {end} UTC."
    return "warning", ""
