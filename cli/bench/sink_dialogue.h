#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/bench/script.h"
#include "common/base/random.h"

namespace godwit::cli::bench {

// Finds the end of a message's content, "CRLF . CRLF", in what comes, in pieces of any size.
class DotScanner {
 public:
  // How much of `octets` belongs to the content and its end; found() tells whether the end was in it.
  [[nodiscard]] std::size_t scan(std::string_view octets);
  [[nodiscard]] bool found() const { return matched_ == kEnd.size(); }
  // The beginning counts as the beginning of a line.
  void reset() { matched_ = 2; }
  static constexpr std::string_view kEnd = "\r\n.\r\n";

 private:
  std::size_t matched_ = 2;
};

// A message whose content came to its end.
struct Taken {
  std::string sender;
  std::vector<std::string> recipients;
  std::string
      message_id;  // the header field's value; empty: none in the first 16 KiB, or not looked for
  std::uint64_t bytes = 0;  // of content, as it came (dots doubled), without the final dot
  std::string reply;        // what was said; empty: the connection was dropped instead
};

// The sink's half of an SMTP dialogue: octets in, octets out, without a socket.
//
// A light server on purpose: it takes what real ones take and a little more, and it is what load is measured
// against. Not the product's (common/smtp), so that the product is not tested against its own other half.
// Limits   kLineMax for a line, kRecipientsMax for a message; beyond them the usual 5xx and 4xx.
// Threads  belongs to one session.
class SinkDialogue {
 public:
  static constexpr std::size_t kLineMax = 4096;
  static constexpr std::size_t kRecipientsMax = 50'000;
  static constexpr std::size_t kHeadMax = 16 * 1024;

  struct Settings {
    std::string hostname;
    bool offers_starttls = false;
    bool wants_message_id = false;
  };

  SinkDialogue(Script& script, const Settings& settings, Random& random);

  // What the session has to do before it calls next() again.
  struct Step {
    enum class Kind : std::uint8_t {
      kRead,   // needs more input
      kDelay,  // write what is in `out`, wait `delay`
      kTaken,  // a message: taken() has it until next(); `out` has its reply; then as kDrop if `drop` is set
      kStartTls,  // write what is in `out`, then the handshake; input must be empty
      kDrop,      // write what is in `out`, then end the connection as `drop` says
    };
    Kind kind = Kind::kRead;
    Duration delay{0};
    Drop drop = Drop::kNo;
    bool scripted = false;  // the drop is the script's, not the peer's wish
  };

  // Goes on with `input`, of which `used` is set to what is done with; adds to `out` what is to be written.
  [[nodiscard]] Step next(std::string_view input, std::size_t& used, std::string& out);
  void tls_started();
  [[nodiscard]] const Taken& taken() const { return message_; }
  [[nodiscard]] std::uint64_t recipients_refused() const { return recipients_refused_; }

 private:
  enum class Mode : std::uint8_t {
    kConnect,
    kBanner,
    kCommand,
    kContent,
    kChunk,
    kAuthReply,
    kDone
  };

  [[nodiscard]] Step on_line(std::string_view line, std::size_t length, std::size_t& used,
                             std::string& out);
  [[nodiscard]] std::optional<Step> on_content(std::string_view input, std::size_t& used,
                                               std::string& out);
  [[nodiscard]] std::optional<Step> on_chunk(std::string_view input, std::size_t& used,
                                             std::string& out);
  // What the script says about `stage`; nothing: it says to wait first, return `waits_`.
  [[nodiscard]] std::optional<Verdict> verdict(Stage stage,
                                               std::span<const std::string> recipients = {});
  // Says `usual` or what the verdict says instead. True when it was a 2xx or 3xx and the connection goes on.
  bool answer(const Verdict& verdict, std::string_view usual, std::string& out);
  [[nodiscard]] Step finish_message(std::string& out);
  [[nodiscard]] Step after_answer() const;
  void note_head(std::string_view octets);
  void reset_message();
  void say_hello(bool extended, std::string& out);
  void on_mail(std::string_view argument, const Verdict& said, std::string& out);

  Script& script_;
  const Settings& settings_;
  Random& random_;
  Mode mode_ = Mode::kConnect;
  bool in_tls_ = false;
  bool last_chunk_ = false;
  bool content_judged_ = false;
  std::uint64_t chunk_left_ = 0;
  std::uint64_t drop_at_ = 0;  // content: when this much has come
  Drop drop_in_content_ = Drop::kNo;
  Drop dropping_ = Drop::kNo;
  unsigned auth_lines_ = 0;
  std::optional<Verdict> waited_;  // the wait is over, this applies
  Step waits_;
  bool has_sender_ = false;
  bool message_taken_ = false;
  Taken message_;
  std::string head_;
  bool head_done_ = false;
  DotScanner scanner_;
  std::uint64_t recipients_refused_ = 0;
};

}  // namespace godwit::cli::bench
