"""What a gateway's headers say of its limits: `RateLimit`, `RateLimit-Policy`, and `X-RateLimit-*`.

The first two as in the drafts of the IETF's httpapi group, "RateLimit header fields for HTTP": lists of named items
with `q`, `w`, `r` and `t` (draft 08 and later), or `limit=100, remaining=50, reset=5` and `100;w=60` (draft 07). A
quota of anything but requests (`qu="content-bytes"`) is passed over: it says nothing of how many calls there may be.
The others are custom: most gateways send seconds until the reset, some the UNIX time of it, in seconds or milliseconds.

Pure, and safe for whatever stands there: what can't be read wasn't said.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from bulkstate.model import Told

LONGEST: Final = 1_000
MOST_ITEMS: Final = 8
"""So many characters of a header are read, and so many items of a list."""

UNIX_SECONDS: Final = 1e9
UNIX_MILLISECONDS: Final = 1e12
"""A reset beyond these is a time, not a span: 30 years are no window."""

_REQUESTS: Final = ("requests", "request")
"""What a quota counts if it counts calls: the drafts have said both."""

_NUMBER: Final = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,9})?")
_PREFIXES: Final = ("X-RateLimit-", "X-Rate-Limit-", "RateLimit-")


def read(headers: Mapping[str, str], now: Callable[[], float]) -> tuple[Told, ...]:
    """The limits that the headers (whose names are found in any case) tell. `now` says when it is, in UNIX seconds."""
    if not any("limit" in name.lower() for name in headers):
        return ()  # nearly every answer, and looking each name up would cost it a dozen microseconds
    state, policy = _list(headers, "ratelimit"), _list(headers, "ratelimit-policy")
    if state or policy:
        return tuple(_joined(tuple(_items(state)), tuple(_items(policy))))
    return tuple(told for prefix in _PREFIXES if (told := _custom(headers, prefix, now)) is not None)[:1]


# ── RateLimit and RateLimit-Policy ────────────────────────────────────────────────────────────────────────────────


def _list(headers: Mapping[str, str], lowered: str) -> str:
    """A list that a header holds, in one line or in several (RFC 9651, section 4.2); empty without that header."""
    return ", ".join(value for name, value in headers.items() if name.lower() == lowered)


@dataclass(frozen=True, slots=True)
class _Item:
    """One item of a list: what it is called, if it has a name, what it tells, and whether that is of requests."""

    name: str
    told: Told
    of_requests: bool


def _joined(states: tuple[_Item, ...], policies: tuple[_Item, ...]) -> Iterator[Told]:
    """Each policy of requests with its state: that of the same name, of the same limit, or the only one there is."""
    if not policies:
        yield from (item.told for item in states if item.of_requests)
    for policy in policies:
        if policy.of_requests:
            state = _state_of(policy, states, alone=len(policies) == 1)
            yield replace(policy.told, remaining=state.remaining, reset_after=state.reset_after)


def _state_of(policy: _Item, states: tuple[_Item, ...], alone: bool) -> Told:
    for state in states:
        same = state.name == policy.name if policy.name else state.told.limit == policy.told.limit
        if same or (alone and len(states) == 1):
            return state.told
    return Told()


def _items(text: str) -> Iterator[_Item]:
    """The items of a list. In draft 07 a state was a dictionary, which is one item here."""
    parts = [part.strip() for part in text[:LONGEST].split(",")[: MOST_ITEMS + 1]]
    if parts[0].lower().startswith(("limit=", "remaining=", "reset=")):
        parts = [";".join(parts)]
    for part in parts[:MOST_ITEMS]:
        head, *rest = (word.strip() for word in part.split(";"))
        fields = dict(_fields([head, *rest]))
        told = _told(fields, head)
        if told != Told():
            yield _Item(head.strip('"') if head.startswith('"') else "", told, _is_of_requests(rest))


def _is_of_requests(words: Iterable[str]) -> bool:
    """Whether a quota counts calls, as it does unless it names another unit."""
    parts = (word.partition("=") for word in words)
    return all(unit.strip(' "').lower() in _REQUESTS for key, _, unit in parts if key.strip().lower() == "qu")


def _fields(words: Iterable[str]) -> Iterator[tuple[str, float]]:
    for word in words:
        key, _, value = word.partition("=")
        number = _number(value)
        if number is not None:
            yield key.strip().lower(), number


def _told(fields: Mapping[str, float], head: str) -> Told:
    limit = fields.get("q", fields.get("limit", _number(head)))
    remaining, reset = fields.get("r", fields.get("remaining")), fields.get("t", fields.get("reset"))
    return Told(limit, fields.get("w"), remaining, reset)


def _number(text: str) -> float | None:
    text = text.strip()
    return float(text) if _NUMBER.fullmatch(text) else None


# ── X-RateLimit-* ─────────────────────────────────────────────────────────────────────────────────────────────────


def _custom(headers: Mapping[str, str], prefix: str, now: Callable[[], float]) -> Told | None:
    limit, remaining, reset = (_first(headers.get(prefix + name, "")) for name in ("Limit", "Remaining", "Reset"))
    if limit is None and remaining is None and reset is None:
        return None
    return Told(limit, None, remaining, None if reset is None else _span(reset, now))


def _first(text: str) -> float | None:
    return _number(re.split("[,;]", text[:LONGEST], maxsplit=1)[0])


def _span(reset: float, now: Callable[[], float]) -> float:
    """Seconds until the reset."""
    if reset < UNIX_SECONDS:
        return reset
    return max(0.0, (reset / 1000 if reset >= UNIX_MILLISECONDS else reset) - now())
