"""Access tokens: ours are accepted, and nothing else is, however it was made."""

import base64
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from control.auth.keys import Keys
from control.auth.tokens import (
    ACCESS_LIFE_MS,
    ALGORITHM,
    ISSUER,
    MOST_CHARACTERS,
    TYPE,
    AccessTokens,
    Claims,
    check_times,
)
from control.faults import Fault
from tests.control.auth.conftest import ENGINE_ID, NOW_MS, refusal

NOW = NOW_MS // 1000
CLAIMS = Claims("anna", "5e55", "admin", NOW, NOW, NOW + 900, "01")
AUDIENCE = f"autotrader-control/{ENGINE_ID}"
PAYLOAD = {
    "iss": ISSUER,
    "aud": AUDIENCE,
    "sub": "anna",
    "sid": "5e55",
    "role": "admin",
    "iat": NOW,
    "nbf": NOW,
    "exp": NOW + 900,
    "jti": "01",
}
BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@pytest.fixture
def tokens(keys: Keys) -> AccessTokens:
    return AccessTokens(keys, ENGINE_ID)


@pytest.fixture(scope="module")
def lasting_tokens(tmp_path_factory: pytest.TempPathFactory) -> AccessTokens:
    """The same tokens for every example."""
    return AccessTokens(Keys.open(tmp_path_factory.mktemp("keys"), NOW_MS, ACCESS_LIFE_MS), ENGINE_ID)


def forged(keys: Keys, payload: dict[str, Any], **header: Any) -> str:
    """A token that the right key signed."""
    headers = {"kid": keys.key_id, "typ": TYPE, **header}
    headers = {name: value for name, value in headers.items() if value is not None}
    return jwt.encode(payload, keys.private, algorithm=ALGORITHM, headers=headers)


def part(value: object) -> str:
    """A header or a payload."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def refused(tokens: AccessTokens, token: str, now_ms: int = NOW_MS) -> str:
    """The reason for which a token is refused."""
    with pytest.raises(Fault) as fault:
        tokens.verify(token, now_ms)
    code, reason = refusal(fault)
    assert code == "UNAUTHENTICATED"
    return reason


def test_token_that_was_issued_says_its_claims(tokens: AccessTokens, keys: Keys) -> None:
    token = tokens.issue(CLAIMS)
    assert tokens.verify(token, NOW_MS) == CLAIMS
    assert tokens.verify(forged(keys, PAYLOAD), NOW_MS) == CLAIMS
    header = jwt.get_unverified_header(token)
    assert header == {"alg": "EdDSA", "kid": keys.key_id, "typ": "at+jwt"}


@pytest.mark.parametrize(
    ("after_ms", "reason"),
    [(900_000, "TOKEN_EXPIRED"), (899_999, ""), (-5_000, ""), (-5_001, "TOKEN_INVALID")],
)
def test_token_at_its_ends(tokens: AccessTokens, after_ms: int, reason: str) -> None:
    token = tokens.issue(CLAIMS)
    if reason:
        assert refused(tokens, token, NOW_MS + after_ms) == reason
        with pytest.raises(Fault):
            check_times(CLAIMS, NOW_MS + after_ms)
    else:
        assert tokens.verify(token, NOW_MS + after_ms) == CLAIMS


@pytest.mark.parametrize(
    "change",
    [
        {"aud": "autotrader-control/ffffffffffff"},
        {"aud": "autotrader-control/"},
        {"iss": "somebody"},
        {"iss": None},
        *({name: None} for name in PAYLOAD),
        *({name: []} for name in PAYLOAD),
        {"exp": "1e400"},
        {"exp": float(NOW + 900.5)},
        {"exp": True},
        {"sub": 7},
        {"nbf": NOW + 6},
        {"iat": NOW + 6},
    ],
)
def test_token_signed_by_us_with_other_claims_is_invalid(
    tokens: AccessTokens, keys: Keys, change: dict[str, Any]
) -> None:
    merged = {**PAYLOAD, **change}
    # What PyJWT would not put into a token can still be signed.
    head = part({"alg": "EdDSA", "kid": keys.key_id, "typ": TYPE})
    signed = f"{head}.{part(merged)}"
    signature = base64.urlsafe_b64encode(keys.private.sign(signed.encode())).decode().rstrip("=")
    assert refused(tokens, f"{signed}.{signature}") == "TOKEN_INVALID"


@pytest.mark.parametrize("missing", list(PAYLOAD))
def test_token_without_a_claim_is_invalid(tokens: AccessTokens, keys: Keys, missing: str) -> None:
    payload = {name: value for name, value in PAYLOAD.items() if name != missing}
    assert refused(tokens, forged(keys, payload)) == "TOKEN_INVALID"


@pytest.mark.parametrize(
    "header",
    [{"kid": "0" * 16}, {"kid": None}, {"typ": "JWT"}, {"typ": None}, {"crit": ["x"], "x": 1}],
)
def test_token_with_another_header_is_invalid(
    tokens: AccessTokens, keys: Keys, header: dict[str, Any]
) -> None:
    assert refused(tokens, forged(keys, PAYLOAD, **header)) == "TOKEN_INVALID"


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "", "HS256", "RS256", "ES256", "Ed448"])
def test_token_of_another_algorithm_is_invalid(tokens: AccessTokens, keys: Keys, algorithm: str) -> None:
    signature = tokens.issue(CLAIMS).rpartition(".")[2]
    head = part({"alg": algorithm, "kid": keys.key_id, "typ": TYPE})
    for ending in ("", signature, "A" * 86):
        assert refused(tokens, f"{head}.{part(PAYLOAD)}.{ending}") == "TOKEN_INVALID"


def test_token_signed_with_the_public_key_as_a_secret_is_invalid(tokens: AccessTokens, keys: Keys) -> None:
    public = keys.private.public_key()
    headers = {"kid": keys.key_id, "typ": TYPE}
    secret = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
    token = jwt.encode(PAYLOAD, secret, algorithm="HS256", headers=headers)
    assert refused(tokens, token) == "TOKEN_INVALID"


def test_token_of_another_engine_or_key_is_invalid(
    tokens: AccessTokens, keys: Keys, tmp_path: Path, random_bytes: Callable[[int], bytes]
) -> None:
    others = Keys.open(tmp_path / "others", NOW_MS, ACCESS_LIFE_MS, random_bytes)
    assert refused(tokens, AccessTokens(keys, "ba9876543210").issue(CLAIMS)) == "TOKEN_INVALID"
    assert refused(tokens, AccessTokens(others, ENGINE_ID).issue(CLAIMS)) == "TOKEN_INVALID"
    stolen_id = jwt.encode(
        PAYLOAD, others.private, algorithm=ALGORITHM, headers={"kid": keys.key_id, "typ": TYPE}
    )
    assert refused(tokens, stolen_id) == "TOKEN_INVALID"


@pytest.mark.parametrize("text", ["", ".", "..", "a.b.c", "\x00", "é.é.é", "a" * 100_000, "[" * 3_000])
def test_text_that_is_no_token_is_invalid(tokens: AccessTokens, text: str) -> None:
    assert refused(tokens, text) == "TOKEN_INVALID"


def test_token_over_the_size_limit_is_invalid_though_signed(tokens: AccessTokens, keys: Keys) -> None:
    assert refused(tokens, forged(keys, {**PAYLOAD, "x": "y" * MOST_CHARACTERS})) == "TOKEN_INVALID"


def test_header_nested_deeply_is_invalid(tokens: AccessTokens) -> None:
    head = base64.urlsafe_b64encode(b"[" * 2_900).decode().rstrip("=")
    assert refused(tokens, f"{head}.e30.{'A' * 86}") == "TOKEN_INVALID"


def test_token_written_in_another_way_is_invalid(tokens: AccessTokens) -> None:
    token = tokens.issue(CLAIMS)
    last = BASE64.index(token[-1])
    same_bytes = [token[:-1] + BASE64[last - last % 16 + extra] for extra in range(16)]
    assert [each for each in same_bytes if each == token] == [token]
    for each in (*same_bytes, token + "=", token + "==", token + "\n", token + "!", " " + token):
        if each != token:
            assert refused(tokens, each) == "TOKEN_INVALID"


def test_tokens_mutated_ten_thousand_times_are_never_accepted(tokens: AccessTokens) -> None:
    chance, token = random.Random(11), tokens.issue(CLAIMS)
    for _ in range(10_000):
        mutated = mutation(chance, token)
        if mutated != token:
            assert refused(tokens, mutated) == "TOKEN_INVALID"


def mutation(chance: random.Random, token: str) -> str:
    """The token with one to three places changed, removed, put in, doubled or swapped."""
    text = list(token)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        place = chance.randrange(len(text))
        match chance.randrange(6):
            case 0:
                text[place] = chance.choice(BASE64)
            case 1:
                del text[place]
            case 2:
                text.insert(place, chance.choice(BASE64 + "=.\n\x00é"))
            case 3:
                text[place:place] = text[place : place + 5]
            case 4:
                other = chance.randrange(len(text))
                text[place], text[other] = text[other], text[place]
            case _:
                del text[place:]
                text.append(".")
    return "".join(text)


@settings(max_examples=300)
@given(text=st.text(max_size=300) | st.from_regex(r"[\w-]*\.[\w-]*\.[\w-]*", fullmatch=True))
def test_any_text_is_refused_as_unauthenticated(text: str, lasting_tokens: AccessTokens) -> None:
    assert refused(lasting_tokens, text) == "TOKEN_INVALID"


def test_token_outlives_the_rotation_of_its_key_but_not_its_own_end(
    tokens: AccessTokens, keys: Keys, random_bytes: Callable[[int], bytes]
) -> None:
    old = tokens.issue(CLAIMS)
    keys.rotate(NOW_MS, ACCESS_LIFE_MS, random_bytes)
    new = tokens.issue(CLAIMS)
    assert jwt.get_unverified_header(old)["kid"] != jwt.get_unverified_header(new)["kid"]
    assert tokens.verify(old, NOW_MS + 899_999) == tokens.verify(new, NOW_MS) == CLAIMS
    assert refused(tokens, old, NOW_MS + ACCESS_LIFE_MS) == "TOKEN_INVALID"
