"""What of a request's headers reaches the services."""

import pytest
from grpc import StatusCode
from hypothesis import given
from hypothesis import strategies as st

from control.door.frames import BadCall
from control.door.headers import metadata_of, read_headers, timeout_of

FOREIGN = [
    "cookie",
    "origin",
    "referer",
    "sec-fetch-site",
    "x-forwarded-for",
    "x-forwarded-user",
    "forwarded",
    "x-real-ip",
    "x-caller",
    "x-role",
    "grpc-trace-bin",
    "te",
    "host",
]


@pytest.mark.parametrize("name", FOREIGN)
def test_metadata_of_foreign_headers_is_the_address_alone(name: str) -> None:
    assert metadata_of({name: "admin"}, "192.0.2.7") == (("x-forwarded-for", "192.0.2.7"),)


@given(st.dictionaries(st.text(max_size=12), st.text(max_size=12), max_size=8))
def test_metadata_of_any_headers_holds_only_what_is_allowed(headers: dict[str, str]) -> None:
    names = [name for name, _ in metadata_of({**headers, "authorization": "Bearer a"}, "::1")]
    assert names == sorted(set(names), key=["x-forwarded-for", "authorization", "x-user-agent"].index)


def test_metadata_of_a_browser_names_token_and_program() -> None:
    headers = {"authorization": "Bearer abc", "user-agent": "Fox\u00fc\x01 1.0", "x-user-agent": "grpc-web"}
    assert metadata_of(headers, "::1")[1:] == (("authorization", "Bearer abc"), ("x-user-agent", "Fox 1.0"))


def test_metadata_of_an_endless_program_name_is_cut() -> None:
    assert metadata_of({"x-user-agent": "x" * 10_000}, "::1")[1] == ("x-user-agent", "x" * 200)


@pytest.mark.parametrize("token", ["", "Bearer \u00fc", "Bearer a\x00b", "Bearer a\tb"])
def test_metadata_of_an_impossible_token_is_refused(token: str) -> None:
    with pytest.raises(BadCall) as caught:
        metadata_of({"authorization": token}, "::1")
    assert caught.value.code is StatusCode.UNAUTHENTICATED
    assert "\u00fc" not in caught.value.sentence


def test_headers_that_come_twice_are_joined() -> None:
    assert read_headers([(b"Host", b"a"), (b"host", b"b")]) == {"host": "a, b"}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1H", 3600), ("2M", 120), ("3S", 3), ("400m", 0.4), ("5u", 5e-6), ("6n", 6e-9), ("0S", 0)],
)
def test_timeout_of_a_stream_is_what_it_says(text: str, seconds: float) -> None:
    assert timeout_of({"grpc-timeout": text}, streaming=True) == pytest.approx(seconds)


def test_timeout_of_a_stream_without_one_is_none() -> None:
    assert timeout_of({}, streaming=True) is None


@pytest.mark.parametrize(("headers", "seconds"), [({}, 60), ({"grpc-timeout": "99999999H"}, 60)])
def test_timeout_of_a_unary_call_is_at_most_a_minute(headers: dict[str, str], seconds: float) -> None:
    assert timeout_of(headers, streaming=False) == seconds


@pytest.mark.parametrize(
    "text", ["", "S", "1", "1s", "-1S", "1.5S", "123456789S", "1S ", "\u0661S", "1S\n", "nanS"]
)
def test_timeout_of_nonsense_is_refused(text: str) -> None:
    with pytest.raises(BadCall) as caught:
        timeout_of({"grpc-timeout": text}, streaming=False)
    assert caught.value.code is StatusCode.INVALID_ARGUMENT
    assert caught.value.sentence.startswith("grpc-timeout: ")
