"""Ends commands at other moments than the fixed ones, and names those where a promise wasn't kept.

python -m tests.crash.run SEED COUNT
"""

from __future__ import annotations

import sys
import tempfile
import traceback
from pathlib import Path

from tests.crash.moments import COMMANDS, live, moments, usual_seconds


def main(seed: str, count: int) -> int:
    fell: list[str] = []
    spent = [0.0]
    with tempfile.TemporaryDirectory(prefix="crash-") as top:
        usual: dict[str, float] = {}
        for command in COMMANDS:
            folder = Path(top, f"usual-{command}")
            folder.mkdir()
            usual[command] = usual_seconds(command, folder)
        for number, moment in enumerate(moments(count, seed)):
            folder = Path(top, f"{number}")
            folder.mkdir()
            try:
                spent.append(live(moment, folder, usual[moment.command]))
            except Exception:
                fell.append(str(moment))
                print(f"── {moment}")
                traceback.print_exc(file=sys.stdout)
    print(f"{count} moments, {', '.join(f'{name} {seconds:.2f} s' for name, seconds in usual.items())}")
    print(f"most CPU after a signal: {max(spent):.2f} s; fell: {fell or 'none'}")
    return 1 if fell else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
