#include "common/admin/convert_commands.h"

#include <algorithm>
#include <utility>

#include "common/commands/errc.h"
#include "godwit/admin/v1/admin.pb.h"

namespace godwit::admin {
namespace {

void to_message(const DeliveryRow& row, v1::Delivery& out) {
  out.set_id(row.id.to_text());
  out.set_partition(row.partition);
  out.set_state(static_cast<v1::Delivery::State>(row.state));
  out.set_tenant(row.tenant);
  out.set_domain(row.domain);
  out.set_site(row.site);
  out.set_pool(row.pool);
  out.set_urgent(row.urgent);
  for (const std::string& tag : row.tags) out.add_tags(tag);
  out.set_recipients(row.recipients);
  out.set_bytes(row.bytes);
  out.set_accepted_unix_ms(to_unix_ms(row.accepted));
  out.set_due_unix_ms(to_unix_ms(row.due));
}

DeliveryRow from_message(const v1::Delivery& in, const DeliveryId& id) {
  return {.id = id,
          .partition = in.partition(),
          .state = static_cast<DeliveryState>(in.state()),
          .tenant = in.tenant(),
          .domain = in.domain(),
          .site = in.site(),
          .pool = in.pool(),
          .urgent = in.urgent(),
          .tags = {in.tags().begin(), in.tags().end()},
          .recipients = in.recipients(),
          .bytes = in.bytes(),
          .accepted = from_unix_ms(in.accepted_unix_ms()),
          .due = from_unix_ms(in.due_unix_ms())};
}

}  // namespace

void to_message(const DeliveryList& list, v1::DeliveriesResponse& message) {
  for (const DeliveryRow& row : list.rows) to_message(row, *message.add_rows());
  message.set_deliveries(list.deliveries);
  message.set_recipients(list.recipients);
  message.set_bytes(list.bytes);
  message.set_oldest_accepted_unix_ms(to_unix_ms(list.oldest_accepted));
}

DeliveryList from_message(const v1::DeliveriesResponse& message) {
  DeliveryList list{.rows = {},
                    .deliveries = message.deliveries(),
                    .recipients = message.recipients(),
                    .bytes = message.bytes(),
                    .oldest_accepted = from_unix_ms(message.oldest_accepted_unix_ms())};
  for (const v1::Delivery& row : message.rows()) {
    if (const auto id = DeliveryId::from_text(row.id()))
      list.rows.push_back(from_message(row, *id));
  }
  return list;
}

void to_message(const DeliveryDetails& details, v1::DeliveryShowResponse& message) {
  to_message(details.row, *message.mutable_delivery());
  message.set_sender(details.sender);
  for (const DeliveryDetails::Recipient& one : details.recipients) {
    auto& out = *message.add_recipients();
    out.set_address(one.address);
    out.set_index(one.index);
    out.set_held(one.held);
  }
  message.set_expires_unix_ms(to_unix_ms(details.expires));
  message.set_attempts(details.attempts);
  message.set_last_reply(details.last_reply);
  message.set_last_class(details.last_class);
  message.set_throttled(details.throttled);
  message.set_command(details.command);
  for (const std::string& step : details.history) message.add_history(step);
}

DeliveryDetails from_message(const v1::DeliveryShowResponse& message) {
  const DeliveryId id = DeliveryId::from_text(message.delivery().id()).value_or(DeliveryId{});
  DeliveryDetails details{.row = from_message(message.delivery(), id),
                          .sender = message.sender(),
                          .recipients = {},
                          .expires = from_unix_ms(message.expires_unix_ms()),
                          .attempts = message.attempts(),
                          .last_reply = message.last_reply(),
                          .last_class = message.last_class(),
                          .throttled = message.throttled(),
                          .command = message.command(),
                          .history = {message.history().begin(), message.history().end()}};
  for (const auto& one : message.recipients())
    details.recipients.push_back({one.address(), one.index(), one.held()});
  return details;
}

void to_message(const commands::Order& order, bool dry_run, v1::CommandIssueRequest& message) {
  message.set_kind(static_cast<godwit::v1::Command::Kind>(order.kind));
  commands::to_record(order.filter, *message.mutable_filter());
  if (order.until) message.set_until_unix_ms(to_unix_ms(*order.until));
  message.set_dry_run(dry_run);
  message.set_reason(order.reason);
}

Result<commands::Order> from_message(const v1::CommandIssueRequest& message) {
  if (message.kind() < godwit::v1::Command::SUSPEND || message.kind() > godwit::v1::Command::RETRY)
    return fail(commands::Errc::kBadCommand, "no kind of command");
  commands::Order order{.kind = static_cast<commands::Kind>(message.kind()),
                        .filter = {},
                        .reason = message.reason(),
                        .actor = {},
                        .until = {}};
  TRY(order.filter, commands::from_record(message.filter()));
  if (message.until_unix_ms() != 0) order.until = from_unix_ms(message.until_unix_ms());
  return order;
}

void to_message(const std::vector<commands::Listed>& listed, Timestamp now,
                v1::CommandListResponse& message) {
  for (const commands::Listed& one : listed) {
    auto& out = *message.add_rows();
    commands::to_record(one.command, *out.mutable_command());
    out.set_state(std::string(one.command.state(now)));
    auto& progress = *out.mutable_progress();
    progress.set_deliveries(one.progress.deliveries);
    progress.set_recipients(one.progress.recipients);
    progress.set_complete(one.progress.complete);
    progress.set_updated_unix_ms(to_unix_ms(one.progress.updated));
    out.set_partitions(one.partitions);
  }
}

std::vector<commands::Listed> from_message(const v1::CommandListResponse& message) {
  std::vector<commands::Listed> listed;
  for (const auto& row : message.rows()) {
    auto command = commands::from_record(row.command());
    if (!command) continue;
    const auto& progress = row.progress();
    listed.push_back({*std::move(command),
                      {.deliveries = progress.deliveries(),
                       .recipients = progress.recipients(),
                       .complete = progress.complete(),
                       .updated = from_unix_ms(progress.updated_unix_ms()),
                       .node = {}},
                      row.partitions()});
  }
  return listed;
}

}  // namespace godwit::admin
