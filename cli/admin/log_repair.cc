#include "cli/admin/log_repair.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <ostream>

#include "common/log/repair.h"
#include "common/record/records.h"

namespace godwit::cli::admin {
namespace {

using Json = nlohmann::ordered_json;

std::string dead_record(const log::Unreadable& where, std::string_view octets, Timestamp now) {
  record::Dead dead;
  dead.head.set_version(record::kVersion);
  dead.head.set_time_unix_ms(to_unix_ms(now));
  dead.head.set_cause(fmt::format("{} {}: {}", where.file, to_string(where.from), where.cause));
  dead.head.set_role("log repair");
  dead.value = Rope(Bytes::copy_of(octets));
  return record::encode(dead).to_string();
}

std::string report(const std::vector<log::Unreadable>& found) {
  if (found.empty()) return "the log is sound: nothing to repair\n";
  std::string out;
  for (const log::Unreadable& where : found) {
    out += fmt::format("{} {}: {} octets moved to dead: {}\n", where.file, to_string(where.from),
                       where.bytes, where.cause);
  }
  return out + "`godwit ctl dead` lists them, `godwit audit` says whose mail is missing\n";
}

Json json_report(const std::vector<log::Unreadable>& found) {
  Json moved = Json::array();
  for (const log::Unreadable& where : found) {
    moved.push_back({{"file", where.file},
                     {"position", to_string(where.from)},
                     {"octets", where.bytes},
                     {"cause", where.cause}});
  }
  return {{"sound", found.empty()}, {"moved", std::move(moved)}};
}

}  // namespace

int log_repair(bool json, const Target& target, const Clock& clock, Io io) {
  if (!target.embedded) {
    io.err << "godwit ctl log repair: the log is not embedded; Kafka has tools of its own\n";
    return kCouldNotRun;
  }
  log::EmbeddedConfig config;
  config.directory = target.data_dir;
  config.partitions = target.partitions;
  const auto found =
      log::repair(config, [&](const log::Unreadable& where, std::string_view octets) {
        return dead_record(where, octets, clock.now());
      });
  if (!found) {
    io.err << "godwit ctl log repair: " << found.error().to_string() << '\n';
    return kCouldNotRun;
  }
  if (json) {
    io.out << json_report(*found).dump(-1, ' ', false, Json::error_handler_t::replace) << '\n';
  } else {
    io.out << report(*found);
  }
  return kDone;
}

}  // namespace godwit::cli::admin
