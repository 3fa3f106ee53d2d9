#include "ingress/message_options.h"

#include <string>
#include <utility>

#include "common/text/escape.h"
#include "common/text/idna.h"

namespace godwit::ingress {
namespace {

constexpr std::string_view kPrefix = "X-Godwit-";

using Refusal = std::unexpected<smtp::Reply>;

Refusal refuse(std::string_view field, std::string_view why) {
  return Refusal(smtp::Reply::of(
      550, {5, 6, 0}, "Header field " + text::printable(field, 64) + ": " + std::string(why)));
}

bool is_ours(std::string_view name) {
  return text::equals_ignoring_case(name.substr(0, kPrefix.size()), kPrefix);
}

}  // namespace

std::expected<TakenOptions, smtp::Reply> take_options(const mail::Header& header, Rope content) {
  TakenOptions taken;
  bool class_given = false;
  std::size_t kept_from = 0;  // what lies before is in taken.content, or was an option
  std::size_t at = 0;
  for (auto field = header.begin(); field != header.end_of_fields(); ++field) {
    const std::size_t field_at = std::exchange(at, at + field->raw.size());
    if (!is_ours(field->name)) continue;
    if (!text::equals_ignoring_case(field->name, "X-Godwit-Class")) {
      return refuse(field->name, "no such option");
    }
    if (std::exchange(class_given, true)) return refuse(field->name, "given twice");
    const std::string value = text::to_lower(mail::unfolded(field->value));
    if (value != "urgent" && value != "bulk") return refuse(field->name, "urgent or bulk");
    taken.options.message_class = value == "urgent" ? v1::URGENT : v1::BULK;

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
