#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "common/admin/client.h"
#include "common/admin/sources.h"
#include "common/base/result.h"
#include "common/log/log.h"

namespace godwit::cli {
struct Config;
}

namespace godwit::cli::admin {

namespace operate = ::godwit::admin;  // this namespace has the folder's name

// Which process or data directory a command is about, from a configuration file or from options.
struct Target {
  std::string admin_address;  // port 0: see the address file in data_dir
  std::string token;
  operate::ClientTls tls{};
  std::filesystem::path data_dir;  // empty: only the process can be asked
  bool embedded = true;            // the log is in data_dir
  log::PartitionId partitions = 16;
};

// As a configuration file says it; the token of the environment (kTokenVariable) goes before that of the file.
[[nodiscard]] Target target_of(const Config& config);
// The same from the environment alone, for a process elsewhere.
inline constexpr const char* kTokenVariable = "GODWIT_ADMIN_TOKEN";
[[nodiscard]] std::string token_of_environment();

// Where the process answers: admin_address as a client reaches it, or what the address file says when its port is 0.
// Errors: operate::Errc::kUnreachable, with what to do.
[[nodiscard]] Result<std::string> address_of(const Target& target);

// A client of the process. Nothing is sent yet. Errors: those of address_of().
[[nodiscard]] Result<operate::Client> connect(const Target& target);

// What can be answered from the log, from wherever it can be had: the files of data_dir when no process holds them,
// else the process.
class LogAccess {
 public:
  // Errors: why neither is possible, with what to do.
  [[nodiscard]] static Result<LogAccess> open(const Target& target);

  [[nodiscard]] bool live() const { return client_ != nullptr; }
  [[nodiscard]] Result<void> events(const accounting::EventQuery& query,
                                    const accounting::VisitEvent& visit);
  [[nodiscard]] Result<audit::Report> audit(std::uint32_t exceptions_max,
                                            const operate::Client::Progress& progress);
  [[nodiscard]] Result<accounting::DeadList> dead(std::uint32_t rows_max);

 private:
  LogAccess() = default;
  std::unique_ptr<log::Log> log_;
  std::unique_ptr<operate::Records> records_;
  std::unique_ptr<operate::Client> client_;
};

}  // namespace godwit::cli::admin
