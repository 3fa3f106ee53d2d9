"""Whether files include what they use, which a compiler with precompiled headers does not notice.

A name is provided if the file itself, or one of our headers behind it, includes a header that declares it. What headers
of others happen to include does not count: it differs between versions.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from include_graph import INCLUDE

# header -> names it declares in std, of the headers that cmake/precompiled.cmake lists.
STANDARD = {
    "algorithm": "all_of any_of clamp copy_n count_if equal_range fill find_if max_element min_element nth_element"
                 " none_of partial_sort remove_if sort stable_sort lower_bound upper_bound binary_search shuffle",
    "array": "array to_array",
    "atomic": "atomic atomic_bool atomic_flag memory_order_relaxed memory_order_acquire memory_order_release",
    "charconv": "from_chars to_chars",
    "chrono": "chrono",
    "condition_variable": "condition_variable condition_variable_any",
    "deque": "deque",
    "expected": "expected unexpected",
    "filesystem": "filesystem",
    "fstream": "ifstream ofstream fstream",
    "functional": "function move_only_function hash",
    "map": "map multimap",
    "memory": "unique_ptr shared_ptr weak_ptr make_unique make_shared enable_shared_from_this",
    "mutex": "mutex lock_guard unique_lock scoped_lock once_flag call_once",
    "optional": "optional nullopt",
    "random": "mt19937 mt19937_64 random_device uniform_int_distribution uniform_real_distribution",
    "set": "set multiset",
    "span": "span as_bytes",
    "sstream": "stringstream istringstream ostringstream",
    "string": "string to_string",
    "string_view": "string_view",
    "system_error": "error_code error_category error_condition system_error",
    "thread": "thread jthread this_thread",
    "unordered_map": "unordered_map unordered_multimap",
    "unordered_set": "unordered_set",
    "variant": "variant monostate holds_alternative visit",
    "vector": "vector",
}
# Other headers that declare the name too, as the standard says.
ALSO = {"hash": {"string", "string_view", "memory", "optional", "variant", "system_error", "thread"},
        "visit": {"variant"}}

COMMENT_OR_LITERAL = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)\'', re.DOTALL)
STD_NAME = re.compile(r"\bstd::(\w+)")
OTHERS = [
    (re.compile(r"\bfmt::\w+"), re.compile(r"^fmt/|^spdlog/"), "<fmt/format.h>"),
    (re.compile(r"\basio::\w+"), re.compile(r"^common/async/asio\.h$"), '"common/async/asio.h"'),
    (re.compile(r"^(TEST|TEST_F|TEST_P)\(", re.MULTILINE), re.compile(r"^g(test|mock)/"), "<gtest/gtest.h>"),
    (re.compile(r"^\s*(EXPECT_THAT|ASSERT_THAT|EXPECT_CALL|MOCK_METHOD)\(", re.MULTILINE), re.compile(r"^gmock/"),
     "<gmock/gmock.h>"),
    (re.compile(r"\bgoogle::protobuf::\w+"), re.compile(r"^google/protobuf/|\.pb\.h$"), "<google/protobuf/...>"),
]


@dataclass(frozen=True)
class Use:
    file: str
    line: int
    name: str
    header: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.name} needs {self.header}"


def reachable(root: Path, file: str) -> set[str]:
    """What `file` includes, itself and through our own headers."""
    found: set[str] = set()
    todo = [file]
    while todo:
        for line in (root / todo.pop()).read_text().splitlines():
            if (match := INCLUDE.match(line)) and match[2] not in found:
                found.add(match[2])
                if (root / match[2]).is_file():
                    todo.append(match[2])
    return found


def missing(root: Path, file: str) -> list[Use]:
    """One entry for each header that `file` uses a name of and does not include."""
    text = COMMENT_OR_LITERAL.sub(lambda m: "\n" * m[0].count("\n"), (root / file).read_text())
    there = reachable(root, file) | {file}
    headers = {name: header for header, names in STANDARD.items() for name in names.split()}
    found: dict[str, Use] = {}

    def add(position: int, name: str, header: str) -> None:
        found.setdefault(header, Use(file, text.count("\n", 0, position) + 1, name, header))

    for match in STD_NAME.finditer(text):
        header = headers.get(match[1])
        if header and header not in there and not ALSO.get(match[1], set()) & there:
            add(match.start(), match[0], f"<{header}>")
    for pattern, wanted, header in OTHERS:
        if (match := pattern.search(text)) and not any(wanted.search(target) for target in there):
            add(match.start(), match[0].strip("( \n"), header)
    return list(found.values())
