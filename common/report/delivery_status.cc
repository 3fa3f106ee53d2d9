#include "common/report/delivery_status.h"

#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <utility>

#include "common/text/idna.h"

namespace godwit::report {
namespace {

constexpr std::string_view kSpace = " \t\r\n";
constexpr std::size_t kQuotedBytesMax = 8192;

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) + 1 - begin);
}

constexpr std::array<std::pair<Action, std::string_view>, 5> kActions{
    {{Action::kFailed, "failed"},
     {Action::kDelayed, "delayed"},
     {Action::kDelivered, "delivered"},
     {Action::kRelayed, "relayed"},
     {Action::kExpanded, "expanded"}}};

bool is_field_name(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](char c) { return c > ' ' && c < 127; });
}

bool names_a_recipient(const StatusFields& fields) {
  return !value_of(fields, "Final-Recipient").empty() ||
         !value_of(fields, "Original-Recipient").empty() || !value_of(fields, "Action").empty();
}

// Puts a finished block where it belongs.
void add_block(DeliveryStatus& status, StatusFields& block) {
  StatusFields fields = std::exchange(block, {});
  if (fields.empty()) return;
  const auto join = [](StatusFields& to, StatusFields&& from) {
    for (StatusField& field : from) {
      if (to.size() < kStatusFieldsMax) to.push_back(std::move(field));
    }
  };
  const bool recipient = names_a_recipient(fields);
  if (!recipient) {
    return join(status.recipients.empty() ? status.message : status.recipients.back(),
                std::move(fields));
  }
  // A recipient in two blocks: the first one has its name, the second one what became of it.
  if (!status.recipients.empty() && value_of(fields, "Final-Recipient").empty() &&
      value_of(status.recipients.back(), "Action").empty()) {
    return join(status.recipients.back(), std::move(fields));
  }
  if (status.recipients.size() < kStatusRecipientsMax)
    status.recipients.push_back(std::move(fields));
}

}  // namespace

std::string_view action_name(Action action) {
  const auto found =
      std::ranges::find(kActions, action, &std::pair<Action, std::string_view>::first);
  return found == kActions.end() ? std::string_view{} : found->second;
}

Action action_of(std::string_view text) {
  std::string_view word = trimmed(text);
  word = word.substr(0, word.find_first_of(" \t(;"));
  const auto found = std::ranges::find_if(
      kActions, [&](const auto& one) { return text::equals_ignoring_case(one.second, word); });
  return found == kActions.end() ? Action::kUnset : found->first;
}

std::string_view value_of(const StatusFields& fields, std::string_view name) {
  const auto found = std::ranges::find_if(fields, [&](const StatusField& field) {
    return text::equals_ignoring_case(field.name, name);
  });
  return found == fields.end() ? std::string_view{} : std::string_view(found->value);
}

DeliveryStatus parse_delivery_status(std::string_view body) {
  DeliveryStatus status;
  StatusFields block;
  while (!body.empty()) {
    const std::size_t end = std::min(body.find('\n'), body.size());
    std::string_view line = body.substr(0, end);
    body.remove_prefix(std::min(end + 1, body.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (trimmed(line).empty()) {
      add_block(status, block);
      continue;
    }
    if (line.front() == ' ' || line.front() == '\t') {  // a fold
      if (block.empty()) continue;
      std::string& value = block.back().value;
      const std::string_view more = trimmed(line);
      if (value.size() + 1 + more.size() <= kStatusValueBytesMax) {
        if (!value.empty()) value += ' ';
        value += more;
      }
      continue;
    }
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    const std::string_view name = trimmed(line.substr(0, colon));
    if (!is_field_name(name) || block.size() >= kStatusFieldsMax) continue;
    // Reporters that leave out the empty line between recipients.
    if (text::equals_ignoring_case(name, "Final-Recipient") && !value_of(block, name).empty())
      add_block(status, block);
    block.push_back({std::string(name),
                     std::string(trimmed(line.substr(colon + 1)).substr(0, kStatusValueBytesMax))});
  }
  add_block(status, block);
  return status;
}

TypedText typed_text(std::string_view value) {
  TypedText out;
  const std::size_t semicolon = value.find(';');
  if (semicolon != std::string_view::npos) {
    out.type = text::to_lower(trimmed(value.substr(0, semicolon)));
    value.remove_prefix(semicolon + 1);
  }
  value = trimmed(value);
  if (value.size() >= 2 && value.front() == '<' && value.back() == '>')
    value = trimmed(value.substr(1, value.size() - 2));
  out.text = std::string(value);
  return out;
}

QuotedReply quoted_reply(std::string_view text) {
  // "550 5.1.1", "550-5.1.1", "550 #5.1.1", "554 554 5.7.1"
  static const RE2 kBoth(
      R"((?:^|[^0-9.])([45][0-9][0-9])[ -]+#?([245]\.[0-9]\.[0-9]{1,3})(?:[^0-9.]|\.[^0-9]|\.?$))");
  // "(#5.1.1)", "5.1.1 no such user": no part of an address or a version.
  static const RE2 kEnhanced(
      R"((?:^|[ (\[#<;:'"=-])([245]\.[0-9]\.[0-9]{1,3})(?:[ )\];:,>'"\r\n-]|\.[^0-9]|\.?$))");
  // "550 no such user", "said: 550-Verification failed"; no number within a longer one.
  static const RE2 kCode(R"((?:^|[ (\[:<;,'"=\n])([45][0-5][0-9])(?:[ \-)\],:;]|$))");
  const std::string_view looked_at = text.substr(0, kQuotedBytesMax);
  const re2::StringPiece input(looked_at.data(), looked_at.size());
  QuotedReply reply;
  std::string enhanced;
  if (RE2::PartialMatch(input, kBoth, &reply.code, &enhanced)) {
    reply.enhanced = smtp::EnhancedCode::parse(enhanced);
    // "550 4.4.1" contradicts itself; the enhanced code is what the text is about.
    return reply;
  }
  if (RE2::PartialMatch(input, kEnhanced, &enhanced)) {
    reply.enhanced = smtp::EnhancedCode::parse(enhanced);
  }
  RE2::PartialMatch(input, kCode, &reply.code);
  return reply;
}

}  // namespace godwit::report
