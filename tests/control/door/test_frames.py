"""The bytes of gRPC-web, both ways."""

import base64
from urllib.parse import unquote

import pytest
from grpc import StatusCode
from hypothesis import given
from hypothesis import strategies as st

from control.door.frames import BadCall, frame, from_text, message_of, percent_encoded, trailer_frame
from tests.control.door.upstream import frames_in, messages_and_trailers


@given(st.binary(max_size=2000))
def test_message_of_a_frame_is_its_payload(payload: bytes) -> None:
    assert message_of(frame(payload)) == payload


@given(st.lists(st.binary(max_size=50), min_size=2, max_size=4))
def test_message_of_several_frames_is_refused(payloads: list[bytes]) -> None:
    with pytest.raises(BadCall) as caught:
        message_of(b"".join(map(frame, payloads)))
    assert caught.value.code is StatusCode.INVALID_ARGUMENT


@given(st.binary(max_size=200), st.data())
def test_message_of_a_cut_frame_is_refused(payload: bytes, data: st.DataObject) -> None:
    whole = frame(payload)
    with pytest.raises(BadCall) as caught:
        message_of(whole[: data.draw(st.integers(0, len(whole) - 1))])
    assert caught.value.code is StatusCode.INVALID_ARGUMENT


@given(st.binary(max_size=20), st.integers(1, 255))
def test_message_of_a_frame_with_flags_is_refused(payload: bytes, flags: int) -> None:
    with pytest.raises(BadCall) as caught:
        message_of(frame(payload, flags))
    compressed = flags & 1
    assert caught.value.code is (StatusCode.UNIMPLEMENTED if compressed else StatusCode.INVALID_ARGUMENT)


@given(st.binary(max_size=300))
def test_message_of_any_bytes_is_a_message_or_a_refusal(body: bytes) -> None:
    try:
        assert frame(message_of(body)) == body
    except BadCall as refusal:
        assert refusal.sentence.startswith("body: ")


@given(st.lists(st.binary(max_size=40), max_size=5))
def test_from_text_of_padded_pieces_is_their_bytes(pieces: list[bytes]) -> None:
    assert from_text(b"".join(map(base64.b64encode, pieces))) == b"".join(pieces)


@given(st.text("AZaz09+/=- \n", max_size=24).map(str.encode))
def test_from_text_of_any_text_is_bytes_or_a_refusal(text: bytes) -> None:
    try:
        assert len(from_text(text)) * 4 // 3 <= len(text)
    except BadCall as refusal:
        assert refusal.sentence == "body: it is not base64"


@pytest.mark.parametrize(
    "text", [b"A", b"AAA", b"====", b"A=AA", b"AA==A", b"AAA\n", b"-_-_", b"\xff\xfe\xfd\xfc"]
)
def test_from_text_of_broken_base64_is_refused(text: bytes) -> None:
    with pytest.raises(BadCall, match="not base64"):
        from_text(text)


@given(st.text(max_size=100))
def test_percent_encoded_sentence_is_one_printable_line_that_reads_back(sentence: str) -> None:
    encoded = percent_encoded(sentence)
    assert all(" " <= each <= "~" for each in encoded)
    assert unquote(encoded) == sentence.encode("utf-8", "replace").decode()


def test_trailer_frame_holds_status_sentence_and_metadata() -> None:
    metadata: list[tuple[str, str | bytes]] = [
        ("grpc-status-details-bin", b"\xff\x00"),
        ("retry", "later"),
        ("grpc-status", "0"),
    ]
    ((flags, payload),) = frames_in(trailer_frame(9, "100 %\n", metadata))
    assert flags == 0x80
    assert payload == (
        b"grpc-status: 9\r\ngrpc-message: 100 %25%0A\r\ngrpc-status-details-bin: /wA\r\nretry: later\r\n"
    )


def test_trailer_frame_without_a_sentence_has_no_message() -> None:
    assert messages_and_trailers(trailer_frame(0, ""))[1] == {"grpc-status": "0"}
