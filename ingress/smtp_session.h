#pragma once

#include <cstdint>
#include <memory>
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

// Serves one connection: carries out what smtp::ServerSession wants, decides on senders, recipients
// and logins, and hands messages to the log. 250 behind the content leaves only after the log's
// acknowledgement.
//
// Borrows    services, port and shard services, which outlive it
// Memory     idle for a second it holds no buffer, no transaction and no coroutine but serve():
//            what ten thousand idle sessions take is counted here. In a transaction it holds one
//            buffer and the content, which counts against the byte budget
// Lifecycle  serve() is all of it; it ends when the peer or the protocol does, when a drain finds
//            the session idle, or at a stop
// Threads    its shard
class SmtpSession {
 public:
  [[nodiscard]] static async::Task<void> serve(const Services& services, const Port& port,
                                               ShardServices& shard, net::Stream stream);

 private:
  using Kind = smtp::ServerAction::Kind;

  SmtpSession(const Services& services, const Port& port, ShardServices& shard, net::Stream stream);
  SmtpSession(const SmtpSession&) = delete;
  SmtpSession& operator=(const SmtpSession&) = delete;

  // The parts of serve(). False: the connection is over.
  async::Task<bool> begin();
  async::Task<bool> work();  // until the client has been silent for a moment between two messages
  [[nodiscard]] bool woken(const Result<void>& ready);
  async::Task<void> end();

  // Connection. False: it is over.
  async::Task<bool> handshake();
  // How to read what comes next. nullopt: the protocol has something to say first.
  struct Reading {
    std::size_t capacity = 0;  // of a new buffer, where it takes one
    Instant deadline;
    bool idle = false;  // between two messages: at the deadline the buffer is given away
  };
  [[nodiscard]] std::optional<Reading> next_read();
  [[nodiscard]] std::uint64_t content_capacity() const;
  async::Task<Result<void>> write_output();
  void give_memory_away();
  async::Task<void> close();
  async::Task<bool> start_tls();
  [[nodiscard]] bool read_ended(const Result<std::size_t>& count);
  void close_for_silence();

  // Drain.
  void drain_requested();
  async::Task<void> say_farewell();

  // Decisions.
  async::Task<void> authenticate();
  void refuse(IngressMetrics::Command command, const smtp::Reply& reply);
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
  [[nodiscard]] std::optional<smtp::Reply> take_message(Intake& intake);
  [[nodiscard]] std::string fields_in_front(const Intake& intake, bool date, bool message_id,
                                            bool header_missing) const;
  async::Task<Result<void>> store(const Intake& intake);
  struct PendingAppend;
  [[nodiscard]] std::shared_ptr<PendingAppend> append(std::vector<log::Append> records);

  [[nodiscard]] Instant in(std::chrono::milliseconds time) const {
    return shard_.shard.now() + time;
  }
  [[nodiscard]] const net::IpAddress& client() const { return stream_.remote().ip; }
  [[nodiscard]] std::string tls_text() const;
  [[nodiscard]] std::string id() const;  // in the logs and records

  // From MAIL to the reply behind the content.
  struct Transaction {
    control::SnapshotPtr control;
    TenantName tenant{"default"};
    Rope content;
    std::shared_ptr<Reservation> reservation;
  };
  // Of a session that a drain found waiting.
  struct Farewell {
    async::Event ended;  // told when serve() has no more use for the connection
    async::Event said;   // told when say_farewell() ended
  };

  const Services& services_;
  const Port& port_;
  ShardServices& shard_;
  net::Stream stream_;
  const bool trusted_;
  bool waiting_idle_ = false;
  bool draining_ = false;
  bool saying_farewell_ = false;  // say_farewell() has taken over
  const std::uint64_t number_;
  smtp::ServerSession protocol_;
  InputBuffer input_;
  std::string written_;  // the output that is being written, or was: its memory is used again
  Instant command_deadline_;
  Instant message_deadline_;
  std::unique_ptr<Transaction> transaction_;
  std::unique_ptr<Farewell> farewell_;  // once say_farewell() was spawned

  SessionCounts::Pass pass_;
  std::optional<async::StopSignal::Callback> on_stop_;
  std::optional<async::StopSignal::Callback> on_drain_;
};

}  // namespace godwit::ingress
