"""Certificates for development: what they are, who accepts them, and what is written."""

import socket
import ssl
import stat
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from cli.clock import now_ms
from control.tls.development import Made, make_certificates
from tests.control.tls.days import MADE_MS
from trading.errors import InputError, OperationError


def load(file: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(file.read_bytes())


def test_certificates_are_p256_for_their_purpose_and_time(made: Made) -> None:
    ca, server, client = map(load, (made.ca, made.server, made.client))
    for each in (ca, server, client):
        key = each.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        assert isinstance(key.curve, ec.SECP256R1)
        assert each.not_valid_before_utc.isoformat() == "2026-03-01T11:00:00+00:00"
    assert ca.not_valid_after_utc - ca.not_valid_before_utc == timedelta(days=3650)
    for each in (server, client):
        assert each.not_valid_after_utc - each.not_valid_before_utc == timedelta(days=397)
        each.verify_directly_issued_by(ca)
    assert ca.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    purposes = [
        each.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value for each in (server, client)
    ]
    assert [list(each) for each in purposes] == [
        [ExtendedKeyUsageOID.SERVER_AUTH],
        [ExtendedKeyUsageOID.CLIENT_AUTH],
    ]


def test_server_certificate_is_for_the_given_hosts_and_this_machine(made: Made) -> None:
    names = load(made.server).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    addresses = {str(each) for each in names.get_values_for_type(x509.IPAddress)}
    assert addresses == {"127.0.0.1", "::1", "192.168.1.5"}
    dns = set(names.get_values_for_type(x509.DNSName))
    assert dns == {"nas.local", "localhost", socket.gethostname().lower()}
    assert set(made.hosts) == addresses | dns


def handshake(made: Made, host: str) -> None:
    """A strict client meets the server, in memory."""
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(made.server, made.server_key)
    client = ssl.create_default_context(cafile=str(made.ca))
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [client.wrap_bio(down, up, server_hostname=host), server.wrap_bio(up, down, server_side=True)]
    while ends:
        for end in list(ends):
            try:
                end.do_handshake()
                ends.remove(end)
            except ssl.SSLWantReadError:
                pass


@pytest.mark.parametrize("host", ["nas.local", "192.168.1.5", "localhost", "127.0.0.1", "::1"])
def test_client_that_trusts_the_authority_accepts_each_host(tmp_path: Path, host: str) -> None:
    handshake(make_certificates(tmp_path, ["nas.local", "192.168.1.5"], now_ms()), host)


def test_client_that_trusts_the_authority_refuses_another_host(tmp_path: Path) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        handshake(make_certificates(tmp_path, [], now_ms()), "evil.example")


def test_files_are_private_where_they_hold_keys(made: Made) -> None:
    assert stat.S_IMODE(made.ca.parent.stat().st_mode) == 0o700
    for key in (made.ca_key, made.server_key, made.client_key):
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
        assert b"PRIVATE KEY" in key.read_bytes()
    for certificate in (made.ca, made.server, made.client):
        assert b"PRIVATE" not in certificate.read_bytes()
    assert len(list(made.ca.parent.iterdir())) == 6


@pytest.mark.parametrize("name", ["ca.key", "client.crt"])
def test_file_that_is_there_is_never_replaced_without_force(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(InputError, match=f"{name} is there already"):
        make_certificates(tmp_path, [], MADE_MS)
    assert [file.name for file in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "mine"


def test_force_replaces_everything_and_open_keys_become_private(made: Made) -> None:
    before = {file.name: file.read_bytes() for file in made.ca.parent.iterdir()}
    made.server_key.chmod(0o644)
    make_certificates(made.ca.parent, [], MADE_MS, force=True)
    after = {file.name: file.read_bytes() for file in made.ca.parent.iterdir()}
    assert after.keys() == before.keys()
    assert all(after[name] != before[name] for name in before)
    assert stat.S_IMODE(made.server_key.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "host",
    [
        "",
        "a b",
        "https://nas",
        "nas:8443",
        "-nas",
        "nas..local",
        "*.local",
        "n\u00e4s",
        "x" * 254,
        "a\n",
        "1.2.3.4/8",
    ],
)
def test_host_that_is_none_is_refused_and_nothing_is_written(tmp_path: Path, host: str) -> None:
    with pytest.raises(InputError, match=r"--host: .* is not a host name or an IP address"):
        make_certificates(tmp_path / "tls", [host], MADE_MS)
    assert not (tmp_path / "tls").exists()


def test_host_that_is_given_twice_is_named_once(tmp_path: Path) -> None:
    hosts = make_certificates(tmp_path, ["NAS", "nas", "localhost", "::1"], MADE_MS).hosts
    assert len(hosts) == len(set(hosts))
    assert hosts[0] == "nas"


def test_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OperationError, match="file/tls cannot be written: Not a directory"):
        make_certificates(tmp_path / "file" / "tls", [], MADE_MS)
