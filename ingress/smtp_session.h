#pragma once

#include <optional>
#include <string>

#include "common/async/event.h"
#include "common/async/task.h"
#include "common/base/result.h"
#include "common/net/stream.h"
#include "common/smtp/server_session.h"
#include "ingress/input_buffer.h"
#include "ingress/intake.h"
#include "ingress/services.h"

namespace godwit::ingress {

// Serves one connection: carries out what smtp::ServerSession wants, decides on senders, recipients and logins, and
// hands messages to the log. 250 behind the content leaves only after the log's acknowledgement.
//
// Borrows    services, port and shard services, which outlive it
// Memory     idle for a second it holds no buffer; in a transaction one buffer and the content, which counts against
//            the byte budget
// Lifecycle  run() once; ends when the peer or the protocol does, when a drain finds it idle, or at a stop
// Threads    its shard
class SmtpSession {
 public:
  SmtpSession(const Services& services, const Port& port, ShardServices& shard, net::Stream stream);
  SmtpSession(const SmtpSession&) = delete;
  SmtpSession& operator=(const SmtpSession&) = delete;

  [[nodiscard]] async::Task<void> run();

 private:
  using Kind = smtp::ServerAction::Kind;

  // Connection. False: it is over.
  async::Task<bool> handshake();
  async::Task<bool> read();
  async::Task<bool> read_content();
  async::Task<bool> read_command();
  async::Task<bool> read_when_idle(Instant deadline);
  async::Task<bool> write_output();
  async::Task<void> close();
  async::Task<bool> start_tls();
  [[nodiscard]] bool read_ended(const Result<std::size_t>& count);

  // Drain.
  void drain_requested();
  async::Task<void> say_farewell();

  // Decisions.
  async::Task<void> authenticate();
  [[nodiscard]] std::optional<smtp::Reply> refuse_mail();
  [[nodiscard]] std::optional<smtp::Reply> refuse_recipient();
  [[nodiscard]] std::optional<smtp::Reply> refuse_content();
  [[nodiscard]] std::optional<smtp::Reply> refuse_header(std::optional<std::string_view> from,
                                                         std::uint32_t received) const;
  void choose_relay_tenant(std::optional<std::string_view> from);
  const InboundDomains& inbound_domains();

  // The message.
  void begin_content();
  void take_content(std::string_view content);
  void forget_message();
  async::Task<smtp::Reply> finish_message();
  [[nodiscard]] std::string fields_in_front(MessageId id, Timestamp time, bool date,
                                            bool message_id, bool header_missing) const;
  async::Task<Result<void>> store(const Intake& intake);
  async::Task<Result<log::Written>> append(std::vector<log::Append> records, Instant deadline);

  [[nodiscard]] Instant in(std::chrono::milliseconds time) const {
    return shard_.shard.now() + time;
  }
  [[nodiscard]] std::string tls_text() const;

  const Services& services_;
  const Port& port_;
  ShardServices& shard_;
  net::Stream stream_;
  const net::IpAddress client_;
  const bool trusted_;
  const std::string id_;  // in the logs and records
  smtp::ServerSession protocol_;
  InputBuffer input_;

  bool waiting_idle_ = false;
  bool draining_ = false;
  bool saying_farewell_ = false;          // say_farewell() has taken over
  async::Event ended_;                    // told when run() has no more use for the connection
  std::optional<async::Event> farewell_;  // set when say_farewell() was spawned; told when it ended

  Instant command_deadline_;
  Instant message_deadline_;
  control::SnapshotPtr control_;  // of the transaction
  TenantName tenant_;
  Rope content_;
  std::shared_ptr<Reservation> reservation_;
};

}  // namespace godwit::ingress
