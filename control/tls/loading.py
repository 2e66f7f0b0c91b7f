"""The server's certificate, its key and the authority of its clients, read and checked."""

import ssl
import stat
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import grpc
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from control.listening import Tls
from trading.errors import SettingsError


@dataclass(frozen=True)
class ServerTls:
    """Checked certificates of a server; `client_ca` is empty where clients need none.

    `hosts` are the names and addresses that the certificate is for.
    """

    files: Tls
    certificate: bytes
    key: bytes = field(repr=False)
    client_ca: bytes
    hosts: tuple[str, ...]

    def grpc_credentials(self) -> grpc.ServerCredentials:
        """For a port of grpc.aio; with `client_ca`, a client without a certificate of it is refused."""
        return grpc.ssl_server_credentials(
            [(self.key, self.certificate)], self.client_ca or None, require_client_auth=bool(self.client_ca)
        )

    def context(self) -> ssl.SSLContext:
        """For the web: TLS 1.2 or newer, HTTP/2 preferred, clients as above."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["h2", "http/1.1"])
        context.load_cert_chain(self.files.certificate, self.files.key)
        if self.client_ca:
            context.load_verify_locations(cadata=self.client_ca.decode("ascii"))
            context.verify_mode = ssl.CERT_REQUIRED
        return context


def load_tls(files: Tls, now_ms: int) -> ServerTls:
    """Read and check the files of [control]. Raises SettingsError, which names the setting and the file, when
    one is missing, no PEM, out of its time, when the key is not the certificate's, or others may read it."""
    certificate, key = _read("tls_cert", files.certificate), _read("tls_key", files.key)
    shown = _certificates("tls_cert", files.certificate, certificate)[0]
    _check_time("tls_cert", files.certificate, shown, now_ms)
    _check_key(files, shown, key)
    client_ca = b""
    if files.client_ca:
        client_ca = _read("tls_client_ca", files.client_ca)
        for authority in _certificates("tls_client_ca", files.client_ca, client_ca):
            _check_time("tls_client_ca", files.client_ca, authority, now_ms)
    return ServerTls(files, certificate, key, client_ca, _hosts(shown))


def _read(setting: str, file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise _fault(setting, file, f"cannot be read ({error.strerror})") from None


def _certificates(setting: str, file: str, pem: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError:
        raise _fault(setting, file, "holds no certificate in PEM") from None


def _hosts(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    addresses = names.get_values_for_type(x509.IPAddress)
    return (*names.get_values_for_type(x509.DNSName), *map(str, addresses))


def _check_time(setting: str, file: str, certificate: x509.Certificate, now_ms: int) -> None:
    now = datetime.fromtimestamp(now_ms / 1000, UTC)
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now > end:
        raise _fault(setting, file, f"ended on {end:%Y-%m-%d}; `autotrader tls init --force` makes a new one")
    if now < begin:
        raise _fault(setting, file, f"begins only on {begin:%Y-%m-%d %H:%M} UTC; is the clock right?")


def _check_key(files: Tls, certificate: x509.Certificate, pem: bytes) -> None:
    if stat.S_IMODE(Path(files.key).stat().st_mode) & 0o077:
        raise _fault("tls_key", files.key, f"others may read it; run: chmod 600 {files.key}")
    try:
        key = load_pem_private_key(pem, password=None)
    except TypeError:
        raise _fault("tls_key", files.key, "needs a password; give a key without one") from None
    except (ValueError, UnsupportedAlgorithm):
        raise _fault("tls_key", files.key, "holds no private key in PEM") from None
    form = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    if key.public_key().public_bytes(*form) != certificate.public_key().public_bytes(*form):
        raise _fault("tls_key", files.key, f"is not the key of {files.certificate}")


def _fault(setting: str, file: str, what: str) -> SettingsError:
    return SettingsError(f"control.{setting}: {file} {what}")
