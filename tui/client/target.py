"""Where the engine is, and how it is spoken to."""

import ipaddress
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import grpc

from tui.client.credentials import Credential, read_credential
from tui.client.errors import BadTarget, translated

DEFAULT = "127.0.0.1:50051"

# An engine that listens everywhere is called at home.
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "*": "127.0.0.1", "::": "::1"}

# A lost engine is looked for several times a second, so that its return is seen at once.
RECONNECT = (
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 1_000),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.max_receive_message_length", 16 * 2**20),
)


@dataclass(frozen=True, slots=True)
class Target:
    """An engine's control plane: its address, and its TLS when it has any.

    `tls_ca`: the CA to trust; None with `tls` means those of this machine. `tls_cert` and `tls_key`: the
    client's own certificate, for an engine that asks for one. `socket`: the way of the engine's owner on its
    own machine, which needs no TLS.
    """

    host: str
    port: int
    tls: bool = False
    tls_ca: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    socket: Path | None = None

    @property
    def address(self) -> str:
        """HOST:PORT, with brackets around an IPv6 host."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def local(self) -> bool:
        """Whether the engine is on this machine."""
        return is_loopback(self.host)

    def credential(self) -> Credential | None:
        """The credential file of a local engine as it is now.

        None when there is none. Raises BadCredentials.
        """
        return read_credential(self.host, self.port) if self.local else None

    def translated(self) -> AbstractContextManager[None]:
        """Where errors of gRPC become ClientErrors that name this engine."""
        return translated(self.address, local=self.local)

    def channel(self) -> grpc.aio.Channel:
        """A new channel to it; nothing is sent yet.

        Raises BadTarget for a certificate that cannot be read.
        """
        # A proxy of the environment is not asked for a way to this machine.
        options = (*RECONNECT, ("grpc.enable_http_proxy", 0 if self.local else 1))
        if self.socket is not None:
            return grpc.aio.insecure_channel(f"unix:{self.socket}", options=options)
        if not self.tls:
            return grpc.aio.insecure_channel(self.address, options=options)
        return grpc.aio.secure_channel(self.address, self._tls_credentials(), options=options)

    def _tls_credentials(self) -> grpc.ChannelCredentials:
        return grpc.ssl_channel_credentials(_read(self.tls_ca), _read(self.tls_key), _read(self.tls_cert))


def find_target(
    target: str | None = None,
    *,
    listen: str = "",
    tls_ca: str = "",
    tls_cert: str = "",
    tls_key: str = "",
) -> Target:
    """The engine that `target` ("HOST:PORT") names, else `listen`, else the default.

    `listen` is the setting control.listen. TLS is used when `tls_ca` or the
    credential file names a CA, and always beyond this machine. Raises BadTarget, BadCredentials.
    """
    host, port = parse_address(target or listen or DEFAULT)
    credential = read_credential(host, port) if is_loopback(host) else None
    ca = tls_ca or (credential.tls_ca if credential else "")
    own = not (tls_ca or tls_cert) and credential is not None and Path(credential.socket).is_socket()
    return Target(
        host,
        port,
        tls=bool(ca or tls_cert) or not is_loopback(host),
        tls_ca=_path(ca),
        tls_cert=_path(tls_cert),
        tls_key=_path(tls_key),
        socket=Path(credential.socket) if own and credential else None,
    )


def parse_address(address: str) -> tuple[str, int]:
    """Host and port of "HOST:PORT" or "[HOST]:PORT". Raises BadTarget."""
    host, colon, port = address.strip().rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise BadTarget(f"target: {address!r} is not HOST:PORT, such as {DEFAULT}")
    return EVERYWHERE.get(host, host), int(port)


def is_loopback(host: str) -> bool:
    """Whether a host's name or address is this machine's own."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _path(name: str) -> Path | None:
    return Path(name).expanduser() if name else None


def _read(path: Path | None) -> bytes | None:
    try:
        return path.read_bytes() if path else None
    except OSError as error:
        raise BadTarget(f"tls: {path} cannot be read: {error.strerror}") from None
