"""A gateway's address: what makes one, and the one spelling by which two of them are told apart."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

_HOST: Final = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+")
_PATH: Final = re.compile(r"[!-\[\]-~]*")
_PORTS: Final = {"https": 443, "http": 80}


def mistake_in(url: str) -> str:
    """What keeps a text from being a gateway's address, without quoting it; empty if nothing does."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "its host or port can't be read"
    if parts.scheme not in _PORTS:
        return "it has to start with https:// or http://"
    if "@" in parts.netloc:
        return "it may hold no user or password"
    if "?" in url or "#" in url:
        return "it may hold no `?` and no `#`"
    if not parts.hostname or not _HOST.fullmatch(parts.hostname) or port == 0:
        return "its host or port can't be read"
    return "" if _PATH.fullmatch(parts.path) else "its path may hold plain ASCII only, without spaces"


def is_loopback(url: str) -> bool:
    """Whether an address never leaves this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def one_spelling(url: str) -> str:
    """An address with its port, its host in small letters, and no slash at its end: the same for the same gateway."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}:{parts.port or _PORTS[parts.scheme]}{parts.path.rstrip('/')}"
