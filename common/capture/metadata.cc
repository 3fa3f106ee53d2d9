#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/capture/errc.h"
#include "common/capture/store.h"

namespace godwit::capture {
namespace {

constexpr std::size_t kRecipientsKept = 1'000;

}  // namespace

std::string metadata_to_json(const Metadata& metadata) {
  nlohmann::ordered_json json{{"id", metadata.id.to_text()},
                              {"time_unix_ms", to_unix_ms(metadata.time)},
                              {"sender", metadata.sender},
                              {"recipients", nlohmann::ordered_json::array()},
                              {"client", metadata.client},
                              {"helo", metadata.helo},
                              {"tls", metadata.tls},
                              {"parameters", metadata.parameters},
                              {"size", metadata.size},
                              {"from", metadata.from},
                              {"to", metadata.to},
                              {"subject", metadata.subject},
                              {"message_id", metadata.message_id}};
  const std::size_t kept = std::min(metadata.recipients.size(), kRecipientsKept);
  for (std::size_t i = 0; i < kept; ++i) json["recipients"].push_back(metadata.recipients[i]);
  // Peers may send any octets: what is not UTF-8 becomes U+FFFD.
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Result<Metadata> metadata_from_json(std::string_view text) {
  try {
    const auto json = nlohmann::json::parse(text);
    const auto id = CaptureId::from_text(json.at("id").get<std::string>());
    if (!id) return fail(Errc::kBadMetadata, "id");
    Metadata metadata{.id = *id,
                      .time = from_unix_ms(json.at("time_unix_ms").get<std::int64_t>()),
                      .sender = json.at("sender").get<std::string>(),
                      .recipients = json.at("recipients").get<std::vector<std::string>>(),
                      .client = json.value("client", ""),
                      .helo = json.value("helo", ""),
                      .tls = json.value("tls", ""),
                      .parameters = json.value("parameters", ""),
                      .size = json.at("size").get<std::uint64_t>(),
                      .from = json.value("from", ""),
                      .to = json.value("to", ""),
                      .subject = json.value("subject", ""),
                      .message_id = json.value("message_id", "")};
    return metadata;
  } catch (const nlohmann::json::exception& error) {
    return fail(Errc::kBadMetadata, error.what());
  }
}

}  // namespace godwit::capture
