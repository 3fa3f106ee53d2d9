"""The include graph is acyclic and matches the layers (docs/architecture.md), and files include what they use.

The first half proves that the checker sees each kind of violation, on small trees made for the purpose;
the second half applies it to the tree itself.
"""

import re
from pathlib import Path

import pytest

import include_graph
import used_headers

ROOT = Path(__file__).resolve().parents[2]


def tree(tmp_path: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#pragma once\n" + text if name.endswith(".h") else text)
    return tmp_path


VIOLATIONS = [
    ("upwards", {"common/base/a.h": '#include "common/net/b.h"\n', "common/net/b.h": ""}, "which is above it"),
    ("pure_layer_upwards", {"common/smtp/a.h": '#include "common/async/b.h"\n', "common/async/b.h": ""}, "above it"),
    ("role_to_role", {"sender/a.h": '#include "router/b.h"\n', "router/b.h": ""}, "roles meet in topics"),
    ("role_to_cli", {"sender/a.h": '#include "cli/b.h"\n', "cli/b.h": ""}, "nothing includes the executable"),
    ("common_to_role", {"common/role/a.h": '#include "sender/b.h"\n', "sender/b.h": ""}, "above it"),
    ("grpc_in_header", {"common/admin/a.h": "#include <grpcpp/grpcpp.h>\n"}, "gRPC stays out"),
    ("grpc_code_in_header", {"common/admin/a.h": '#include "godwit/admin/v1/a.grpc.pb.h"\n'}, "gRPC stays out"),
    ("beast_in_header", {"common/http/a.h": "#include <boost/beast/http.hpp>\n"}, "Beast stays out"),
    ("rocksdb_in_header", {"common/store/a.h": "#include <rocksdb/db.h>\n"}, "RocksDB stays out"),
    ("openssl_in_header", {"common/net/a.h": "#include <openssl/ssl.h>\n"}, "OpenSSL stays out"),
    ("prometheus_in_header", {"common/observe/a.h": "#include <prometheus/registry.h>\n"}, "prometheus-cpp stays out"),
    ("records_below_record", {"common/mail/a.h": '#include "godwit/v1/message.pb.h"\n'}, "generated records"),
    ("asio_elsewhere", {"common/net/a.cc": "#include <boost/asio/ip/tcp.hpp>\n"}, "only through common/async/asio.h"),
    ("socket_in_pure", {"common/smtp/a.cc": "#include <sys/socket.h>\n"}, "is pure"),
    ("relative_include", {"common/smtp/a.cc": '#include "b.h"\n', "common/smtp/b.h": ""}, "start at the root"),
    ("fake_in_product", {"common/net/a.cc": '#include "common/log/fake_b.h"\n', "common/log/fake_b.h": ""}, "above it"),
    ("fake_below", {"sender/a.cc": '#include "common/net/fake_b.h"\n', "common/net/fake_b.h": ""}, "for tests"),
    ("impl_in_header", {"common/net/a.h": '#include "common/net/b_impl.h"\n', "common/net/b_impl.h": ""}, "own module"),
    ("impl_of_another", {"common/http/a.cc": '#include "common/net/b_impl.h"\n', "common/net/b_impl.h": ""},
     "own module"),
    ("vague_name", {"common/net/net_utils.h": ""}, "main noun"),
    ("unknown_module", {"common/kitchen/sink.h": ""}, "is in no layer"),
]


@pytest.mark.parametrize(("files", "expected"), [v[1:] for v in VIOLATIONS], ids=[v[0] for v in VIOLATIONS])
def test_sees_violation(tmp_path: Path, files: dict[str, str], expected: str) -> None:
    root = tree(tmp_path, files)
    problems = [p for file in include_graph.sources(root) for p in include_graph.check_file(root, file)]
    assert len(problems) == 1, problems
    assert expected in problems[0]


def test_sees_missing_pragma_once(tmp_path: Path) -> None:
    path = tmp_path / "common/base/a.h"
    path.parent.mkdir(parents=True)
    path.write_text("int f();\n")
    assert include_graph.check_file(tmp_path, "common/base/a.h") == [
        "common/base/a.h: a header starts with #pragma once"
    ]


def test_sees_circle(tmp_path: Path) -> None:
    root = tree(tmp_path, {
        "common/smtp/a.h": '#include "common/mail/b.h"\n',
        "common/mail/b.h": '#include "common/text/c.h"\n',
        "common/text/c.h": '#include "common/smtp/a.h"\n',
    })
    circle = include_graph.find_circle(include_graph.module_graph(root))
    assert circle == ["mail", "text", "smtp", "mail"]


def test_accepts_what_is_allowed(tmp_path: Path) -> None:
    root = tree(tmp_path, {
        "common/base/a.h": "#include <unistd.h>\n",
        "common/async/asio.h": "#include <boost/asio.hpp>\n",
        "common/net/a.h": '#include "common/base/a.h"\n#include "common/async/asio.h"\n',
        "common/net/a.cc": '#include "common/net/a.h"\n#include "common/net/a_impl.h"\n',
        "common/net/a_impl.h": "#include <openssl/ssl.h>\n",
        "common/net/a_test.cc": '#include "common/net/fake_b.h"\n',
        "common/net/fake_b.h": "",
        "common/record/r.h": '#include "godwit/v1/message.pb.h"\n',
        "sender/role.h": '#include "common/net/a.h"\n',
        "cli/main.cc": '#include "sender/role.h"\n',
    })
    problems = [p for file in include_graph.sources(root) for p in include_graph.check_file(root, file)]
    assert problems == []
    assert include_graph.find_circle(include_graph.module_graph(root)) is None


COMPLETE_INCLUDES = [
    ("own_header", {"common/smtp/a.cc": '#include "common/smtp/a.h"\nstd::string f();\n', "common/smtp/a.h": "#include <string>\n"}),
    ("in_a_comment", {"common/smtp/a.cc": "// std::string\n/* std::map\n */\n"}),
    ("in_a_literal", {"common/smtp/a.cc": "auto a = \"std::string\";\nauto b = '\"';\nauto c = R\"(fmt::x)\";\n"}),
]
MISSING_INCLUDES = [
    ("standard", {"common/smtp/a.cc": "\n\nstd::string f();\n"}, "common/smtp/a.cc:3: std::string needs <string>"),
    ("in_a_header", {"common/smtp/a.h": "std::optional<int> f();\n"}, "a.h:2: std::optional needs <optional>"),
    ("through_a_header_of_others", {"common/smtp/a.cc": "#include <map>\nstd::string f();\n"}, "needs <string>"),
    ("fmt", {"common/smtp/a.cc": 'auto a = fmt::format("x");\n'}, "needs <fmt/format.h>"),
    ("asio", {"common/net/a.cc": "asio::io_context a;\n"}, 'needs "common/async/asio.h"'),
    ("gtest", {"common/smtp/a_test.cc": "TEST(A, B) {}\n"}, "needs <gtest/gtest.h>"),
    ("gmock", {"common/smtp/a_test.cc": "#include <gtest/gtest.h>\n  EXPECT_THAT(1, 2);\n"}, "needs <gmock/gmock.h>"),
    ("protobuf", {"common/record/a.cc": "google::protobuf::Message* a;\n"}, "needs <google/protobuf/...>"),
]


@pytest.mark.parametrize(("files", "expected"), [v[1:] for v in MISSING_INCLUDES], ids=[v[0] for v in MISSING_INCLUDES])
def test_sees_missing_include(tmp_path: Path, files: dict[str, str], expected: str) -> None:
    root = tree(tmp_path, files)
    uses = [str(use) for file in files for use in used_headers.missing(root, file)]
    assert len(uses) == 1, uses
    assert expected in uses[0]


@pytest.mark.parametrize("files", [v[1] for v in COMPLETE_INCLUDES], ids=[v[0] for v in COMPLETE_INCLUDES])
def test_accepts_includes(tmp_path: Path, files: dict[str, str]) -> None:
    root = tree(tmp_path, files)
    assert [str(use) for file in files for use in used_headers.missing(root, file)] == []


def test_knows_the_precompiled_headers() -> None:
    """Whoever precompiles another header says here what it declares, or it could be used without being included."""
    precompiled = (ROOT / "cmake/precompiled.cmake").read_text()
    standard = set(re.findall(r"<(\w+)>", precompiled))
    assert standard == set(used_headers.STANDARD)


def modules() -> list[str]:
    found = {include_graph.module_of(file) for file in include_graph.sources(ROOT)}
    return sorted(m for m in found if m)


@pytest.mark.parametrize("module", modules())
def test_module_keeps_to_its_layer(module: str) -> None:
    files = [f for f in include_graph.sources(ROOT) if include_graph.module_of(f) == module]
    problems = [p for file in files for p in include_graph.check_file(ROOT, file)]
    assert not problems, "\n" + "\n".join(problems)


def test_files_include_what_they_use() -> None:
    durability = [p.relative_to(ROOT).as_posix() for p in (ROOT / "tests/durability").glob("*.[hc]*")]
    uses = [str(use) for file in include_graph.sources(ROOT) + durability for use in used_headers.missing(ROOT, file)]
    assert not uses, "\n" + "\n".join(uses)


def test_modules_form_no_circle() -> None:
    circle = include_graph.find_circle(include_graph.module_graph(ROOT))
    assert circle is None, " -> ".join(circle or [])
