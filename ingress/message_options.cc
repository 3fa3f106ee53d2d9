#include "ingress/message_options.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "common/text/escape.h"
#include "common/text/idna.h"

namespace godwit::ingress {
namespace {

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kWhite = " \t";
  const std::size_t first = text.find_first_not_of(kWhite);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kWhite) - first + 1);
}

// What is wrong with a field; empty: nothing.
using Problem = std::string_view;

// The options as they are read, field by field.
class Reading {
 public:
  explicit Reading(MessageOptions& options) : options_(options) {}

  Problem take(const mail::Field& field) {
    if (text::equals_ignoring_case(field.name, "X-Godwit-Class")) return take_class(field);
    if (text::equals_ignoring_case(field.name, "X-Godwit-Tag")) return take_tags(field);
    return "no such option";
  }

 private:
  Problem take_class(const mail::Field& field) {
    if (std::exchange(class_given_, true)) return "given twice";
    const std::string value = text::to_lower(mail::unfolded(field.value));
    if (value != "urgent" && value != "bulk") return "urgent or bulk";
    options_.message_class = value == "urgent" ? v1::URGENT : v1::BULK;
    return {};
  }

  Problem take_tags(const mail::Field& field) {
    const std::string value = mail::unfolded(field.value);
    std::string_view rest = value;
    while (true) {
      const std::size_t comma = rest.find(',');
      if (const Problem problem = take_tag(trimmed(rest.substr(0, comma))); !problem.empty())
        return problem;
      if (comma == std::string_view::npos) return {};
      rest.remove_prefix(comma + 1);
    }
  }

  Problem take_tag(std::string_view tag) {
    if (tag.empty()) return "an empty tag";
    if (tag.size() > kTagBytesMax) return "a tag has 128 characters at most";
    if (!std::ranges::all_of(tag, [](char c) { return c >= ' ' && c <= '~'; }))
      return "a tag is of printable ASCII characters";
    if (std::ranges::find(options_.tags, tag) != options_.tags.end()) return {};
    if (options_.tags.size() == kTagsMax) return "a message has 10 tags at most";
    options_.tags.emplace_back(tag);
    return {};
  }

  MessageOptions& options_;
  bool class_given_ = false;
};
static_assert(kTagsMax == 10 && kTagBytesMax == 128, "the replies say it");

}  // namespace

std::expected<TakenOptions, smtp::Reply> take_options(const mail::Header& header, Rope content) {
  TakenOptions taken;
  Reading reading(taken.options);
  std::size_t kept_from = 0;  // what lies before is in taken.content, or was an option
  std::size_t at = 0;
  for (auto field = header.begin(); field != header.end_of_fields(); ++field) {
    const std::size_t field_at = std::exchange(at, at + field->raw.size());
    if (!mail::is_ours(field->name)) continue;
    if (const Problem problem = reading.take(*field); !problem.empty()) {
      return std::unexpected(smtp::Reply::of(
          550, {5, 6, 0},
          "Header field " + text::printable(field->name, 64) + ": " + std::string(problem)));
    }
    taken.content.append(content.slice(kept_from, field_at - kept_from));
    taken.removed += field->raw.size();
    kept_from = at;
  }
  if (taken.removed == 0) {
    taken.content = std::move(content);
  } else {
    taken.content.append(content.slice(kept_from));
  }
  return taken;
}

}  // namespace godwit::ingress
