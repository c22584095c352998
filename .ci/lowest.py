"""Prints pyproject.toml's dependencies pinned to their lower bounds, for pip: bounds that nobody tests are guesses.

python .ci/lowest.py > requirements.txt
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path


def main() -> None:
    """One requirement a line."""
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    for requirement in project["dependencies"]:
        print(re.sub(r">=\s*([^,;\s]+)", r"==\1", requirement, count=1))


if __name__ == "__main__":
    main()
