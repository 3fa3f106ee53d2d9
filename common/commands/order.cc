#include "common/commands/order.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "common/commands/errc.h"
#include "common/text/escape.h"
#include "common/text/idna.h"

namespace godwit::commands {
namespace {

std::unexpected<Error> refuse(std::string why) {
  return fail(Errc::kBadCommand, std::move(why));
}

bool is_text(std::string_view text) {
  return text::is_utf8(text) && std::ranges::none_of(text, [](char octet) {
           return static_cast<unsigned char>(octet) < ' ' || octet == '\x7f';
         });
}

}  // namespace

Result<Filter> check_filter(Filter filter) {
  if (filter.empty()) {
    return refuse(
        "the filter is empty: name a tenant, tag, domain, site, pool, class, message or source");
  }
  const std::array<std::pair<std::string_view, std::string*>, 6> named{
      {{"tenant", &filter.tenant},
       {"tag", &filter.tag},
       {"domain", &filter.domain},
       {"site", &filter.site},
       {"pool", &filter.pool},
       {"source", &filter.source}}};
  for (const auto& [key, value] : named) {
    if (value->size() > kNameBytesMax || !is_text(*value))
      return refuse(fmt::format("{}: not a name", key));
  }
  if (!filter.domain.empty()) {
    auto domain = text::to_ascii_domain(filter.domain);
    if (!domain) return refuse("domain: " + filter.domain + " is not a domain");
    filter.domain = *std::move(domain);
  }
  return filter;
}

Result<Command> make_command(const Order& order, const std::string& node, Timestamp now,
                             Random& random) {
  TRY(Filter filter, check_filter(order.filter));
  if (order.reason.empty()) return refuse("a reason is missing");
  if (order.reason.size() > kReasonBytesMax || !is_text(order.reason))
    return refuse(fmt::format("the reason is not one line of at most {} octets", kReasonBytesMax));
  if (order.until && *order.until <= now) return refuse("its end has passed");
  if (!filter.source.empty() && order.kind != Kind::kSuspend)
    return refuse("source: mail has one only while it is attempted; name a pool");
  Command command{.id = make_id(now, random),
                  .kind = order.kind,
                  .filter = std::move(filter),
                  .reason = order.reason,
                  .actor = order.actor,
                  .node = node,
                  .created = now,
                  .until = order.until,
                  .accepted_until = now,
                  .undone = {},
                  .undone_by = {},
                  .undone_reason = {}};
  switch (order.kind) {
    case Kind::kSuspend: break;
    case Kind::kCancel:
      command.accepted_until = order.until.value_or(now);
      command.until = command.accepted_until + kCancelKept;
      break;
    case Kind::kRetry:
      if (order.until) return refuse("a retry is done once, and has no end");
      command.until = now + kRetryKept;
      break;
  }
  return command;
}

}  // namespace godwit::commands
