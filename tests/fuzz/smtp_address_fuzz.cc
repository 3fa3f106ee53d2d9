// Any text as an address, a path, a command's argument, a reply: no crash, and what was taken is taken again.
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/check.h"
#include "common/smtp/command.h"
#include "common/smtp/sasl.h"
#include "common/smtp/xtext.h"
#include "common/text/base64.h"

using namespace godwit::smtp;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const bool utf8 : {false, true}) {
    const AddressRules rules{.utf8 = utf8, .bare_postmaster = true};
    if (const auto address = Address::parse(text, rules)) {
      CHECK(address->text() == text);
      CHECK(text.find_first_of("\r\n") == std::string_view::npos);
      CHECK(utf8 || !address->needs_utf8());
      const auto path = parse_path("<" + address->text() + ">", rules, false);
      CHECK(path && path->address == *address);
    }
    if (const auto path = parse_path(text, rules, true)) {
      CHECK(path->length <= size);
      CHECK(path->address.is_null() || Address::parse(path->address.text(), rules));
    }
  }
  (void)parse_command(text);
  (void)parse_mail(text, {}, {.auth = true});
  (void)parse_rcpt(text, {.utf8 = true}, {});
  (void)parse_bdat(text);
  if (const auto decoded = decode_xtext(text))
    CHECK(decode_xtext(encode_xtext(*decoded)) == *decoded);
  if (const auto octets = godwit::text::base64_decode(text)) {
    CHECK(godwit::text::base64_encode(*octets) == text);
  }
  (void)decode_utf8_address(text);
  AuthExchange exchange;
  (void)exchange.begin(text);
  if (const auto reply = parse_reply(text); reply && *reply) {
    std::string wire;
    append_reply(wire, (*reply)->reply, true);
    CHECK(parse_reply(wire).has_value());
  }
  return 0;
}
