"""Every method with every kind of bad input: it is refused by its field, and nothing breaks."""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from google.protobuf import message_factory
from hypothesis import settings

from control.contract import DESCRIPTORS, METHODS
from tests.support.control_client import Answer, Control, connected, path_of, request_of
from tests.support.control_fuzz import Fuzz, is_field
from tests.support.control_process import EngineProcess

SAMPLES = (
    1_000
    if settings.get_current_profile_name() == "explore"
    else int(os.environ.get("AUTOTRADER_TEST_FUZZ", "16"))
)
AT_ONCE = 8
STOP = path_of("EngineService/Stop")
FUZZED = sorted(path for path in METHODS if path != STOP)
SOUND = {
    "OK",
    "INVALID_ARGUMENT",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "FAILED_PRECONDITION",
    "RESOURCE_EXHAUSTED",
    "PERMISSION_DENIED",
}


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProcess]:
    """An engine that everything is done to."""
    engine = EngineProcess(tmp_path_factory.mktemp("fuzzed")).start()
    yield engine
    if engine.process is not None and engine.process.poll() is None:
        engine.kill()


@pytest.fixture
async def owner(fuzzed: EngineProcess) -> AsyncIterator[Control]:
    """The owner of the engine's machine, who may do everything."""
    async with connected(fuzzed.target) as anybody:
        yield await anybody.sign_in_locally(fuzzed.credential["secret"])


def check(path: str, answer: Answer, allowed: set[str]) -> None:
    """An answer is sound: of a code that tells the caller what to do, in one printable sentence."""
    assert answer.code in allowed, (path, answer)
    assert answer.sentence.isprintable() and len(answer.sentence) < 2_000, (path, answer)
    assert "Traceback" not in answer.sentence and ".py" not in answer.sentence, (path, answer)
    if answer.code in {"INVALID_ARGUMENT", "NOT_FOUND"} and answer.reason != "MALFORMED_REQUEST":
        assert is_field(DESCRIPTORS[path].input_type, answer.field), (path, answer)


@pytest.mark.parametrize("path", FUZZED)
async def test_method_with_any_request_answers_by_the_field_at_fault(
    path: str, owner: Control, fuzzed: EngineProcess
) -> None:
    fuzz = Fuzz(FUZZED.index(path), fuzzed.credential["secret"])
    kind: Any = message_factory.GetMessageClass(DESCRIPTORS[path].input_type)
    allowed = SOUND | ({"UNAUTHENTICATED"} if METHODS[path].public else set())
    counted: Counter[str] = Counter()
    for _ in range(0, SAMPLES, AT_ONCE):
        requests = [fuzz.request(kind) for _ in range(AT_ONCE)]
        answers = await asyncio.gather(*(owner.send(path, each, seconds=20) for each in requests))
        for request, answer in zip(requests, answers, strict=True):
            try:
                check(path, answer, allowed)
            except AssertionError as error:
                raise AssertionError(f"{str(request)[:1_000]}") from error
            counted[answer.code] += 1
    assert counted, path


async def test_method_with_bytes_that_are_no_message_refuses_them(owner: Control) -> None:
    fuzz = Fuzz(1, "")
    await candles_go_on(owner)
    for path in FUZZED:
        calls = [owner.send(path, fuzz.bytes_(), seconds=20) for _ in range(AT_ONCE)]
        for answer in await asyncio.gather(*calls):
            check(path, answer, SOUND)


async def candles_go_on(owner: Control) -> None:
    """The engine must trade on, whatever was asked of it."""
    path = path_of("MarketService/StreamCandles")
    answer = await owner.send(path, request_of(path), seconds=20)
    status = (await owner.read("EngineService/GetStatus")).status
    assert answer.code == "OK", status


async def test_engine_after_all_of_it_is_whole_and_starts_again(
    owner: Control, fuzzed: EngineProcess
) -> None:
    log = fuzzed.log_text()
    assert "Traceback" not in log and "nexpected" not in log, log
    assert not (await owner.read("LogService/ListLogEntries", contains="unexpected")).entries
    audit = await owner.read("AuditService/VerifyAudit")
    assert audit.entries and not audit.first_broken_id
    await candles_go_on(owner)
    limits = (await owner.read("RiskService/GetLimits")).limits
    strategies = (await owner.read("StrategyService/ListStrategies")).strategies
    status = (await owner.read("EngineService/GetStatus")).status
    assert not status.failure
    fuzzed.stop()
    fuzzed.start()
    async with connected(fuzzed.target) as anybody:
        again = await anybody.sign_in_locally(fuzzed.credential["secret"])
        there = (await again.read("RiskService/GetLimits")).limits
        assert [(each.name, each.value) for each in there] == [(each.name, each.value) for each in limits]
        seated = (await again.read("StrategyService/ListStrategies")).strategies
        facts = [(each.name, each.type, each.weight, each.enabled) for each in seated]
        assert facts == [(each.name, each.type, each.weight, each.enabled) for each in strategies]
        assert (await again.send(STOP, request_of(STOP, request_id="stop-it-now"))).code == "OK"
    assert fuzzed.wait() == 0
