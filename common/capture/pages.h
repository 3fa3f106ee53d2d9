#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/capture/mail_view.h"
#include "common/capture/store.h"

namespace godwit::capture {

// The pages of the HTTP port, as HTML. No script, no resource from elsewhere, every value escaped.
//
// Threads   pure

// What every page is served with (the Content-Security-Policy allows the page's own style and
// nothing else).
inline constexpr std::string_view kContentSecurityPolicy =
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors "
    "'none'";

// Text for element content and quoted attribute values. Octets that are not UTF-8, and control
// characters other than tab and line break, become U+FFFD.
[[nodiscard]] std::string html_escape(std::string_view text);

// A name that can stand in `Content-Disposition: attachment; filename="..."`: [A-Za-z0-9._-], at
// most 100.
[[nodiscard]] std::string safe_filename(std::string_view name);

struct LandingEntry {
  std::string what;   // "SMTP relay"
  std::string where;  // "127.0.0.1:2525"
  std::string note;
  std::string link;  // path on this port; empty: no link
};
[[nodiscard]] std::string landing_page(std::string_view cluster, std::string_view version,
                                       std::span<const LandingEntry> entries);

inline constexpr std::size_t kListRows = 50;
// `offset`: of the first mail listed.
[[nodiscard]] std::string list_page(const Reader::Listing& listing, std::size_t offset);
[[nodiscard]] std::string mail_page(const Metadata& metadata, const MailView& view);
[[nodiscard]] std::string problem_page(std::string_view title, std::string_view text);
// /style.css
[[nodiscard]] std::string_view stylesheet();

}  // namespace godwit::capture
