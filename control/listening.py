"""Where the control plane listens: beyond loopback only with TLS, and never where somebody else does."""

import ipaddress
import secrets
import socket
from pathlib import Path

from msgspec import Struct

from trading.errors import InputError
from trading.settings import ControlSettings

# Ports that systems do not give to outgoing connections, and Ray not to its workers: what is free now stays
# so until the server listens.
LOWEST_PORT, PORTS, PORT_TRIES = 20_000, 12_000, 50


class Tls(Struct, frozen=True):
    """Files of a certificate and its key, and of the authority whose client certificates are asked for."""

    certificate: str
    key: str
    client_ca: str = ""


class Listening(Struct, frozen=True):
    """Addresses as HOST:PORT; without `tls` both are loopback."""

    grpc: str
    web: str
    tls: Tls | None = None


def listening_of(settings: ControlSettings) -> Listening:
    """What the settings say. Raises InputError for an address beyond loopback without TLS, for half a
    certificate, or for a port that is taken."""
    tls = _tls(settings)
    for key, address in (("listen", settings.listen), ("web_listen", settings.web_listen)):
        if tls is None and not is_loopback(host_of(address)):
            raise InputError(
                f"control.{key}: {address} is reached from outside this machine, which needs "
                "control.tls_cert and control.tls_key; `autotrader tls init` makes them for development"
            )
    return Listening(
        _free_address("listen", settings.listen), _free_address("web_listen", settings.web_listen), tls
    )


def host_of(address: str) -> str:
    """The host of HOST:PORT, without brackets."""
    return address.rpartition(":")[0].strip("[]")


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches this host."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _tls(settings: ControlSettings) -> Tls | None:
    if settings.tls_cert is None and settings.tls_key is None:
        if settings.tls_client_ca is not None:
            raise InputError("control.tls_client_ca: needs control.tls_cert and control.tls_key too")
        return None
    if settings.tls_cert is None or settings.tls_key is None:
        missing = "tls_cert" if settings.tls_cert is None else "tls_key"
        raise InputError(f"control.{missing}: is missing; a certificate and its key come together")
    client_ca = settings.tls_client_ca
    files = (settings.tls_cert, settings.tls_key, *([client_ca] if client_ca else []))
    certificate, key, *rest = (str(Path(file).expanduser().resolve()) for file in files)
    return Tls(certificate, key, *rest)


def _free_address(key: str, address: str) -> str:
    """The address itself; for port 0 a free port is chosen now, so that a server that is started again is
    found where it was. Raises InputError for a port that is taken."""
    host, port = host_of(address), int(address.rpartition(":")[2])
    for _ in range(PORT_TRIES):
        chosen = port or LOWEST_PORT + secrets.randbelow(PORTS)
        why = _refused(host, chosen)
        if not why:
            return f"{address.rpartition(':')[0]}:{chosen}"
        if port:
            break
    raise InputError(
        f"control.{key}: {address} cannot be listened on ({why}); is another engine "
        "running? Stop it, or set another port (0: any that is free)"
    )


def _refused(host: str, port: int) -> str:
    """Why nobody can listen at this port; empty when one can."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return error.strerror or str(error)
    return ""
