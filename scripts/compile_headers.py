"""Compiles each given header alone, with the flags of a source file of its folder.

usage: compile_headers.py compile_commands.json FILE...   (files that are not headers are passed over)
"""

import concurrent.futures
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path


def flags_by_folder(database: Path) -> dict[Path, tuple[list[str], str]]:
    found = {}
    for entry in json.loads(database.read_text()):
        arguments = shlex.split(entry["command"])
        if Path(arguments[0]).name == "ccache":
            arguments = arguments[1:]
        stop = arguments.index("-o")
        found[Path(entry["file"]).parent] = (arguments[:stop], entry["directory"])
    return found


def compile_alone(header: Path, command: list[str], directory: str) -> str:
    done = subprocess.run(
        [*command, "-fsyntax-only", "-Wno-pragma-once-outside-header", "-x", "c++", str(header)],
        cwd=directory, capture_output=True, text=True)
    return "" if done.returncode == 0 else f"{header} does not compile alone:\n{done.stderr}"


def main() -> int:
    database, files = Path(sys.argv[1]), [Path(f).resolve() for f in sys.argv[2:]]
    flags = flags_by_folder(database)
    jobs = []
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for file in files:
            if file.suffix == ".h" and file.parent in flags:
                command, directory = flags[file.parent]
                jobs.append(pool.submit(compile_alone, file, command, directory))
    problems = [text for job in jobs if (text := job.result())]
    print("\n".join(problems) if problems else f"{len(jobs)} headers compile alone")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
