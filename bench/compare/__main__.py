"""Godwit beside other mail servers: the same machine, the same run, the same loads, everything durable.

    make bench                                   an hour; bench/RESULTS.md
    make bench QUICK=1                           ten minutes: fewer loads, one round; prints, and writes build/bench only
    .venv/bin/python bench/compare --help
"""

import sys
from pathlib import Path

# Not this folder itself, whose modules are those of the package `compare`.
ROOT = Path(__file__).resolve().parents[2]
sys.path[0] = str(ROOT / "bench")
sys.path.insert(1, str(ROOT / "tests"))

from compare.command import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
