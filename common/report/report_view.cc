#include "common/report/report_view.h"

#include <nlohmann/json.hpp>

#include "common/text/escape.h"

namespace godwit::report {
namespace {

constexpr std::size_t kFileBytesMax = 4096;

using Json = nlohmann::ordered_json;

Json recipient_json(const RecipientReport& report) {
  return {{"recipient", report.recipient},
          {"action", action_name(report.action)},
          {"status", report.status ? report.status->to_text() : std::string{}},
          {"category", report.category},
          {"permanent", report.meaning.permanent},
          {"suppress", report.meaning.suppress},
          {"fault", report.meaning.fault},
          {"retry_elsewhere", report.meaning.retry_elsewhere},
          {"diagnostic", report.diagnostic}};
}

}  // namespace

std::string report_json(const Report& report, std::string_view file) {
  Json json{
      {"file", text::is_utf8(file) ? std::string(file) : text::printable(file, kFileBytesMax)},
      {"kind", kind_name(report.kind)}};
  if (!report.feedback_type.empty()) json["feedback_type"] = report.feedback_type;
  Json& recipients = json["recipients"] = Json::array();
  for (const RecipientReport& one : report.recipients) recipients.push_back(recipient_json(one));
  return json.dump();
}

}  // namespace godwit::report
