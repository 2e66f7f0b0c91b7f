"""The keys that sign access tokens: made at the first start, kept in a file of the owner's alone."""

import base64
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from msgspec import Struct

from actors.persistence.engine_url import is_sqlite, parse_url, sqlite_file
from control.auth.private_files import private_folder, read_private, state_folder, write_private
from trading.errors import OperationError

KEY_LIFE_MS = 90 * 86_400_000
KEY_BYTES = 32


class SigningKey(Struct, frozen=True):
    """The key in use: an Ed25519 seed in URL-safe base64, and when it was made (UTC, ms)."""

    private: str
    made_ms: int


class OldKey(Struct, frozen=True):
    """A key that signs no more: its public half in URL-safe base64, and until when its tokens may last."""

    public: str
    until_ms: int


class KeyFile(Struct, frozen=True):
    """What the file holds."""

    current: SigningKey
    old: tuple[OldKey, ...] = ()


class Keys:
    """Ed25519 keys by their ids; one of them signs.

    Old keys are kept, without what signs, until the last token that they signed has ended.
    """

    def __init__(self, path: Path, stored: KeyFile) -> None:
        self._path = path
        self._take(stored)

    @classmethod
    def open(
        cls,
        folder: Path,
        now_ms: int,
        token_life_ms: int,
        random_bytes: Callable[[int], bytes] = os.urandom,
    ) -> "Keys":
        """The keys in `folder`/keys.json, made when there are none, made anew when they are 90 days old.

        Raises OperationError when the file is open to others, damaged, or cannot be written.
        """
        path = private_folder(folder) / "keys.json"
        content = read_private(path)
        if content is None:
            stored = KeyFile(_new_key(now_ms, random_bytes))
            write_private(path, msgspec.json.encode(stored))
            return cls(path, stored)
        keys = cls(path, _decoded(path, content))
        if now_ms - keys.made_ms >= KEY_LIFE_MS:
            keys.rotate(now_ms, token_life_ms, random_bytes)
        return keys

    @property
    def made_ms(self) -> int:
        """When the key in use was made."""
        return self._stored.current.made_ms

    def rotate(
        self, now_ms: int, token_life_ms: int, random_bytes: Callable[[int], bytes] = os.urandom
    ) -> None:
        """Sign with a new key from now on; what the old one signed holds until it ends."""
        retired = OldKey(_text(_public_bytes(self.private.public_key())), now_ms + token_life_ms)
        old = (*(key for key in self._stored.old if key.until_ms > now_ms), retired)
        stored = KeyFile(_new_key(now_ms, random_bytes), old)
        write_private(self._path, msgspec.json.encode(stored))
        self._take(stored)

    def public(self, key_id: str, now_ms: int) -> Ed25519PublicKey | None:
        """The key that verifies tokens with this key id; None when there is none (any more)."""
        key, until_ms = self._public.get(key_id, (None, None))
        return None if until_ms is not None and until_ms <= now_ms else key

    def _take(self, stored: KeyFile) -> None:
        self._stored = stored
        self.private = Ed25519PrivateKey.from_private_bytes(_bytes(stored.current.private))
        current = self.private.public_key()
        self.key_id = _id(current)
        self._public: dict[str, tuple[Ed25519PublicKey, int | None]] = {self.key_id: (current, None)}
        for key in stored.old:
            public = Ed25519PublicKey.from_public_bytes(_bytes(key.public))
            self._public[_id(public)] = (public, key.until_ms)


def engine_id(database_url: str) -> str:
    """What tells this engine from another one: 12 hex digits of SHA-256 over its database's URL, without the
    password, a file's name being absolute. Raises StorageError for what is no database URL."""
    url = parse_url(database_url)
    where = f"sqlite:///{sqlite_file(url)}" if is_sqlite(url) else str(url.set(password=None))
    return hashlib.sha256(where.encode()).hexdigest()[:12]


def keys_folder(database_url: str) -> Path:
    """Where an engine's keys are: `ENGINE_ID` in the state folder, which is made private too."""
    return private_folder(state_folder()) / engine_id(database_url)


def _new_key(now_ms: int, random_bytes: Callable[[int], bytes]) -> SigningKey:
    return SigningKey(_text(random_bytes(KEY_BYTES)), now_ms)


def _decoded(path: Path, content: bytes) -> KeyFile:
    try:
        stored = msgspec.json.decode(content, type=KeyFile)
        halves = [stored.current.private, *(key.public for key in stored.old)]
        if any(len(_bytes(half)) != KEY_BYTES for half in halves):
            raise ValueError
    except (msgspec.DecodeError, ValueError):
        raise OperationError(
            f"{path} is damaged: remove it to have new keys made; all who are signed in must refresh"
        ) from None
    return stored


def _id(key: Ed25519PublicKey) -> str:
    return hashlib.sha256(_public_bytes(key)).hexdigest()[:16]


def _public_bytes(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode()


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text)
