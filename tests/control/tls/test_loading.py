"""The server's certificates, read and checked: one sentence for everything that can be wrong with them."""

from pathlib import Path

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from cli.clock import now_ms
from control.listening import Tls
from control.tls.development import Made, make_certificates
from control.tls.loading import ServerTls, load_tls
from tests.control.tls.days import DAY_MS, MADE_MS
from trading.errors import SettingsError


def files_of(made: Made, client_ca: bool = False) -> Tls:
    return Tls(str(made.server), str(made.server_key), str(made.ca) if client_ca else "")


def refused(files: Tls, at_ms: int = MADE_MS) -> str:
    """The sentence that says what is wrong."""
    with pytest.raises(SettingsError) as caught:
        load_tls(files, at_ms)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert "PRIVATE" not in sentence
    return sentence


def test_sound_files_are_loaded_and_the_key_is_not_shown(made: Made) -> None:
    loaded = load_tls(files_of(made, client_ca=True), MADE_MS)
    assert loaded.client_ca == made.ca.read_bytes()
    assert "PRIVATE" not in repr(loaded)
    assert sorted(loaded.hosts) == sorted(made.hosts)


def test_certificate_without_alternative_names_is_for_no_host(made: Made) -> None:
    assert load_tls(Tls(str(made.client), str(made.client_key)), MADE_MS).hosts == ()


@pytest.mark.parametrize(
    ("field", "setting"), [("server", "tls_cert"), ("server_key", "tls_key"), ("ca", "tls_client_ca")]
)
def test_missing_file_is_named_with_its_setting(made: Made, field: str, setting: str) -> None:
    files = files_of(made, client_ca=True)
    file: Path = getattr(made, field)
    file.unlink()
    assert refused(files) == f"control.{setting}: {file} cannot be read (No such file or directory)"


def test_folder_in_place_of_a_file_is_named(made: Made, tmp_path: Path) -> None:
    sentence = refused(Tls(str(tmp_path), str(made.server_key)))
    assert sentence == f"control.tls_cert: {tmp_path} cannot be read (Is a directory)"


@pytest.mark.parametrize(
    "content", [b"", b"noise", b"\xff\x00", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
@pytest.mark.parametrize(
    ("field", "sentence"),
    [
        ("server", "control.tls_cert: {} holds no certificate in PEM"),
        ("server_key", "control.tls_key: {} holds no private key in PEM"),
        ("ca", "control.tls_client_ca: {} holds no certificate in PEM"),
    ],
)
def test_file_without_pem_is_refused(made: Made, content: bytes, field: str, sentence: str) -> None:
    file: Path = getattr(made, field)
    file.write_bytes(content)
    assert refused(files_of(made, client_ca=True)) == sentence.format(file)


def test_key_and_certificate_that_change_places_are_refused(made: Made) -> None:
    assert "control.tls_cert" in refused(Tls(str(made.server_key), str(made.server)))


def test_key_of_another_certificate_is_refused(made: Made) -> None:
    sentence = refused(Tls(str(made.server), str(made.client_key)))
    assert sentence == f"control.tls_key: {made.client_key} is not the key of {made.server}"


def test_key_of_another_kind_is_refused(made: Made) -> None:
    key = rsa.generate_private_key(65537, 2048)
    plain = load_pem_private_key(made.server_key.read_bytes(), None)
    form = Encoding.PEM, PrivateFormat.PKCS8
    made.server_key.write_bytes(key.private_bytes(*form, BestAvailableEncryption(b"secret")))
    assert "needs a password" in refused(files_of(made))
    made.server_key.write_bytes(plain.private_bytes(*form, BestAvailableEncryption(b"secret")))
    assert "needs a password" in refused(files_of(made))


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o602])
def test_key_that_others_may_read_is_refused(made: Made, mode: int) -> None:
    made.server_key.chmod(mode)
    assert refused(files_of(made)) == (
        f"control.tls_key: {made.server_key} others may read it; run: chmod 600 {made.server_key}"
    )


def test_certificate_out_of_its_time_is_refused(made: Made) -> None:
    files = files_of(made)
    assert "ended on 2027-04-02" in refused(files, MADE_MS + 397 * DAY_MS)
    assert "begins only on 2026-03-01 11:00 UTC" in refused(files, MADE_MS - DAY_MS)
    load_tls(files, MADE_MS + 396 * DAY_MS)


def test_authority_out_of_its_time_is_refused(made: Made, tmp_path: Path) -> None:
    old = make_certificates(tmp_path / "old", [], MADE_MS - 4000 * DAY_MS)
    sentence = refused(Tls(str(made.server), str(made.server_key), str(old.ca)))
    assert sentence.startswith(f"control.tls_client_ca: {old.ca} ended on ")


async def answers(server_tls: ServerTls, made: Made, certified: bool) -> bool:
    """Whether a client that trusts the authority, with or without a certificate of it, reaches the server."""
    server = grpc.aio.server()
    port = server.add_secure_port("127.0.0.1:0", server_tls.grpc_credentials())
    await server.start()
    own = (made.client_key.read_bytes(), made.client.read_bytes()) if certified else (None, None)
    credentials = grpc.ssl_channel_credentials(made.ca.read_bytes(), *own)
    try:
        async with grpc.aio.secure_channel(f"localhost:{port}", credentials) as channel:
            method: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/no.Service/Method")
            await method(b"", timeout=5)
    except grpc.aio.AioRpcError as error:
        return error.code() is grpc.StatusCode.UNIMPLEMENTED
    finally:
        await server.stop(0)
    return True


async def test_grpc_port_with_an_authority_takes_its_clients_alone(tmp_path: Path) -> None:
    made = make_certificates(tmp_path, [], now_ms())
    open_to_all = load_tls(files_of(made), now_ms())
    assert await answers(open_to_all, made, certified=False)
    closed = load_tls(files_of(made, client_ca=True), now_ms())
    assert await answers(closed, made, certified=True)
    assert not await answers(closed, made, certified=False)
