#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/smtp/client_session.h"
#include "common/smtp/client_transaction.h"

namespace godwit::smtp {

// What is behind a ClientSession. Replies come in by next() and find the command they answer
// (client_session.cc): one of the greeting, up to a session that may send mail
// (client_greeting.cc), or one of a transaction (client_mail.cc).
struct ClientSession::State {
  using Outcome = RecipientOutcome::Kind;

  enum class Phase : std::uint8_t {
    kBanner,
    kEhlo,
    kHelo,
    kStartTls,
    kHandshake,
    kAuth,
    kReady,
    kQuit,
    kClosed
  };

  // A reply that is waited for.
  struct Expected {
    ClientStage stage = ClientStage::kBanner;
    std::uint64_t serial = 0;  // of the transaction
    std::size_t recipient = 0;
    std::uint64_t position = 0;  // the output's position behind the command
  };

  explicit State(ClientConfig given);
  ~State();
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  ClientConfig config;
  Phase phase = Phase::kBanner;
  bool tls;
  bool greeted = false;
  bool quit_asked = false;
  int login_responses = 0;    // of AUTH LOGIN: user name, password
  bool reset_needed = false;  // MAIL was accepted and its transaction did not end by a dot
  PeerFeatures peer;
  std::optional<SessionFailure> failure;

  std::string text;  // commands behind `output`
  Rope output;
  std::uint64_t queued = 0;  // octets ever put into the output
  std::uint64_t taken = 0;   // octets ever given out
  std::deque<Expected> expected;
  std::vector<RunningTransaction> running;  // at most two, which it has room for from the start
  std::deque<TransactionOutcome> outcomes;
  std::uint64_t serials = 0;

  // Input.
  ClientAction next(std::string_view input);
  std::size_t read_replies(std::string_view input);
  void on_reply(const Reply& reply, bool input_left);
  [[nodiscard]] ClientStage stage() const;
  [[nodiscard]] bool pipelining() const { return config.pipelining && peer.pipelining; }

  // Output.
  void send(std::string_view line);
  void send_command(std::string_view line, ClientStage stage, std::uint64_t serial = 0,
                    std::size_t recipient = 0);
  void flush_text();
  [[nodiscard]] Rope take_output();

  // The end.
  void send_quit();
  // The session ends here. What was under way gets its outcome: unknown once the final dot went
  // out.
  void fail(ClientStage stage, const Reply& reply);
  // The same for a refusal in the greeting; a reply that is none is an unexpected one.
  void fail_greeting(ClientStage stage, const Reply& reply);
  [[nodiscard]] static Reply unexpected(ClientStage stage, const Reply& reply);

  // The greeting.
  void send_ehlo();
  void on_banner(const Reply& reply);
  void on_hello(const Reply& reply);
  void after_hello();
  void on_starttls(const Reply& reply, bool input_left);
  void authenticate();
  void on_auth(const Reply& reply);
  void ready();

  // Transactions.
  [[nodiscard]] bool can_begin() const;
  void begin(ClientTransaction transaction);
  void give_out(RunningTransaction run);
  void send_mail(const RunningTransaction& run);
  bool send_rcpt(RunningTransaction& run);
  void send_data(const RunningTransaction& run);
  void send_content(RunningTransaction& run);
  void send_dot(RunningTransaction& run);
  void on_transaction_reply(const Expected& waited, const Reply& reply);
  void on_mail(RunningTransaction& run, const Reply& reply);
  void on_rcpt(RunningTransaction& run, std::size_t recipient, const Reply& reply);
  void on_data(RunningTransaction& run, const Reply& reply);
  void on_dot(RunningTransaction& run, const Reply& reply);
  void finish_front();
};

}  // namespace godwit::smtp
