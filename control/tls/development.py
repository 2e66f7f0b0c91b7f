"""Certificates for development: an authority, and what it signs for the server and for a client."""

import ipaddress
import os
import re
import socket
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from msgspec import Struct

from trading.errors import InputError, OperationError

AUTHORITY_DAYS, LEAF_DAYS = 3650, 397
LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")
HOST = re.compile(r"(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]{0,62})(\.[A-Za-z0-9]([A-Za-z0-9-]{0,62}))*")


class Made(Struct, frozen=True):
    """The files that were made, and the hosts that the server's certificate is for."""

    ca: Path
    ca_key: Path
    server: Path
    server_key: Path
    client: Path
    client_key: Path
    hosts: tuple[str, ...]


class Issued(Struct, frozen=True):
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def make_certificates(folder: Path, hosts: Sequence[str], now_ms: int, force: bool = False) -> Made:
    """Write an authority (10 years), and a server's and a client's certificate (397 days), all EC P-256.

    The server's is for `hosts`, this machine's name and the loopback ones. Keys have mode 0600, a new folder
    0700. Raises InputError for a host that is none and, without `force`, for files that are there already;
    OperationError when the folder cannot be written.
    """
    names = _names(hosts)
    made = Made(
        ca=folder / "ca.crt",
        ca_key=folder / "ca.key",
        server=folder / "server.crt",
        server_key=folder / "server.key",
        client=folder / "client.crt",
        client_key=folder / "client.key",
        hosts=names,
    )
    present = [file for pair in _pairs(made) for file in pair if file.exists()]
    if present and not force:
        raise InputError(f"{present[0]} is there already; name another folder, or --force makes new ones")
    now = datetime.fromtimestamp(now_ms // 1000, UTC)
    ca = _authority(names[-1], now)
    server = _signed(ca, f"autotrader on {names[-1]}", ExtendedKeyUsageOID.SERVER_AUTH, names, now)
    client = _signed(ca, "autotrader client", ExtendedKeyUsageOID.CLIENT_AUTH, (), now)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for issued, files in zip((ca, server, client), _pairs(made), strict=True):
            _write(issued, *files)
    except OSError as error:
        raise OperationError(f"{folder} cannot be written: {error.strerror}") from None
    return made


def _pairs(made: Made) -> tuple[tuple[Path, Path], ...]:
    return (made.ca, made.ca_key), (made.server, made.server_key), (made.client, made.client_key)


def _names(hosts: Sequence[str]) -> tuple[str, ...]:
    """Every host once: the given ones, the loopback ones, and this machine's name where it can be one."""
    for host in hosts:
        if _address(host) is None and not HOST.fullmatch(host):
            raise InputError(f"--host: {host!r} is not a host name or an IP address")
    here = socket.gethostname()
    every = [*hosts, *LOCAL_HOSTS, *([here] if HOST.fullmatch(here) else [])]
    return tuple(dict.fromkeys(host.lower() for host in every))


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _authority(host: str, now: datetime) -> Issued:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(f"autotrader development CA, {host} {now:%Y-%m-%d}")
    builder = _builder(name, name, key, now, AUTHORITY_DAYS)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=True), critical=True)
    return Issued(builder.sign(key, SHA256()), key)


def _signed(
    ca: Issued, name: str, purpose: x509.ObjectIdentifier, hosts: Sequence[str], now: datetime
) -> Issued:
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.key.public_key())
    builder = _builder(_name(name), ca.certificate.subject, key, now, LEAF_DAYS)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    builder = builder.add_extension(issuer, critical=False)
    if hosts:
        names = x509.SubjectAlternativeName([_general(host) for host in hosts])
        builder = builder.add_extension(names, critical=False)
    return Issued(builder.sign(ca.key, SHA256()), key)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, days: int
) -> x509.CertificateBuilder:
    """What all have in common; valid from an hour ago, for devices whose clock is late."""
    begin = now - timedelta(hours=1)
    own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=days))
        .add_extension(own, critical=False)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:64])])


def _general(host: str) -> x509.GeneralName:
    address = _address(host)
    return x509.DNSName(host) if address is None else x509.IPAddress(address)


def _usage(signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _write(issued: Issued, certificate: Path, key: Path) -> None:
    _replace(key, issued.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), 0o600)
    _replace(certificate, issued.certificate.public_bytes(Encoding.PEM), 0o644)


def _replace(file: Path, content: bytes, mode: int) -> None:
    """Write the whole file under another name first: it is there with its mode, or as it was before."""
    new = file.with_name(f".{file.name}.new")
    new.unlink(missing_ok=True)
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as stream:
        stream.write(content)
    new.replace(file)
