"""Who may call: the headers of a request, held against the tokens that were given out.

`Authorization` holds an access token, with or without `Bearer` before it: no example of the vendor's shows which. A
signed call has `apim-accesstoken`, `apim-timestamp` and `apim-signature`. The vendor's own clients encrypt that token
with the platform's public key: only the platform can read it, so all that can be done here is to see that there is one.
"""

from __future__ import annotations

from collections.abc import Mapping
from hmac import compare_digest

from bulkstate.emulator.calls import Declined
from bulkstate.emulator.tokens import TokenService, TokenState
from bulkstate.emulator.world import Application, TokenPolicy
from bulkstate.gateway.wire import ApimStatus, Request, signature


def caller_token(headers: Mapping[str, str]) -> str:
    """The token that a call carries, in whatever header; empty if it carries none."""
    value = headers.get("Authorization", "").strip()
    scheme, _, token = value.partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    return value or headers.get("apim-accesstoken", "")


class Doors:
    """Lets calls in that carry a good token, and a good signature if they are signed."""

    def __init__(
        self, credentials: Application, tokens: TokenService, policy: TokenPolicy, *, trust_vendor_token: bool
    ) -> None:
        self._credentials = credentials
        self._tokens = tokens
        self._policy = policy
        self._trust_vendor_token = trust_vendor_token

    def admit(self, request: Request, headers: Mapping[str, str], now: float) -> None:
        """Declined with HTTP 401, or with apim_status 4011 if expired tokens show like that."""
        token = caller_token(headers)
        standing = self._tokens.standing(token, now)
        signed = "Authorization" not in headers and "apim-accesstoken" in headers
        if standing is TokenState.UNKNOWN and signed and token and self._trust_vendor_token:
            return
        if standing is TokenState.EXPIRED and self._policy.expired != 401:
            raise Declined(ApimStatus.ACCESS_TOKEN_EXPIRED, "access token expired")
        if standing is not TokenState.GOOD or (signed and not self._signature_holds(request, headers, token)):
            raise Declined(401, "Invalid authentication credentials", status=401)

    def _signature_holds(self, request: Request, headers: Mapping[str, str], token: str) -> bool:
        timestamp = headers.get("apim-timestamp", "")
        if not (timestamp.isascii() and timestamp.isdigit()):
            return False
        proof = signature(request.query, request.body, token, self._credentials.app_secret, timestamp)
        return compare_digest(proof.encode(), headers.get("apim-signature", "").encode("utf-8", "replace"))
