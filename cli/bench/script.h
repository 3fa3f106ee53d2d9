#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/base/clock.h"
#include "common/base/random.h"
#include "common/base/result.h"
#include "common/config/fields.h"

// What a sink shall do when: the YAML file of `godwit bench sink --script` (docs/bench-tools.md).
namespace godwit::cli::bench {

// Where in the dialogue a rule applies.
enum class Stage : std::uint8_t {
  kConnect,  // accepted, nothing said yet
  kBanner,   // the 220
  kEhlo,     // EHLO or HELO
  kStartTls,
  kAuth,
  kMail,
  kRcpt,
  kData,     // DATA, and the first BDAT of a message
  kContent,  // while content comes
  kDot,      // all of the message is there, nothing answered yet
  kQuit,
};
inline constexpr std::size_t kStages = 11;

enum class Drop : std::uint8_t {
  kNo,
  kClose,  // in order; what was written before arrives
  kReset,  // RST: what is under way is lost
};

constexpr auto config_names(Stage) {
  return std::to_array<config::EnumName<Stage>>({{"connect", Stage::kConnect},
                                                 {"banner", Stage::kBanner},
                                                 {"ehlo", Stage::kEhlo},
                                                 {"starttls", Stage::kStartTls},
                                                 {"auth", Stage::kAuth},
                                                 {"mail", Stage::kMail},
                                                 {"rcpt", Stage::kRcpt},
                                                 {"data", Stage::kData},
                                                 {"content", Stage::kContent},
                                                 {"dot", Stage::kDot},
                                                 {"quit", Stage::kQuit}});
}
constexpr auto config_names(Drop) {
  return std::to_array<config::EnumName<Drop>>(
      {{"no", Drop::kNo}, {"close", Drop::kClose}, {"reset", Drop::kReset}});
}

// One rule: the stage, what must hold (all of it), and what is done then.
struct Rule {
  Stage stage = Stage::kRcpt;

  // Patterns with "*", any case; empty: any. From `mail` on there is a sender, from `rcpt` on a recipient: at
  // rcpt it is the one asked about, later any that was accepted.
  std::string sender;
  std::string recipient;
  std::string domain;  // of the recipient

  // Which of the occasions that match so far: counted per rule, over all connections.
  std::uint64_t skip = 0;   // not the first `skip`
  std::uint64_t first = 0;  // only the first `first` of the rest; 0: all
  std::uint64_t every = 1;  // of those every `every`th
  double probability = 1;
  // Only the first `greylist` times each recipient is seen by this rule; 0: does not matter.
  std::uint64_t greylist = 0;

  std::string reply;      // "451 4.7.1 Come again", lines separated by "\n"; empty: what is usual
  Drop drop = Drop::kNo;  // after the reply when there is one
  std::chrono::milliseconds delay{0};
  std::uint64_t after_bytes = 0;  // stage content: when this much has come
};
void describe(config::Fields& fields, Rule& rule);

// What the sink offers in its reply to EHLO.
struct Offers {
  bool pipelining = true;
  bool chunking = true;
  bool eight_bit = true;
  bool smtputf8 = true;
  bool dsn = true;
  bool enhanced_status_codes = true;
  bool helo_only = false;  // EHLO is answered 502
  std::uint64_t size = 0;  // SIZE; 0: not offered
  bool auth = true;        // PLAIN and LOGIN; any name and password will do
};
void describe(config::Fields& fields, Offers& offers);

// What happens, when a script is asked about it.
struct Occasion {
  Stage stage = Stage::kConnect;
  std::string_view sender{};
  std::span<const std::string> recipients{};
};

struct Verdict {
  Duration delay{0};
  std::string_view reply{};  // as in the rule; the script owns it
  Drop drop = Drop::kNo;
  std::uint64_t after_bytes = 0;

  [[nodiscard]] bool usual() const {
    return delay == Duration::zero() && reply.empty() && drop == Drop::kNo;
  }
};

// A script in use: rules and how often they applied.
//
// Order    rules are looked at from the first to the last; one that only delays adds its delay and the search
//          goes on; one that replies or drops ends it.
// Limits   recipients remembered for greylisting: kGreylistMax a rule; further ones are not greylisted.
// Threads  decide() from any.
class Script {
 public:
  static constexpr std::size_t kGreylistMax = 1'000'000;

  // `text` is the file's content, `name` what messages call it.
  // Errors: std::errc::invalid_argument, with every problem's place.
  [[nodiscard]] static Result<std::unique_ptr<Script>> parse(std::string_view text,
                                                             std::string_view name);
  // One rule in flow style, "{stage: rcpt, reply: 550 no}", behind those there are.
  [[nodiscard]] Result<void> add_rule(std::string_view text);

  Script() = default;
  [[nodiscard]] const Offers& offers() const { return offers_; }
  [[nodiscard]] Offers& offers() { return offers_; }
  [[nodiscard]] bool concerns(Stage stage) const {
    return !by_stage_[static_cast<std::size_t>(stage)].empty();
  }
  [[nodiscard]] Verdict decide(const Occasion& occasion, Random& random);

 private:
  struct Active {
    Rule rule;
    std::atomic<std::uint64_t> matched = 0;
    std::mutex mutex;
    std::unordered_map<std::string, std::uint64_t> seen;
  };
  void append(Rule rule);
  [[nodiscard]] static bool applies(Active& active, const Occasion& occasion, Random& random);

  Offers offers_;
  std::vector<std::unique_ptr<Active>> rules_;
  std::array<std::vector<Active*>, kStages> by_stage_;
};

// "*" stands for any run of characters; letters of any case are equal. Pure.
[[nodiscard]] bool matches_pattern(std::string_view pattern, std::string_view text);

}  // namespace godwit::cli::bench
