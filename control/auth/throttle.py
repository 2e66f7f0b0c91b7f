"""Failed sign-ins are slowed down: each wait is twice the one before, and nobody can lock somebody else out.

A wait belongs to an account as seen from one address, and to an address as a whole. So whoever guesses from
one place waits there, whatever names they try, and the owner signs in from any other place, or on the
engine's machine with the credential file, without waiting. A guesser with many addresses gets five tries from
each; against that stand the twelve characters that every password has.
"""

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass

FREE_FAILURES = 5
FIRST_WAIT_MS, LONGEST_WAIT_MS = 1_000, 300_000
FORGET_MS = 900_000
MOST_COUNTERS = 10_000


@dataclass
class _Counter:
    failures: int = 0
    until_ms: int = 0


class Counters:
    """Failures by key; of more than 10,000 keys the one that failed longest ago is forgotten."""

    def __init__(self) -> None:
        self._counters: OrderedDict[str, _Counter] = OrderedDict()

    def __len__(self) -> int:
        return len(self._counters)

    def wait_ms(self, key: str, now_ms: int) -> int:
        """How long to wait, in ms; 0 when not at all."""
        counter = self._counters.get(key)
        return max(0, counter.until_ms - now_ms) if counter else 0

    def failed(self, key: str, now_ms: int) -> None:
        """Count a failure: from the fifth on there is a wait. A quarter of an hour after the last one ended
        everything is forgotten."""
        counter = self._counters.pop(key, None)
        if counter is None or now_ms - counter.until_ms >= FORGET_MS:
            counter = _Counter()
        counter.failures += 1
        doublings = counter.failures - FREE_FAILURES
        wait_ms = min(LONGEST_WAIT_MS, FIRST_WAIT_MS << min(doublings, 16)) if doublings >= 0 else 0
        counter.until_ms = now_ms + wait_ms
        self._counters[key] = counter
        if len(self._counters) > MOST_COUNTERS:
            self._counters.popitem(last=False)

    def take_back(self, key: str, now_ms: int) -> None:
        """One counted failure was none."""
        counter = self._counters.get(key)
        if counter is None:
            return
        counter.failures -= 1
        counter.until_ms = min(counter.until_ms, now_ms)
        if counter.failures <= 0:
            del self._counters[key]

    def forget(self, key: str) -> None:
        """Begin anew."""
        self._counters.pop(key, None)


class Throttle:
    """A try counts as failed when it begins, so that a hundred at once are not a hundred free ones."""

    def __init__(self) -> None:
        self._accounts = Counters()
        self._addresses = Counters()

    def begin(self, account: str, address: str, now_ms: int) -> int:
        """Begin a try; 0, or how many seconds to wait before one may begin."""
        pair, place = _keys(account, address)
        wait_ms = max(self._accounts.wait_ms(pair, now_ms), self._addresses.wait_ms(place, now_ms))
        if wait_ms:
            return -(-wait_ms // 1000)
        self._accounts.failed(pair, now_ms)
        self._addresses.failed(place, now_ms)
        return 0

    def succeeded(self, account: str, address: str, now_ms: int) -> None:
        """The try was right: the account is free here. The address's earlier failures stay: one good password
        does not buy guesses at others."""
        pair, place = _keys(account, address)
        self._accounts.forget(pair)
        self._addresses.take_back(place, now_ms)

    def untried(self, account: str, address: str, now_ms: int) -> None:
        """The try was not made after all."""
        pair, place = _keys(account, address)
        self._accounts.take_back(pair, now_ms)
        self._addresses.take_back(place, now_ms)


def _keys(account: str, address: str) -> tuple[str, str]:
    place = _place(address)
    return f"{account} {place}", place


def _place(address: str) -> str:
    """Whose address it is: a network of IPv6 gives one customer 2^64 addresses."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        mapped = found.ipv4_mapped
        return str(mapped or ipaddress.ip_network((int(found), 64), strict=False))
    return str(found)
