"""Who the caller is: secrets as values that don't show themselves, and the token that is kept alive for all calls.

Facts are the vendor's, as gathered in docs/enos-api.md. Nothing here opens a socket: the token service is asked through
a function that the client gives, so that every token call passes the pacer too.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from html import escape
from math import inf
from typing import Final, Generic, Protocol, TypeAlias, TypeVar
from urllib.parse import quote

import anyio
import orjson

from bulkstate.errors import InputError, Problem
from bulkstate.gateway import wire
from bulkstate.model import Answer, Attempt, Token

LONGEST_MARGIN: Final = 60.0
"""Most seconds before its end that a token is renewed; one that lives shorter than ten minutes: a tenth of its life."""


class Style(StrEnum):
    """How a call made with an application key shows who it is."""

    SIGNED = "signed"
    """`apim-*` headers, with a signature over query and body."""
    BEARER = "bearer"
    """The access token as `Authorization`."""


S = TypeVar("S")
"""A secret, or where one is found."""


@dataclass(frozen=True, slots=True)
class Bearer(Generic[S]):
    """A token that somebody else made, and that nobody here can renew.

    It is sent as `Authorization: <prefix> <token>`; alone if `prefix` is empty, or if it holds a space: then it
    brings its own scheme. (enos-api: no example shows whether a prefix belongs there.)
    """

    token: S = field(repr=False)
    prefix: str = "Bearer"


@dataclass(frozen=True, slots=True)
class AppKey(Generic[S]):
    """An application's key and secret: its tokens come from the token service.

    `prefix` is for `Style.BEARER`, as in `Bearer`.
    """

    app_key: S = field(repr=False)
    app_secret: S = field(repr=False)
    style: Style = Style.SIGNED
    prefix: str = "Bearer"


Auth: TypeAlias = Bearer[str] | AppKey[str]
"""Who calls, with the secrets themselves."""


def _require_printable(name: str, secret: str) -> None:
    """A line end in a secret is a mistake that a shell makes easily; the message must not show the secret."""
    if not secret or not secret.isascii() or not secret.isprintable() or secret != secret.strip():
        problem = "is empty, or holds a space at an end, a line end or a character that isn't printable ASCII"
        hint = "" if name == "prefix" else "check the environment variable"
        raise InputError(Problem(problem, field=f"gateway.auth.{name}", hint=hint))


def _require_prefix(prefix: str) -> None:
    if prefix:
        _require_printable("prefix", prefix)


class Credentials(Protocol):
    """What the client needs of whoever makes its headers."""

    def are_good(self) -> bool:
        """Can a call be made with them now?"""
        ...

    async def obtain(self, turn: Callable[[], Awaitable[None]]) -> Attempt[Token] | None:
        """Make new ones by one call, for which the pacer gives its `turn`; once for all who ask at the same time.

        None if that went well, or left something else to try; else the call to the token service that brought nothing.
        """
        ...

    def doubt(self, refused_at: float) -> bool:
        """The gateway refused a call that was sent at `refused_at` (loop seconds). False if no others can be made."""
        ...

    def headers(self, request: wire.Request) -> dict[str, str]:
        """The headers that make `request` ours, if it is sent now. Only while they are good."""
        ...

    def hide(self, text: str) -> str:
        """`text` without any secret that is known here."""
        ...


class FixedCredentials:
    """A `Bearer`, as it is. InputError if no header can hold it."""

    def __init__(self, auth: Bearer[str]) -> None:
        _require_printable("bearer", auth.token)
        _require_prefix(auth.prefix)
        self._headers = {"Authorization": _authorization(auth.prefix, auth.token)}
        self._secrets = _Secrets(auth.token)

    def are_good(self) -> bool:
        """As good as they will ever be."""
        return True

    async def obtain(self, turn: Callable[[], Awaitable[None]]) -> None:
        """Nothing to make."""

    def doubt(self, refused_at: float) -> bool:
        """Nobody here can make another."""
        return False

    def headers(self, request: wire.Request) -> dict[str, str]:
        """The same for every call."""
        return self._headers

    def hide(self, text: str) -> str:
        """`text` without the token."""
        return self._secrets.hidden_in(text)


@dataclass(frozen=True, slots=True)
class _Held:
    """A token at hand; times in seconds of the loop's clock."""

    value: str = field(repr=False)
    obtained_at: float
    renew_at: float
    ends_at: float


AskTokenService: TypeAlias = Callable[[wire.Request], Awaitable[Attempt[Token]]]
"""Makes one call, for which the pacer has given its turn already."""


class TokenCredentials:
    """An `AppKey`, and the token that the token service gave for it.

    One call renews it for everybody who waits, and everybody who waits gets that call's answer, good or bad.
    InputError if the key or the secret can't be sent.
    """

    def __init__(
        self, auth: AppKey[str], ask: AskTokenService, clock: Callable[[], float], wall: Callable[[], float]
    ) -> None:
        _require_printable("app_key", auth.app_key)
        _require_printable("app_secret", auth.app_secret)
        _require_prefix(auth.prefix)
        self._auth = auth
        self._ask = ask
        self._clock = clock
        self._wall = wall
        self._lock = anyio.Lock()
        self._held: _Held | None = None
        self._asked = 0
        self._refusal: Attempt[Token] | None = None
        self._timestamp = 0
        # A gateway may still quote a token that was replaced while the call was under way.
        self._tokens: deque[str] = deque(maxlen=4)
        self._secrets = _Secrets(auth.app_secret, auth.app_key)

    def are_good(self) -> bool:
        """There is a token, and it isn't near its end."""
        return self._held is not None and self._clock() < self._held.renew_at

    async def obtain(self, turn: Callable[[], Awaitable[None]]) -> Attempt[Token] | None:
        """Ask for a token, or wait for whoever is asking: one call, and everybody gets its answer, good or bad."""
        before = self._asked
        async with self._lock:
            if self._asked == before:
                await turn()
                self._refusal = await self._ask_once()
                self._asked += 1
            return self._refusal

    def doubt(self, refused_at: float) -> bool:
        """A token that is older than `refused_at` has to be renewed."""
        if self._held is not None and self._held.obtained_at <= refused_at:
            self._held = replace(self._held, renew_at=-inf)
        return True

    def headers(self, request: wire.Request) -> dict[str, str]:
        """`apim-*` headers or `Authorization`, as the style says."""
        if self._held is None:
            raise RuntimeError("headers were asked for before a token was ready")
        if self._auth.style is Style.BEARER:
            return {"Authorization": _authorization(self._auth.prefix, self._held.value)}
        return wire.signed_headers(request, self._held.value, self._auth.app_secret, int(self._wall() * 1000))

    def hide(self, text: str) -> str:
        """`text` without key, secret and the last few tokens."""
        return self._secrets.hidden_in(text)

    async def _ask_once(self) -> Attempt[Token] | None:
        """Asking for a token before the old one ends brings the old one again (enos-api): so refresh that first."""
        held = self._held
        if held is None or self._clock() >= held.ends_at:
            attempt = self._keep(await self._ask(self._get()))
            return None if attempt.reply.answer is Answer.OK else attempt
        attempt = self._keep(await self._ask(self._refresh(held.value)))
        if attempt.reply.answer is Answer.THROTTLED:
            return attempt  # the whole run pauses, and only the engine can see to that
        if attempt.reply.answer is not Answer.OK:
            self._held = replace(held, renew_at=-inf, ends_at=-inf)  # the next turn asks for a new one
        return None

    def _get(self) -> wire.Request:
        return wire.get_token(self._auth.app_key, self._auth.app_secret, self._next_timestamp())

    def _refresh(self, token: str) -> wire.Request:
        return wire.refresh_token(self._auth.app_key, self._auth.app_secret, self._next_timestamp(), token)

    def _next_timestamp(self) -> int:
        """UNIX milliseconds, never the same twice: the token service refuses a repeated encryption (1001)."""
        self._timestamp = max(int(self._wall() * 1000), self._timestamp + 1)
        return self._timestamp

    def _keep(self, attempt: Attempt[Token]) -> Attempt[Token]:
        token = attempt.reply.data
        if token is not None:
            ends_at = attempt.sent_at + token.expire
            margin = min(LONGEST_MARGIN, token.expire / 10)
            self._held = _Held(token.value, attempt.sent_at + attempt.seconds, ends_at - margin, ends_at)
            self._tokens.append(token.value)
            self._secrets = _Secrets(self._auth.app_secret, self._auth.app_key, *self._tokens)
        return attempt


def _authorization(prefix: str, token: str) -> str:
    return token if not prefix or " " in token else f"{prefix} {token}"


# ── hiding ────────────────────────────────────────────────────────────────────────────────────────────────────────

_HIDDEN: Final = "[hidden]"
_TELLING: Final = 4
"""A secret's first characters that may stay: fewer say nothing, and are found in any text."""


class _Secrets:
    """What must not be shown, in every spelling in which a gateway may quote it: plain, in JSON, in a URL, in HTML, and
    each in capitals or small letters, as a host in an address is spelt."""

    def __init__(self, *secrets: str) -> None:
        spellings: set[str] = set()
        for secret in secrets:
            plain = {secret, orjson.dumps(secret).decode()[1:-1]}
            spellings |= plain | {form.replace("/", "\\/") for form in plain}
            spellings |= {quote(secret), quote(secret, safe=""), escape(secret)}
        self._forms = tuple(sorted((" ".join(form.split()) for form in spellings), key=len, reverse=True))
        self._whole = _any_of(self._forms)
        self._beginning = _any_of(form[:_TELLING] for form in self._forms)

    def hidden_in(self, text: str) -> str:
        """`text` without them."""
        if not self._beginning.search(text):
            return text
        return self._without_a_cut_one(self._whole.sub(_HIDDEN, text))

    def _without_a_cut_one(self, text: str) -> str:
        """A text that was cut before it came here may end with the beginning of a secret."""
        cut = text.rstrip("…")
        lowered = cut.lower()
        for form in self._forms:
            for length in range(min(len(form) - 1, len(cut)), _TELLING - 1, -1):
                if lowered.endswith(form[:length].lower()):
                    return f"{cut[:-length]}{_HIDDEN}"
        return text


def _any_of(texts: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(re.escape(text) for text in texts), re.IGNORECASE)
