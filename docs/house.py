"""Draws the house: its floors from `.importlinter`, its arrows from the code's own imports.

python docs/house.py > docs/house.svg
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
PACKAGE: Final = ROOT / "bulkstate"
NAMES: Final = ("nouns", "words", "thinking", "rooms", "run", "commands")
"""What the floors are called, from the ground up."""

WIDTH, FLOOR, ROOM, MARGIN = 880, 92, 40, 96


def floors() -> list[list[str]]:
    """The rooms of each floor, from the ground up, as the contract of the layers has them."""
    contract = ConfigParser()
    contract.read(ROOT / ".importlinter")
    layers = contract["importlinter:contract:floors"]["layers"].split("\n")
    return [re.split(r"\s*[|:]\s*", layer.strip()) for layer in reversed(layers) if layer.strip()]


def room_of(module: str) -> str:
    """The room that a module of the package is in."""
    return module.split(".")[1] if "." in module else ""


def imported(source: Path) -> Iterator[str]:
    """The modules of the package that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "bulkstate":
            if node.module == "bulkstate":
                yield from (f"bulkstate.{name.name}" for name in node.names)
            else:
                yield node.module
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name.startswith("bulkstate."))


def arrows() -> dict[str, set[str]]:
    """Which rooms each room imports from."""
    found: dict[str, set[str]] = defaultdict(set)
    for source in sorted(PACKAGE.rglob("*.py")):
        here = source.relative_to(PACKAGE).parts[0].removesuffix(".py")
        found[here] |= {room for module in imported(source) if (room := room_of(module)) not in ("", here)}
    return found


def picture() -> str:
    """The SVG: a box a room, and an arrow wherever one imports from another."""
    levels = floors()
    height = len(levels) * FLOOR + 24
    place: dict[str, tuple[float, float]] = {}
    for number, rooms in enumerate(levels):
        width = (WIDTH - MARGIN) / len(rooms)
        for index, room in enumerate(rooms):
            place[room] = (MARGIN + width * (index + 0.5), height - (number + 0.6) * FLOOR)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" role="img">',
        "<title>Six floors; every arrow is an import, and points down</title>",
        '<rect width="100%" height="100%" fill="#fbfaf7"/>',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="6" markerHeight="6" orient="auto">'
        '<path d="M0 0L8 4L0 8z" fill="#8a8272"/></marker></defs>',
    ]
    for number, name in enumerate(NAMES):
        y = height - (number + 0.6) * FLOOR
        lines.append(f'<text x="12" y="{y + 5:.0f}" font-size="13" fill="#6b6455">{number + 1} {name}</text>')
    drawn = place.keys() - levels[0]  # whoever likes uses the nouns: their arrows would hide the others
    for room, others in sorted(arrows().items()):
        for other in sorted(others & drawn) if room in drawn else ():
            (x, y), (to_x, to_y) = place[room], place[other]
            start, end, middle = y + ROOM / 2, to_y - ROOM / 2, (y + to_y) / 2
            lines.append(
                f'<path d="M{x:.0f} {start:.0f}C{x:.0f} {middle:.0f} {to_x:.0f} {middle:.0f} {to_x:.0f} {end:.0f}" '
                'fill="none" stroke="#8a8272" stroke-opacity=".45" marker-end="url(#tip)"/>'
            )
    for room, (x, y) in place.items():
        lines.append(
            f'<rect x="{x - 52:.0f}" y="{y - ROOM / 2:.0f}" width="104" height="{ROOM}" rx="6" '
            'fill="#fff" stroke="#4a4436"/>'
            f'<text x="{x:.0f}" y="{y + 5:.0f}" font-size="15" text-anchor="middle" fill="#2b271e">{room}</text>'
        )
    return "\n".join([*lines, "</svg>"])


if __name__ == "__main__":
    print(picture())
