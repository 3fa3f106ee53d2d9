#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <string>

namespace godwit::bench {

// A message of about `bytes` octets in wire form, as an application sends it: a header, then text with
// a stuffed dot now and then. CRLF at its end, no final dot.
inline std::string mail_of(std::size_t bytes) {
  std::string text =
      "From: \"The Shop\" <news@shop.example>\r\n"
      "To: Ann Example <ann@d1.example>\r\n"
      "Subject: Your order 4711 is on its way\r\n"
      "Date: Thu, 1 Jan 2026 00:00:00 +0000\r\n"
      "Message-ID: <order.4711.20260101@shop.example>\r\n"
      "Reply-To: service@shop.example\r\n"
      "MIME-Version: 1.0\r\n"
      "Content-Type: text/plain; charset=utf-8;\r\n"
      "\tformat=flowed\r\n"
      "Content-Transfer-Encoding: 7bit\r\n"
      "List-Unsubscribe: <https://shop.example/unsubscribe?u=8f3a2c>,\r\n"
      " <mailto:unsubscribe@shop.example>\r\n"
      "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
      "X-Mailer: shop 7.2\r\n"
      "\r\n";
  for (std::size_t line = 0; text.size() + 78 <= bytes; ++line) {
    text += fmt::format("{}{:06} ", line % 40 == 39 ? ".." : "", line);
    text.append(66, static_cast<char>('a' + line % 26));
    text += "\r\n";
  }
  return text;
}

}  // namespace godwit::bench
