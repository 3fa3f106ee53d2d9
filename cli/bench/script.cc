#include "cli/bench/script.h"

#include <algorithm>
#include <cctype>

#include "common/config/read.h"

namespace godwit::cli::bench {
namespace {

using namespace std::chrono_literals;

char lower(char c) {
  return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
}

std::string lower_case(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(), lower);
  return result;
}

std::string_view domain_of(std::string_view address) {
  const std::size_t at = address.rfind('@');
  return at == std::string_view::npos ? std::string_view() : address.substr(at + 1);
}

std::optional<config::Wrong> check_reply(const std::string& reply) {
  if (reply.empty()) return std::nullopt;
  const auto digit = [&](std::size_t i) { return reply[i] >= '0' && reply[i] <= '9'; };
  const bool code = reply.size() >= 3 && reply[0] >= '2' && reply[0] <= '5' && digit(1) && digit(2);
  if (code && (reply.size() == 3 || reply[3] == ' ')) return std::nullopt;
  return config::Wrong{"`" + reply + "` is no reply",
                       "three digits and a text, as in 451 4.7.1 Come again"};
}

struct File {
  Offers offers;
  std::vector<Rule> rules;
};

void describe(config::Fields& fields, File& file) {
  fields.add("offers", file.offers, "What the reply to EHLO offers.");
  fields.add("rules", file.rules,
             "What is done when; the first rule that replies or drops ends the search.");
}

Error problems_of(const config::Outcome& outcome) {
  return {std::make_error_code(std::errc::invalid_argument), outcome.to_string()};
}

}  // namespace

void describe(config::Fields& fields, Rule& rule) {
  fields.add("stage", rule.stage, "Where in the dialogue.").require();
  fields.add("sender", rule.sender, "Pattern of the sender's address.");
  fields.add("recipient", rule.recipient, "Pattern of a recipient's address.");
  fields.add("domain", rule.domain, "Pattern of a recipient's domain.");
  fields.add("skip", rule.skip, "The first so many that match are left alone.").units("occasions");
  fields.add("first", rule.first, "Only the first so many of the rest; 0 is all.")
      .units("occasions");
  fields.add("every", rule.every, "Only every so many of those.")
      .range(1, 1'000'000'000)
      .units("occasions");
  fields.add("probability", rule.probability, "How many of those, by chance.").range(0.0, 1.0);
  fields
      .add("greylist", rule.greylist,
           "Only the first so many times each recipient is seen; 0 is always.")
      .units("occasions");
  fields.add("reply", rule.reply, "What is said instead of the usual.").check(check_reply);
  fields.add("drop", rule.drop, "How the connection ends, after the reply when there is one.");
  fields.add("delay", rule.delay, "How long it takes first.").range(0ms, 24h);
  fields.add("after_bytes", rule.after_bytes, "At the stage content: when so much has come.")
      .bytes();
  fields.rule("stage", [&rule]() -> std::optional<config::Wrong> {
    if (rule.reply.empty() && rule.drop == Drop::kNo && rule.delay == 0ms) {
      return config::Wrong{"the rule does nothing", "a reply, a drop or a delay"};
    }
    if (rule.stage == Stage::kContent && !rule.reply.empty()) {
      return config::Wrong{"nothing can be said while content comes",
                           "a drop or a delay, or the stage dot"};
    }
    const bool about_recipients =
        !rule.recipient.empty() || !rule.domain.empty() || rule.greylist != 0;
    if (about_recipients && (rule.stage < Stage::kRcpt || rule.stage == Stage::kQuit)) {
      return config::Wrong{"there is no recipient at this stage", "rcpt, data, content or dot"};
    }
    if (!rule.sender.empty() && (rule.stage < Stage::kMail || rule.stage == Stage::kQuit)) {
      return config::Wrong{"there is no sender at this stage", "mail, rcpt, data, content or dot"};
    }
    return std::nullopt;
  });
}

void describe(config::Fields& fields, Offers& offers) {
  fields.add("pipelining", offers.pipelining, "PIPELINING.");
  fields.add("chunking", offers.chunking, "CHUNKING, that is BDAT.");
  fields.add("eight_bit", offers.eight_bit, "8BITMIME.");
  fields.add("smtputf8", offers.smtputf8, "SMTPUTF8.");
  fields.add("dsn", offers.dsn, "DSN.");
  fields.add("enhanced_status_codes", offers.enhanced_status_codes, "ENHANCEDSTATUSCODES.");
  fields.add("helo_only", offers.helo_only, "EHLO is answered 502.");
  fields.add("size", offers.size, "SIZE; 0 does not offer it.").bytes();
  fields.add("auth", offers.auth, "AUTH PLAIN LOGIN; any name and password will do.");
}

Result<std::unique_ptr<Script>> Script::parse(std::string_view text, std::string_view name) {
  File file;
  const config::Outcome outcome = config::read_text(text, name, file);
  if (!outcome.ok()) return fail(problems_of(outcome));
  auto script = std::make_unique<Script>();
  script->offers_ = file.offers;
  for (Rule& rule : file.rules) script->append(std::move(rule));
  return script;
}

Result<void> Script::add_rule(std::string_view text) {
  Rule rule;
  const config::Outcome outcome = config::read_text(text, "--rule", rule);
  if (!outcome.ok()) return fail(problems_of(outcome));
  append(std::move(rule));
  return {};
}

void Script::append(Rule rule) {
  auto active = std::make_unique<Active>();
  active->rule = std::move(rule);
  by_stage_[static_cast<std::size_t>(active->rule.stage)].push_back(active.get());
  rules_.push_back(std::move(active));
}

Verdict Script::decide(const Occasion& occasion, Random& random) {
  Verdict verdict;
  for (Active* active : by_stage_[static_cast<std::size_t>(occasion.stage)]) {
    if (!applies(*active, occasion, random)) continue;
    const Rule& rule = active->rule;
    verdict.delay += rule.delay;
    verdict.after_bytes = rule.after_bytes;
    if (rule.reply.empty() && rule.drop == Drop::kNo) continue;
    verdict.reply = rule.reply;
    verdict.drop = rule.drop;
    break;
  }
  return verdict;
}

bool Script::applies(Active& active, const Occasion& occasion, Random& random) {
  const Rule& rule = active.rule;
  if (!rule.sender.empty() && !matches_pattern(rule.sender, occasion.sender)) return false;
  std::string_view recipient;
  if (!rule.recipient.empty() || !rule.domain.empty() || rule.greylist != 0) {
    const auto found = std::ranges::find_if(occasion.recipients, [&](const std::string& address) {
      return (rule.recipient.empty() || matches_pattern(rule.recipient, address)) &&
             (rule.domain.empty() || matches_pattern(rule.domain, domain_of(address)));
    });
    if (found == occasion.recipients.end()) return false;
    recipient = *found;
  }
  if (rule.greylist != 0) {
    const std::lock_guard lock(active.mutex);
    if (active.seen.size() >= kGreylistMax) return false;
    if (++active.seen[lower_case(recipient)] > rule.greylist) return false;
  }
  const std::uint64_t number = active.matched.fetch_add(1, std::memory_order_relaxed);
  if (number < rule.skip) return false;
  const std::uint64_t counted = number - rule.skip;
  if (rule.first != 0 && counted >= rule.first) return false;
  if ((counted + 1) % rule.every != 0) return false;
  return rule.probability >= 1 || random.unit() < rule.probability;
}

bool matches_pattern(std::string_view pattern, std::string_view text) {
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;  // the last "*" seen, and how far it reaches
  std::size_t reach = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      reach = t;
    } else if (p < pattern.size() && lower(pattern[p]) == lower(text[t])) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++reach;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace godwit::cli::bench
