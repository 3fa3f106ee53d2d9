#pragma once

#include <nlohmann/json.hpp>

#include "cli/admin/io.h"
#include "common/base/clock.h"
#include "common/base/result.h"

// How every `ctl` command answers. Internal to cli/admin.
namespace godwit::cli::admin {

using Json = nlohmann::ordered_json;

// "godwit ctl: ..." to `err`. Output: kCouldNotRun.
[[nodiscard]] int could_not(const Error& error, Io io);
// One line. Output: kDone.
[[nodiscard]] int say(const Json& json, Io io);
// Null for the epoch, which stands for no time.
[[nodiscard]] Json json_time(Timestamp time);

}  // namespace godwit::cli::admin
