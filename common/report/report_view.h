#pragma once

#include <string>
#include <string_view>

#include "common/report/report.h"

namespace godwit::report {

// `godwit classify --json`: one object on one line without the line end, the contract of
// docs/bounces.md. Always valid UTF-8.
[[nodiscard]] std::string report_json(const Report& report, std::string_view file);

}  // namespace godwit::report
