"""Tells other stories than the fixed ones, and names the seeds that fell: add those to `FELL` in test_chaos.py.

python -m tests.chaos.run FIRST COUNT
"""

from __future__ import annotations

import sys
import tempfile
import time
import traceback
from pathlib import Path

from tests.chaos.story import Story, Tale


def main(first: int, count: int) -> int:
    fell: list[int] = []
    deletes, began = 0, time.monotonic()
    for seed in range(first, first + count):
        with tempfile.TemporaryDirectory(prefix=f"chaos-{seed}-") as folder:
            tale = Tale(Story(seed), Path(folder))
            try:
                tale.tell()
            except Exception:
                fell.append(seed)
                print(f"── seed {seed} fell\n{tale.story.text}")
                traceback.print_exc(file=sys.stdout)
                for done in tale.said:
                    print(done.arguments, done.exit_code, done.out[-600:], done.err[-600:], sep="\n")
            deletes += len(tale.gateway.deletes)
    seconds = time.monotonic() - began
    print(f"{count} stories, {deletes:,} deletes, {seconds:.0f} s; fell: {fell or 'none'}")
    return 1 if fell else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
