// Readers of what comes back, on any octets: no crash, bounds held, everything printed is UTF-8. A delivery status
// that was written from what was read is read back the same.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/check.h"
#include "common/report/bounce_text.h"
#include "common/report/dsn.h"
#include "common/report/mime.h"
#include "common/report/report.h"
#include "common/report/report_view.h"
#include "common/report/return_address.h"
#include "common/text/escape.h"

namespace {

using namespace godwit;

void write_back(const report::Report& read, std::string_view octets) {
  report::DsnContent content;
  content.id = report::derived_id(from_unix_ms(1), octets.substr(0, 100));
  content.host = "mta.example";
  content.to = "sender@example.org";
  for (const report::RecipientReport& one : read.recipients) {
    if (one.recipient.empty() || !one.status || one.action == report::Action::kUnset) return;
    content.recipients.push_back({.recipient = one.recipient,
                                  .orcpt = {},
                                  .action = one.action,
                                  .status = *one.status,
                                  .remote_host = one.remote_host,
                                  .diagnostic = one.diagnostic,
                                  .last_attempt = {},
                                  .will_retry_until = {}});
  }
  if (content.recipients.empty()) return;
  content.returned = octets;
  content.returned_whole = true;
  const report::Dsn dsn = report::write_dsn(content);
  const report::Report again = report::parse_report(dsn.content);
  CHECK(again.kind == report::Kind::kBounce && again.machine_readable, "our own is understood");
  if (dsn.content.size() > report::kReportBytesMax) return;
  CHECK(again.recipients.size() == read.recipients.size(), "{} of {} recipients",
        again.recipients.size(), read.recipients.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view octets(reinterpret_cast<const char*>(data), size);
  CHECK(report::take_apart(octets).leaves.size() <= report::kPartsMax);
  const report::Report read = report::parse_report(octets);
  CHECK(read.recipients.size() <= report::kStatusRecipientsMax);
  for (const report::RecipientReport& one : read.recipients) {
    CHECK(one.recipient.empty() || report::is_plausible_address(one.recipient));
    CHECK(one.diagnostic.size() <= 1024);
  }
  CHECK(text::is_utf8(report::report_json(read, "input")));
  if (read.kind == report::Kind::kBounce) write_back(read, octets);
  static const report::ReturnKeys keys({{1, std::string(32, 'k')}});
  CHECK(!keys.decode(octets), "nobody makes our addresses");
  return 0;
}
