#include "common/commands/command.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "common/commands/errc.h"
#include "godwit/v1/command.pb.h"

namespace godwit::commands {
namespace {

std::int64_t ms_of(const std::optional<Timestamp>& time) {
  return time ? to_unix_ms(*time) : 0;
}
std::optional<Timestamp> time_of(std::int64_t unix_ms) {
  return unix_ms == 0 ? std::nullopt : std::optional(from_unix_ms(unix_ms));
}

bool fits(std::string_view wanted, std::string_view is) {
  return wanted.empty() || wanted == is;
}

}  // namespace

CommandId make_id(Timestamp now, Random& random) {
  return CommandId(fmt::format("{:012x}{:08x}", to_unix_ms(now) & 0xffff'ffff'ffff,
                               random.next() & 0xffff'ffffU));
}

std::string_view kind_name(Kind kind) {
  switch (kind) {
    case Kind::kSuspend: return "suspend";
    case Kind::kCancel: return "cancel";
    case Kind::kRetry: return "retry";
  }
  return "unknown";
}

bool Filter::matches(const Subject& subject) const {
  return fits(tenant, subject.tenant) && fits(domain, subject.domain) && fits(site, subject.site) &&
         fits(pool, subject.pool) &&
         (of_class == Class::kAny || subject.urgent == (of_class == Class::kUrgent)) &&
         (!message || *message == subject.message) &&
         (tag.empty() || std::ranges::find(subject.tags, tag) != subject.tags.end());
}

std::string Filter::to_text() const {
  std::string out;
  const auto put = [&out](std::string_view key, std::string_view value) {
    if (value.empty()) return;
    out += fmt::format("{}{}={}", out.empty() ? "" : " ", key, value);
  };
  put("tenant", tenant);
  put("tag", tag);
  put("domain", domain);
  put("site", site);
  put("pool", pool);
  if (of_class != Class::kAny) put("class", of_class == Class::kUrgent ? "urgent" : "bulk");
  if (message) put("message", message->to_text());
  put("source", source);
  return out;
}

std::string_view Command::state(Timestamp now) const {
  if (undone) return "undone";
  return in_force(now) ? "in force" : "ended";
}

std::string command_key(const CommandId& id) {
  return std::string(kCommandPrefix) + id.text();
}

std::string progress_key(const CommandId& id, std::uint32_t partition) {
  return fmt::format("{}{}/{}", kProgressPrefix, id.text(), partition);
}

std::optional<ProgressOf> parse_progress_key(std::string_view key) {
  if (!key.starts_with(kProgressPrefix)) return std::nullopt;
  key.remove_prefix(kProgressPrefix.size());
  const std::size_t slash = key.find('/');
  if (slash == std::string_view::npos || slash == 0) return std::nullopt;
  ProgressOf of{CommandId(std::string(key.substr(0, slash))), 0};
  const char* const end = key.data() + key.size();
  const auto [at, error] = std::from_chars(key.data() + slash + 1, end, of.partition);
  if (error != std::errc{} || at != end) return std::nullopt;
  return of;
}

void to_record(const Filter& filter, v1::CommandFilter& out) {
  out.set_tenant(filter.tenant);
  out.set_tag(filter.tag);
  out.set_domain(filter.domain);
  out.set_site(filter.site);
  out.set_pool(filter.pool);
  out.set_class_(static_cast<v1::CommandFilter::Class>(filter.of_class));
  if (filter.message) out.set_message_id(std::string(filter.message->octets()));
  out.set_source(filter.source);
}

Result<Filter> from_record(const v1::CommandFilter& in) {
  if (!v1::CommandFilter::Class_IsValid(in.class_()))
    return fail(Errc::kBadCommand, "an unknown class");
  Filter filter{.tenant = in.tenant(),
                .tag = in.tag(),
                .domain = in.domain(),
                .site = in.site(),
                .pool = in.pool(),
                .of_class = static_cast<Filter::Class>(in.class_()),
                .message = {},
                .source = in.source()};
  if (!in.message_id().empty()) {
    filter.message = MessageId::from_octets(in.message_id());
    if (!filter.message) return fail(Errc::kBadCommand, "a message id that is none");
  }
  return filter;
}

void to_record(const Command& command, v1::Command& out) {
  out.set_version(kVersion);
  out.set_id(command.id.text());
  out.set_kind(static_cast<v1::Command::Kind>(command.kind));
  to_record(command.filter, *out.mutable_filter());
  out.set_reason(command.reason);
  out.set_actor(command.actor);
  out.set_node(command.node);
  out.set_created_unix_ms(to_unix_ms(command.created));
  out.set_until_unix_ms(ms_of(command.until));
  out.set_accepted_until_unix_ms(to_unix_ms(command.accepted_until));
  out.set_undone_unix_ms(ms_of(command.undone));
  out.set_undone_by(command.undone_by);
  out.set_undone_reason(command.undone_reason);
}

std::string encode(const Command& command) {
  v1::Command out;
  to_record(command, out);
  return out.SerializeAsString();
}

std::string encode(const Progress& progress) {
  v1::CommandProgress out;
  out.set_version(kVersion);
  out.set_deliveries(progress.deliveries);
  out.set_recipients(progress.recipients);
  out.set_complete(progress.complete);
  out.set_updated_unix_ms(to_unix_ms(progress.updated));
  out.set_node(progress.node);
  return out.SerializeAsString();
}

Result<Command> decode_command(std::string_view value) {
  v1::Command in;
  if (!in.ParseFromArray(value.data(), static_cast<int>(value.size())))
    return fail(Errc::kBadCommand, "not a record");
  return from_record(in);
}

Result<Command> from_record(const v1::Command& in) {
  if (in.version() > kVersion)
    return fail(Errc::kBadCommand, fmt::format("of version {}", in.version()));
  if (in.kind() < v1::Command::SUSPEND || in.kind() > v1::Command::RETRY)
    return fail(Errc::kBadCommand, "of an unknown kind");
  if (in.id().empty()) return fail(Errc::kBadCommand, "without an id");
  TRY(Filter filter, from_record(in.filter()));
  if (filter.empty()) return fail(Errc::kBadCommand, "an empty filter");
  return Command{.id = CommandId(in.id()),
                 .kind = static_cast<Kind>(in.kind()),
                 .filter = std::move(filter),
                 .reason = in.reason(),
                 .actor = in.actor(),
                 .node = in.node(),
                 .created = from_unix_ms(in.created_unix_ms()),
                 .until = time_of(in.until_unix_ms()),
                 .accepted_until = from_unix_ms(in.accepted_until_unix_ms()),
                 .undone = time_of(in.undone_unix_ms()),
                 .undone_by = in.undone_by(),
                 .undone_reason = in.undone_reason()};
}

Result<Progress> decode_progress(std::string_view value) {
  v1::CommandProgress in;
  if (!in.ParseFromArray(value.data(), static_cast<int>(value.size())))
    return fail(Errc::kBadCommand, "not a record");
  if (in.version() > kVersion)
    return fail(Errc::kBadCommand, fmt::format("of version {}", in.version()));
  return Progress{in.deliveries(), in.recipients(), in.complete(),
                  from_unix_ms(in.updated_unix_ms()), in.node()};
}

}  // namespace godwit::commands
