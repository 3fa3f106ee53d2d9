"""The include graph of Godwit, and what it may look like.

Rules are those of docs/architecture.md and CONTRIBUTING.md. A violation is a sentence that names
file, line and rule, so that whoever broke it need not read this file.
"""

import re
from dataclasses import dataclass
from pathlib import Path

# Lower ranks never include higher ones. Within a rank includes are allowed but never circular.
RANKS = [
    ("L0", ["base"]),
    ("L1a", ["smtp", "mail", "report", "text", "record"]),
    ("L1b", ["async", "config", "observe"]),
    ("L2a", ["store", "net"]),
    ("L2b", ["log", "http", "poison"]),
    ("L3", ["control", "commands", "accounting", "admin", "role", "audit", "capture"]),
]
ROLES = ["ingress", "router", "sender", "bouncer", "webhooks", "analytics"]
EXECUTABLE = "cli"

PURE = {"base", "smtp", "mail", "report", "text", "record"}

# Their headers are slow to compile or tie callers to a library: sources may include them, headers may not.
KEPT_OUT_OF_HEADERS = {
    "gRPC": re.compile(r"^(grpc|grpcpp)/|\.grpc\.pb\.h$"),
    "Beast": re.compile(r"^boost/beast"),
    "librdkafka": re.compile(r"^librdkafka/"),
    "RocksDB": re.compile(r"^rocksdb/"),
    "OpenSSL": re.compile(r"^openssl/"),
    "prometheus-cpp": re.compile(r"^prometheus/"),
}
# Pure modules take bytes and return values: nothing of the operating system.
IMPURE = re.compile(r"^(sys/socket|sys/epoll|netinet/.*|arpa/inet|netdb|unistd|fcntl|poll|thread|mutex|fstream)(\.h)?$")
GENERATED_RECORDS = re.compile(r"^godwit/.*\.pb\.h$")
# Where a header may name generated records: where they are encoded, and above.
RECORDS_IN_HEADERS = {"record", "control", "commands", "accounting", "admin", "role", "audit", "capture", *ROLES, EXECUTABLE}

ASIO = re.compile(r"^boost/asio")
ASIO_HOME = "common/async/asio.h"

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
FILE_NAME = re.compile(r"^[a-z][a-z0-9_]*\.(h|cc)$")
VAGUE = re.compile(r"(^|_)(utils?|helpers?|misc|stuff)(_|\.)")


@dataclass(frozen=True)
class Include:
    file: str
    line: int
    target: str
    ours: bool  # names a file of this tree


def module_of(path: str) -> str | None:
    """The module a path belongs to: "smtp" for common/smtp/reply.h, "sender" for sender/role.h."""
    parts = path.split("/")
    if parts[0] == "common" and len(parts) > 2:
        return parts[1]
    if len(parts) > 1 and parts[0] in (*ROLES, EXECUTABLE):
        return parts[0]
    return None


def sources(root: Path) -> list[str]:
    found = []
    for top in ("common", *ROLES, EXECUTABLE):
        if (root / top).is_dir():
            found += [p for p in (root / top).rglob("*") if p.suffix in (".h", ".cc")]
    return sorted(p.relative_to(root).as_posix() for p in found)


def includes(root: Path, file: str) -> list[Include]:
    found = []
    for number, line in enumerate((root / file).read_text().splitlines(), 1):
        if match := INCLUDE.match(line):
            target = match[2]
            found.append(Include(file, number, target, (root / target).is_file()))
    return found


def rank_of(module: str) -> int:
    for rank, (_, modules) in enumerate(RANKS):
        if module in modules:
            return rank
    if module in ROLES:
        return len(RANKS)
    if module == EXECUTABLE:
        return len(RANKS) + 1
    return -1


def check_file(root: Path, file: str) -> list[str]:
    """What is wrong with one file, apart from circles."""
    problems = []
    module = module_of(file)
    header = file.endswith(".h")
    name = Path(file).name
    # Shared by sources of one module; nobody else sees it, so it may name what they wrap.
    internal = name.endswith("_impl.h")
    if not FILE_NAME.match(name) or VAGUE.search(name):
        problems.append(f"{file}: name the file for its main noun, in snake_case")
    if module is None or rank_of(module) < 0:
        problems.append(f"{file}: module {module!r} is in no layer; add it to RANKS in tests/layering/include_graph.py")
        return problems
    if header and "#pragma once" not in (root / file).read_text():
        problems.append(f"{file}: a header starts with #pragma once")

    test_only = name.endswith(("_test.cc", "_bench.cc")) or name.startswith(("fake_", "test_"))
    for include in includes(root, file):
        at = f"{include.file}:{include.line}: {include.target}"
        if include.ours:
            problems += [f"{at}: {p}" for p in check_edge(module, include.target, test_only)]
            if include.target.endswith("_impl.h") and (
                    module_of(include.target) != module or (header and not internal)):
                problems.append(f"{at}: an _impl.h is for the sources of its own module")
        elif "/" not in include.target and (root / file).parent.joinpath(include.target).is_file():
            problems.append(f"{at}: include paths start at the root of the tree")
        if header and not internal and not name.startswith(("fake_", "test_")):
            for library, pattern in KEPT_OUT_OF_HEADERS.items():
                if pattern.search(include.target):
                    problems.append(f"{at}: {library} stays out of headers; forward-declare or hide it behind a pointer")
            if GENERATED_RECORDS.match(include.target) and module not in RECORDS_IN_HEADERS:
                problems.append(f"{at}: generated records are named in headers of record/ and above only")
        if ASIO.match(include.target) and file != ASIO_HOME:
            problems.append(f"{at}: Asio is included only through {ASIO_HOME}")
        if module in PURE and not test_only and IMPURE.match(include.target) and not may_be_impure(file):
            problems.append(f"{at}: {module}/ is pure: no sockets, files or threads")
    return problems


def may_be_impure(file: str) -> bool:
    """base/ holds the clock and the source of randomness, which are the operating system's."""
    return module_of(file) == "base"


def check_edge(module: str, target: str, test_only: bool) -> list[str]:
    other = module_of(target)
    if other is None or other == module:
        return []
    if other == EXECUTABLE:
        return ["nothing includes the executable"]
    if module in ROLES and other in ROLES:
        return [f"role {module} includes role {other}: roles meet in topics"]
    if rank_of(other) > rank_of(module):
        return [f"{module} ({layer_name(module)}) includes {other} ({layer_name(other)}), which is above it"]
    if Path(target).name.startswith("fake_") and not test_only:
        return ["fakes are for tests"]
    return []


def layer_name(module: str) -> str:
    rank = rank_of(module)
    return RANKS[rank][0] if 0 <= rank < len(RANKS) else "role" if module in ROLES else "executable"


def module_graph(root: Path) -> dict[str, set[str]]:
    """Which module includes which, tests and benchmarks left out."""
    graph: dict[str, set[str]] = {}
    for file in sources(root):
        if file.endswith(("_test.cc", "_bench.cc")):
            continue
        module = module_of(file)
        if module is None:
            continue
        edges = graph.setdefault(module, set())
        for include in includes(root, file):
            other = module_of(include.target) if include.ours else None
            if other and other != module:
                edges.add(other)
    return graph


def find_circle(graph: dict[str, set[str]]) -> list[str] | None:
    """One circle as a path that ends where it began, or None."""
    done: set[str] = set()

    def walk(node: str, path: list[str]) -> list[str] | None:
        if node in path:
            return path[path.index(node):] + [node]
        if node in done:
            return None
        for following in sorted(graph.get(node, ())):
            if circle := walk(following, path + [node]):
                return circle
        done.add(node)
        return None

    for start in sorted(graph):
        if circle := walk(start, []):
            return circle
    return None
