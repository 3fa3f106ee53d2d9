#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/bench/ledger.h"
#include "cli/bench/source.h"
#include "common/async/gate.h"
#include "common/async/shard.h"
#include "common/async/sleep.h"
#include "common/async/stop_signal.h"
#include "common/async/task.h"
#include "common/net/stream.h"
#include "common/net/tls.h"

// Behind Source: what it sends and counts is source.cc, how it speaks source_dialogue.cc.
namespace godwit::cli::bench {

// A reply as it stands in the connection's buffer: valid until the next is read.
struct Reply {
  int code = 0;
  std::string_view text;  // with its code, lines separated by CRLF, without the last CRLF
  [[nodiscard]] bool positive() const { return code / 100 == 2; }
};

// One connection and what was read from it.
struct Link {
  net::Stream stream;
  std::array<char, 8192> buffer;
  std::size_t begin = 0;
  std::size_t end = 0;
  bool pipelining = false;
};

// One message, from its number.
struct Message {
  std::uint64_t number = 0;
  std::vector<std::size_t> refused;  // recipients, by index
  std::size_t recipients_accepted = 0;
  Instant begun{};
};

// What a reply to a whole message, or its end, came to.
enum class Fate : std::uint8_t { kAccepted, kRefused, kUnknown, kCut };

struct alignas(64) ShardState {
  SourceReport report;
  async::StopSignal stop;  // no new messages
  async::StopSignal hard;  // nothing at all
  async::Sleeper grace;
  Instant last_reply{};
  Instant last_success{};
};

// A reply's lines on one line.
[[nodiscard]] std::string joined(std::string_view reply);

struct Source::Impl {
  explicit Impl(SourceOptions source_options);

  // --- what to send ---
  enum class Claim : std::uint8_t { kTaken, kNotYet, kNone };
  // The next message's number; with a rate only when it is due, else `due` says when.
  Claim claim(Instant now, std::uint64_t& number, Instant& due);
  async::Task<std::optional<Message>> next_message(async::Sleeper& sleeper);
  [[nodiscard]] std::string id_of(const Message& message) const;
  [[nodiscard]] std::string sender_of(const Message& message) const;
  [[nodiscard]] std::string recipient_of(const Message& message, std::size_t index) const;
  void append_mail(std::string& out, const Message& message) const;
  void append_rcpt(std::string& out, const Message& message, std::size_t index) const;
  void append_envelope(std::string& out, const Message& message) const;
  [[nodiscard]] std::string header_of(const Message& message) const;
  [[nodiscard]] std::string_view body_behind(std::size_t header_bytes) const;

  // --- the dialogue ---
  async::Task<void> work(async::Shard& shard);
  async::Task<Result<void>> greet(Link& link);
  async::Task<Result<std::string>> hello(Link& link);
  async::Task<Result<void>> authenticate(Link& link);
  async::Task<void> send_messages(Link& link, ShardState& state, async::Sleeper& sleeper);
  // The envelope's replies; the stage that refused, empty when the content may go.
  async::Task<Result<std::string>> envelope(Link& link, ShardState& state, Message& message,
                                            bool sent);
  async::Task<Result<std::string>> envelope_in_steps(Link& link, ShardState& state,
                                                     Message& message);
  async::Task<Result<std::string>> envelope_at_once(Link& link, ShardState& state, Message& message,
                                                    bool sent);
  async::Task<Result<Reply>> command(Link& link, std::string_view line);
  async::Task<Result<Reply>> read_reply(Link& link);
  [[nodiscard]] Instant reply_deadline() const {
    return async::Shard::current().now() + options.reply_timeout;
  }

  // --- what came of it ---
  void conclude(ShardState& state, const Message& message, Fate fate, std::string_view reply);
  void refuse(ShardState& state, std::string_view stage, std::string_view reply);
  void write_ledger(const Message& message, Fate fate, std::string_view reply);
  async::Task<void> watch_end(ShardState& state);
  async::Task<void> flush_ledger(ShardState& state, async::Sleeper& sleeper);
  async::Task<void> enforce_stop(ShardState& state);

  SourceOptions options;
  const std::string run_id;
  const std::string body;
  std::unique_ptr<Ledger> ledger;
  std::shared_ptr<net::TlsClientContext> tls;
  Instant started{};
  std::atomic<std::uint64_t> next_number = 0;
  std::atomic<bool> stopping = false;
  async::Gate workers;
  async::Gate watchers;
  async::Sleeper end_sleeper;    // of shard 0
  async::Sleeper flush_sleeper;  // of shard 0
  async::Shards shards;
  std::vector<ShardState> states;
};

}  // namespace godwit::cli::bench
