#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/smtp/command.h"
#include "common/smtp/data_scanner.h"
#include "common/smtp/server_session.h"

namespace godwit::smtp {

// How the content of a message comes in.
struct ContentTransfer {
  DataScanner scanner;
  bool by_bdat = false;  // in chunks
  bool chunk_last = false;
  std::uint64_t chunk_left = 0;
  std::uint64_t chunk_size = 0;
  std::optional<Reply> refusal;  // what comes is dropped, and answered with this
  std::uint64_t drained_bytes = 0;
};

// From MAIL to the reply behind its content; a chunk that comes without MAIL is one, too.
struct ServerTransaction {
  bool open = false;  // MAIL was accepted
  Envelope envelope;
  EnvelopeRecipient recipient;  // that is asked about
  ContentTransfer content;
};

// A login under way.
struct ServerLogin {
  ServerLogin() = default;
  ~ServerLogin() { wipe(credentials); }
  ServerLogin(const ServerLogin&) = delete;
  ServerLogin& operator=(const ServerLogin&) = delete;
  AuthExchange exchange;
  Credentials credentials;
};

// What is behind a ServerSession: octets come in by step() and go from line to command
// (server_session.cc), through the commands (server_commands.cc), to the content
// (server_content.cc). A session that waits for its next command has neither a transaction nor a
// login, and is small.
struct ServerSession::State {
  using Kind = ServerAction::Kind;
  using MaybeAction = std::optional<ServerAction>;  // nullopt: go on with the next step

  enum class Phase : std::uint8_t {
    kGreeting,
    kCommand,
    kSkipLine,
    kAuth,
    kData,
    kBdat,
    kTls,
    kClosing
  };
  enum class Wanted : std::uint8_t { kNothing, kMail, kRcpt, kData, kMessage, kAuth };

  State(const ServerConfig& given, bool encrypted)
      : config(&given), limits(&given.limits), tls(encrypted) {}

  const ServerConfig* config;
  const ServerLimits* limits;
  std::string output;
  std::string helo;
  std::string username;
  std::unique_ptr<ServerTransaction> current;
  std::unique_ptr<ServerLogin> login;

  Phase phase = Phase::kGreeting;
  Wanted wanted = Wanted::kNothing;
  bool tls;
  bool esmtp = false;
  bool abort_due = false;           // kAbort is to be given out
  bool nothing_may_follow = false;  // behind a refused DATA (RFC 2920 s3.1)

  std::uint64_t messages = 0;
  std::uint32_t errors = 0;  // since the last message
  std::uint32_t errors_total = 0;
  std::uint32_t unknown_commands = 0;
  std::uint32_t idle_commands = 0;
  std::uint32_t auth_failures = 0;
  std::uint32_t skipped_bytes = 0;  // of a line that was too long

  // Input. One step over `rest`; what it takes is added to `consumed`.
  MaybeAction step(std::string_view rest, std::size_t& consumed);
  [[nodiscard]] std::size_t line_bytes_max(std::string_view rest) const;
  MaybeAction step_line(std::string_view rest, std::size_t& consumed);
  MaybeAction step_skip(std::string_view rest, std::size_t& consumed);
  void answer(const ReplyView& reply);

  // Replies.
  void say(int code, EnhancedCode enhanced, std::string_view text);
  void say(const ReplyView& reply);
  void refuse(int code, EnhancedCode enhanced, std::string_view text);
  void refuse(const ReplyView& reply);
  void end_with(int code, EnhancedCode enhanced, std::string_view text);
  void refuse_octets(std::string_view what, int code);

  // The transaction.
  [[nodiscard]] ServerTransaction& transaction();  // begun where there is none
  [[nodiscard]] bool transaction_open() const { return current != nullptr && current->open; }
  [[nodiscard]] bool by_bdat() const { return current != nullptr && current->content.by_bdat; }
  [[nodiscard]] bool utf8() const;  // SMTPUTF8 was asked for
  void forget_transaction() { current.reset(); }
  void abort_transaction();

  // Commands.
  MaybeAction command_line(std::string_view line, std::string_view behind);
  void unknown_command();
  void leads_nowhere();
  void hello(std::string_view argument, bool extended);
  void reset(std::string_view argument);
  void verify(std::string_view argument);
  void quit(std::string_view argument);
  [[nodiscard]] bool auth_offered() const;
  [[nodiscard]] bool starttls_offered() const { return config->starttls && !tls; }
  [[nodiscard]] Extensions extensions() const;
  [[nodiscard]] std::optional<Reply> mail_barred() const;
  MaybeAction mail_from(std::string_view argument);
  MaybeAction rcpt_to(std::string_view argument);
  MaybeAction start_tls(std::string_view argument, std::string_view behind);
  MaybeAction auth(std::string_view argument);
  MaybeAction auth_line(std::string_view line);
  MaybeAction auth_step(const std::expected<AuthExchange::Step, Reply>& step);
  void answered_auth(const ReplyView& reply);

  // Content.
  [[nodiscard]] std::optional<Reply> content_barred() const;
  void begin_content(bool chunked);
  MaybeAction data(std::string_view argument);
  MaybeAction bdat(std::string_view argument);
  void refuse_chunk(Reply reply);
  void refuse_content(Reply reply);
  MaybeAction step_data(std::string_view rest, std::size_t& consumed);
  MaybeAction step_bdat(std::string_view rest, std::size_t& consumed);
  MaybeAction take_content(std::string_view rest, std::size_t length, std::size_t& consumed);
  MaybeAction end_content();
  void answered_data(const ReplyView& reply);
  void answered_message(const ReplyView& reply);
};

}  // namespace godwit::smtp
