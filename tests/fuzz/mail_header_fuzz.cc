// The header scanner and the address parser on any octets: no crash, the octets that came, in linear time.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/check.h"
#include "common/mail/address_list.h"
#include "common/mail/content.h"
#include "common/mail/header.h"
#include "common/text/idna.h"

namespace {

using namespace godwit;

// The octets in pieces whose sizes the input decides, so that every field gets cut somewhere.
Rope in_pieces(std::string_view octets, std::size_t size) {
  Rope out;
  for (std::size_t at = 0; at < octets.size(); at += size) {
    out.append(Bytes::copy_of(octets.substr(at, size)));
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::size_t piece = std::size_t{data[0]} + 1;
  const std::size_t bytes_max = (std::size_t{data[1]} + 1) * 16;
  const std::string_view octets(reinterpret_cast<const char*>(data) + 2, size - 2);

  const mail::Header header = mail::Header::scan(in_pieces(octets, piece), bytes_max);
  CHECK(header.octets().size() <= bytes_max && octets.starts_with(header.octets()));
  CHECK(header.body_offset() >= header.octets().size() && header.body_offset() <= octets.size());
  std::string joined;
  for (auto field = header.begin(); field != header.end_of_fields(); ++field) {
    CHECK(!field->name.empty() && field->raw.starts_with(field->name));
    joined += field->raw;
    CHECK(mail::unfolded(field->value).find("\r\n") == std::string::npos);
    const auto domain = mail::from_domain(field->value);
    if (const auto list = mail::parse_address_list(field->value)) {
      CHECK(!domain || *domain == text::to_lower(list->front().domain));
      CHECK(domain || list->empty() || list->front().domain.empty());
      for (const mail::Mailbox& mailbox : *list) {
        CHECK(!mailbox.domain.contains('\r') && !mailbox.domain.contains(' '));
      }
    } else {
      CHECK(!domain);
    }
  }
  CHECK(joined == header.octets());
  CHECK(mail::Header::scan(in_pieces(octets, 1'000'000), bytes_max).octets() == header.octets());
  CHECK(mail::facts_of(header).fields > 0 || header.octets().empty());
  std::ignore = mail::has_8bit(octets);
  return 0;
}
