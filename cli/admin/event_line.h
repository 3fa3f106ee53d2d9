#pragma once

#include <string>

namespace godwit::record {
struct Event;
}

namespace godwit::cli::admin {

// An event on one line, for the terminal; what peers said is made printable and bounded. With its line break:
//
//   2026-11-22 19:10:44.123  delivered   <message id>/0  ann@example.net  attempt 1 via mx.example.net (192.0.2.1:25)
//   TLSv1.3  250 2.0.0 Ok
[[nodiscard]] std::string event_line(const record::Event& event);

}  // namespace godwit::cli::admin
