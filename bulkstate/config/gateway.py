"""Which gateway is called, and as whom."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Final, TypeAlias

from bulkstate.errors import Problem
from bulkstate.forms.place import Place
from bulkstate.forms.sections import Either, Found, Made, Maybe, Section
from bulkstate.forms.single import Choice, Duration, FilePath, Flag, JsonObject, Secret, Text
from bulkstate.forms.values import SecretReference
from bulkstate.gateway.address import is_loopback, mistake_in
from bulkstate.gateway.credentials import AppKey, Bearer, Style

EMBEDDED: Final = "embedded"
_MOST_CA_BYTES: Final = 4 << 20
_CERTIFICATE: Final = re.compile(r"-----BEGIN CERTIFICATE-----[\sA-Za-z0-9+/=]+-----END CERTIFICATE-----")


# ── what the program is given ─────────────────────────────────────────────────────────────────────────────────────


Auth: TypeAlias = Bearer[SecretReference] | AppKey[SecretReference]
"""Who calls, without a secret."""


def revealed(auth: Auth, environ: Mapping[str, str]) -> Bearer[str] | AppKey[str]:
    """The same with the secrets. InputError if a variable isn't set, or can't be a secret."""
    match auth:
        case Bearer(token, prefix):
            return Bearer(token.reveal(environ), prefix)
        case AppKey(key, secret, style, prefix):
            return AppKey(key.reveal(environ), secret.reveal(environ), style, prefix)


@dataclass(frozen=True, slots=True)
class Gateway:
    """A real gateway. `url` has no slash at its end; `timeout` is in seconds; `ca_pem` are certificates as PEM text."""

    url: str
    org_id: str
    auth: Auth
    timeout: float = 30.0
    ca_pem: str | None = None
    allow_http: bool = False


@dataclass(frozen=True, slots=True)
class Embedded:
    """The emulator, started for the run, which makes up an organisation and an application. `timeout` is in seconds."""

    timeout: float = 30.0


# ── forms of single values ────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class GatewayUrl:
    """`embedded`, or an http(s) address. It is never told back: it may hold what came from the environment."""

    def read(self, at: Place) -> str:
        """The address without the slash at its end."""
        text = Text("an address such as https://apim.example.com, or embedded").read(at)
        if text == EMBEDDED:
            return text
        wrong = mistake_in(text)
        if wrong:
            raise at.mistake(f"expected an address such as https://apim.example.com, or embedded: {wrong}")
        return text.rstrip("/")

    def schema(self) -> JsonObject:
        """Either, or a reference."""
        return {"type": "string", "pattern": r"^embedded$|^https?://[^@?#\s]+$|\$\{"}


@dataclass(frozen=True, slots=True)
class Prefix:
    """What stands before a token: one word, or nothing. It is never told back: it may be a token in the wrong place."""

    def read(self, at: Place) -> str:
        """The word."""
        text = at.resolved(at.scalar("a word").text)
        if not re.fullmatch(r"[A-Za-z0-9._-]{0,32}", text):
            raise at.mistake("expected one word such as Bearer, or an empty one")
        return text

    def schema(self) -> JsonObject:
        """A word."""
        return {"type": "string", "pattern": r"^[A-Za-z0-9._-]{0,32}$|\$\{"}


@dataclass(frozen=True, slots=True)
class Certificates:
    """A PEM file of certificates to trust, or its text itself."""

    def read(self, at: Place) -> str:
        """The certificates as PEM text, so that a run can go on where the file isn't; nothing else that is in it."""
        text = at.text("a path")
        pem = text if "-----BEGIN " in text else self._file(at)
        certificates = "\n".join(_CERTIFICATE.findall(pem))
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=certificates)
        except (ssl.SSLError, ValueError):
            raise at.mistake("holds no certificate in PEM form that can be used") from None
        return certificates + "\n"

    def _file(self, at: Place) -> str:
        path = FilePath().read(at)
        try:
            if path.exists() and not path.is_file():  # a pipe would be waited for
                raise at.mistake("isn't a regular file")
            with path.open("rb") as file:
                return file.read(_MOST_CA_BYTES).decode("ascii", "replace")
        except OSError as error:
            raise at.mistake(f"can't be read: {error.strerror or 'input/output error'}") from None

    def schema(self) -> JsonObject:
        """A string."""
        return Text().schema()


# ── the keys ──────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _AuthKeys:
    app_key: Annotated[SecretReference | None, Secret(), "The application's key, as ${NAME}."] = None
    app_secret: Annotated[SecretReference | None, Secret(), "The application's secret, as ${NAME}."] = None
    bearer: Annotated[SecretReference | None, Secret(), "A token, as ${NAME}, in place of key and secret."] = None
    style: Annotated[
        Style | None, Choice(Style), "signed (the default with key and secret), or bearer: the token alone."
    ] = None
    prefix: Annotated[str, Prefix(), "What stands before the token in `Authorization`; may be empty."] = "Bearer"

    def auth(self) -> Auth:
        if self.bearer is not None:
            return Bearer(self.bearer, self.prefix)
        if self.app_key is None or self.app_secret is None:
            raise AssertionError("the rules let no such section through")
        return AppKey(self.app_key, self.app_secret, self.style or Style.SIGNED, self.prefix)


_APPLICATION_OR_TOKEN: Final = Either(("app_key", "app_secret"), "bearer", "a key and its secret belong together")


def _token_cannot_sign(found: Found) -> Iterator[Problem]:
    if "bearer" in found.written and found.values.get("style") is Style.SIGNED:
        yield found.problem("style", "a token alone can't sign", "use app_key and app_secret")


def _useful_prefix(found: Found) -> Iterator[Problem]:
    signed = found.values.get("style") in (None, Style.SIGNED) and "bearer" not in found.written
    if signed and found.values.get("prefix", "Bearer") != "Bearer":
        yield found.problem("prefix", "means nothing to signed calls", "add style: bearer")


_AUTH: Final = Made(Section(_AuthKeys, (_APPLICATION_OR_TOKEN, _token_cannot_sign, _useful_prefix)), _AuthKeys.auth)


@dataclass(frozen=True, slots=True)
class _GatewayKeys:
    url: Annotated[str, GatewayUrl(), "The gateway's address, or embedded: the emulator, for a rehearsal."]
    org_id: Annotated[str | None, Text("an organisation's ID"), "The organisation that owns the pipelines."] = None
    auth: Annotated[Auth | None, _AUTH, "Who calls: app_key and app_secret, or bearer."] = None
    timeout: Annotated[float, Duration(0.05, 3600), "How long a call may take, such as 30s."] = 30.0
    ca_file: Annotated[str | None, Maybe(Certificates()), "Certificates (PEM) that vouch for the gateway."] = None
    allow_http: Annotated[bool, Flag(), "Whether plain http may leave this machine: it shows secrets."] = False

    def gateway(self) -> Gateway | Embedded:
        if self.url == EMBEDDED:
            return Embedded(self.timeout)
        if self.org_id is None or self.auth is None:
            raise AssertionError("the rules let no such section through")
        return Gateway(self.url, self.org_id, self.auth, self.timeout, self.ca_file, self.allow_http)


def _whole_gateway(found: Found) -> Iterator[Problem]:
    url = found.values.get("url")
    if url == EMBEDDED:
        for name in sorted(found.written.keys() & {"org_id", "auth", "ca_file"}):
            yield found.problem(name, "isn't for the embedded gateway, which makes up its own", "remove it")
    elif "url" in found.written:
        for name in sorted({"org_id", "auth"} - found.written.keys()):
            yield found.problem(name, "is missing", "a real gateway needs it")


def _plain_http(found: Found) -> Iterator[Problem]:
    url = str(found.values.get("url", ""))
    if url.lower().startswith("http:") and not is_loopback(url) and not found.values.get("allow_http"):
        yield found.problem("url", "plain http would show secrets to the network", "use https, or set allow_http: true")


GATEWAY: Final = Made(Section(_GatewayKeys, (_whole_gateway, _plain_http)), _GatewayKeys.gateway)
