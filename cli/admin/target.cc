#include "cli/admin/target.h"

#include <fmt/format.h>

#include <cstdlib>
#include <system_error>
#include <utility>

#include "cli/admin/address_file.h"
#include "cli/config.h"
#include "common/admin/errc.h"
#include "common/admin/log_records.h"
#include "common/log/embedded.h"
#include "common/log/errc.h"
#include "common/net/address.h"

namespace godwit::cli::admin {

std::string token_of_environment() {
  const char* const token = std::getenv(kTokenVariable);
  return token == nullptr ? "" : token;
}

Target target_of(const Config& config) {
  std::string token = token_of_environment();
  return {.admin_address = config.admin.listen.to_text(),
          .token = token.empty() ? config.admin.client_token() : std::move(token),
          .tls = config.admin.client_tls(),
          .data_dir = config.data_dir,
          .embedded = config.log.kind == LogKind::kEmbedded,
          .partitions = config.log.embedded.partitions};
}

Result<std::string> address_of(const Target& target) {
  auto address = net::Address::from_text(target.admin_address);
  if (!address) return target.admin_address;  // a host name: the client finds it
  if (address->port == 0) {
    if (target.data_dir.empty()) {
      return fail(operate::Errc::kUnreachable, "admin.listen has port 0, and no data_dir is known");
    }
    auto written = read_address_file(target.data_dir);
    if (!written) {
      return fail(operate::Errc::kUnreachable,
                  fmt::format("admin.listen has port 0, and no process has written {}",
                              address_file(target.data_dir).string()));
    }
    address = net::Address::from_text(*written);
    if (!address) {
      return fail(operate::Errc::kUnreachable,
                  address_file(target.data_dir).string() + " is not an address");
    }
  }
  if (address->ip.scope() == net::Scope::kUnspecified) {
    address->ip = net::IpAddress::loopback(address->ip.family());
  }
  return address->to_text();
}

Result<operate::Client> connect(const Target& target) {
  TRY(auto address, address_of(target));
  return operate::Client({.address = std::move(address), .token = target.token, .tls = target.tls});
}

Result<LogAccess> LogAccess::open(const Target& target) {
  LogAccess access;
  if (target.embedded && !target.data_dir.empty()) {
    log::EmbeddedConfig config;
    config.directory = target.data_dir;
    config.partitions = target.partitions;
    auto log = log::open_embedded_read_only(config);
    if (log) {
      access.log_ = *std::move(log);
      access.records_ = std::make_unique<operate::LogRecords>(*access.log_, /*live=*/false);
      return access;
    }
    // Held by a process: that one can be asked. Anything else is the answer.
    if (log.error().code != log::Errc::kUnavailable) return fail(std::move(log).error());
  }
  auto client = connect(target);
  if (client) {
    // Asked once here, so that "nothing answers" is said before a command begins.
    if (auto info = client->info(); !info) client = fail(std::move(info).error());
  }
  if (!client) {
    Error error = std::move(client).error();
    if (target.embedded && error.code == operate::Errc::kUnreachable) {
      error = std::move(error).within(
          fmt::format("a process holds {}, but cannot be asked", target.data_dir.string()));
    }
    return fail(std::move(error));
  }
  access.client_ = std::make_unique<operate::Client>(*std::move(client));
  return access;
}

Result<void> LogAccess::events(const accounting::EventQuery& query,
                               const accounting::VisitEvent& visit) {
  if (client_) return client_->events(query, visit);
  return records_->events(query, visit, [] { return false; });
}

Result<audit::Report> LogAccess::audit(std::uint32_t exceptions_max,
                                       const operate::Client::Progress& progress) {
  if (client_) return client_->audit(exceptions_max, progress);
  audit::AuditOptions options;
  options.limits.exceptions_max = exceptions_max;
  options.progress = [&](std::string_view stage, std::uint64_t records) {
    if (progress) progress(stage, records);
    return true;
  };
  return records_->audit(options);
}

Result<accounting::DeadList> LogAccess::dead(std::uint32_t rows_max) {
  if (client_) return client_->dead(rows_max);
  return records_->dead(rows_max);
}

}  // namespace godwit::cli::admin
