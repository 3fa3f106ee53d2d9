#pragma once

#include <string>

#include "cli/bench/sink.h"
#include "cli/bench/source.h"

// How results are shown: a table for people, one JSON object for programs (docs/bench-tools.md).
namespace godwit::cli::bench {

[[nodiscard]] std::string to_table(const SourceReport& report);
[[nodiscard]] std::string to_json(const SourceReport& report);
[[nodiscard]] std::string to_table(const SinkCounters& counters);
[[nodiscard]] std::string to_json(const SinkCounters& counters);
// The line that says a sink serves: {"listening": "127.0.0.1:2530", "port": 2530, "tls": "none"}.
[[nodiscard]] std::string listening_json(const net::Address& address, TlsMode tls);

}  // namespace godwit::cli::bench
