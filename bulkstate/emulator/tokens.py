"""The token service: who gets an access token, and whether one is good. Pure: `now` is an argument, in UNIX seconds."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from enum import Enum, auto
from hmac import compare_digest
from typing import Final, TypeVar

from bulkstate.emulator.calls import Declined, TokenCall, read_object
from bulkstate.emulator.world import Application
from bulkstate.gateway.wire import Code, token_encryption
from bulkstate.model import Token

T = TypeVar("T")

MOST_REMEMBERED: Final = 10_000
"""How many tokens, and how many used encryptions, are remembered: the oldest are forgotten first."""


class TokenState(Enum):
    """What the service knows of a token."""

    GOOD = auto()
    EXPIRED = auto()
    UNKNOWN = auto()


def read_token_call(body: bytes, *, refresh: bool = False) -> TokenCall:
    """The body of get and refresh. Declined with 1202 for an empty parameter, 1004 for a malformed one."""
    names = ("appKey", "encryption", "timestamp", *(("accessToken",) if refresh else ()))
    try:
        document = read_object(body)
    except Declined:
        raise Declined(Code.INVALID_PARAMETER, "invalid parameter: the body isn't a JSON object") from None
    call = TokenCall(*(_parameter(document.get(name), name) for name in names))
    if not (call.timestamp.isascii() and call.timestamp.isdigit()):
        raise Declined(Code.INVALID_PARAMETER, "invalid parameter: timestamp")
    return call


def _parameter(value: object, name: str) -> str:
    if value is None or value == "":
        raise Declined(Code.EMPTY_PARAMETER, f"empty parameter: {name}")
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise Declined(Code.INVALID_PARAMETER, f"invalid parameter: {name}")
    return str(value)


class TokenService:
    """Tokens for one application, each good for `lifetime` seconds. A refreshed one stays good until it expires."""

    def __init__(self, credentials: Application, lifetime: float) -> None:
        self._credentials = credentials
        self._lifetime = lifetime
        self._ends: OrderedDict[str, float] = OrderedDict()
        self._used: OrderedDict[str, None] = OrderedDict()

    def get(self, call: TokenCall, now: float) -> Token:
        """The newest token while it is good, or a new one; with the seconds it has left."""
        self._admit(call)
        newest = next(reversed(self._ends), "")
        return (
            Token(newest, self._ends[newest] - now) if self.standing(newest, now) is TokenState.GOOD else self._new(now)
        )

    def refresh(self, call: TokenCall, now: float) -> Token:
        """A new token in place of one that is still good."""
        self._admit(call)
        standing = self.standing(call.token, now)
        if standing is TokenState.EXPIRED:
            raise Declined(Code.TOKEN_EXPIRED, "the access token has expired")
        if standing is TokenState.UNKNOWN:
            raise Declined(Code.REFRESH_FAILED, "refresh failed: no such access token")
        return self._new(now)

    def standing(self, token: str, now: float) -> TokenState:
        """Whether a token is good."""
        end = self._ends.get(token)
        if end is None:
            return TokenState.UNKNOWN
        return TokenState.GOOD if now < end else TokenState.EXPIRED

    def _admit(self, call: TokenCall) -> None:
        if call.app_key != self._credentials.app_key:
            raise Declined(Code.NO_SUCH_APP_KEY, "no such appKey")
        proof = token_encryption(call.app_key, self._credentials.app_secret, call.timestamp)
        if not compare_digest(proof.encode(), call.encryption.encode("utf-8", "replace")):
            raise Declined(Code.WRONG_ENCRYPTION, "encryption not valid")
        if call.encryption in self._used:
            raise Declined(Code.REPEATED_ENCRYPTION, "repeated request with the same encryption")
        _remember(self._used, call.encryption, None)

    def _new(self, now: float) -> Token:
        value = secrets.token_hex(16)
        _remember(self._ends, value, now + self._lifetime)
        return Token(value, self._lifetime)


def _remember(memory: OrderedDict[str, T], key: str, value: T) -> None:
    memory[key] = value
    if len(memory) > MOST_REMEMBERED:
        memory.popitem(last=False)
