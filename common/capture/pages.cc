#include "common/capture/pages.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <chrono>
#include <cstdint>

namespace godwit::capture {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD

constexpr std::string_view kStylesheet = R"css(
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #8884; vertical-align: top; }
th { font-weight: 600; white-space: nowrap; }
td { overflow-wrap: anywhere; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; padding: 1rem; border: 1px solid #8884; }
.quiet { opacity: .7; }
)css";

// Octets of the well-formed UTF-8 character at `at` (RFC 3629 s4); 0: there is none.
std::size_t character_size(std::string_view text, std::size_t at) {
  const auto octet = [&](std::size_t i) -> unsigned {
    return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0U;
  };
  const auto tail = [&](std::size_t i) { return (octet(i) & 0xc0) == 0x80; };
  const unsigned first = octet(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return tail(1) ? 2 : 0;
  if ((first & 0xf0) == 0xe0) {
    const unsigned second = octet(1);
    const bool overlong = first == 0xe0 && second < 0xa0;
    const bool surrogate = first == 0xed && second > 0x9f;
    return tail(1) && tail(2) && !overlong && !surrogate ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const unsigned second = octet(1);
    const bool out_of_range = (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f);
    return tail(1) && tail(2) && tail(3) && !out_of_range ? 4 : 0;
  }
  return 0;
}

bool shows(unsigned char c) {
  return c == '\t' || c == '\n' || c == '\r' || (c >= 0x20 && c != 0x7f);
}

std::string time_text(Timestamp time) {
  return fmt::format("{:%Y-%m-%d %H:%M:%S} UTC", std::chrono::floor<std::chrono::seconds>(time));
}

std::string page(std::string_view title, std::string_view body) {
  return fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width\">\n<title>{}</title>\n"
      "<link rel=\"stylesheet\" href=\"/style.css\">\n</head>\n<body>\n{}</body>\n</html>\n",
      html_escape(title), body);
}

std::string row(std::string_view name, std::string_view value) {
  return fmt::format("<tr><th scope=\"row\">{}</th><td>{}</td></tr>\n", html_escape(name),
                     html_escape(value));
}

std::string joined(const std::vector<std::string>& items) {
  std::string out;
  for (const std::string& item : items) out += (out.empty() ? "" : ", ") + item;
  return out;
}

std::string_view or_else(std::string_view text, std::string_view otherwise) {
  return text.empty() ? otherwise : text;
}

}  // namespace

std::string html_escape(std::string_view text) {
  std::string out;
  out.reserve(text.size() + text.size() / 8);
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t size = character_size(text, i);
    if (size == 0 || (size == 1 && !shows(static_cast<unsigned char>(text[i])))) {
      out += kReplacement;
      ++i;
      continue;
    }
    switch (text[i]) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: out += text.substr(i, size);
    }
    i += size;
  }
  return out;
}

std::string safe_filename(std::string_view name) {
  constexpr std::size_t kNameBytesMax = 100;
  std::string out;
  for (const char c : name.substr(0, kNameBytesMax)) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '_' || c == '-' || (c == '.' && !out.empty());
    out.push_back(plain ? c : '_');
  }
  return out.empty() ? "mail" : out;
}

std::string landing_page(std::string_view cluster, std::string_view version,
                         std::span<const LandingEntry> entries) {
  std::string body = fmt::format(
      "<h1>Godwit</h1>\n<p>Cluster <b>{}</b>, version {}. What is where:</p>\n<table>\n",
      html_escape(cluster), html_escape(version));
  for (const LandingEntry& entry : entries) {
    const std::string where = entry.link.empty()
                                  ? html_escape(entry.where)
                                  : fmt::format("<a href=\"{}\">{}</a>", html_escape(entry.link),
                                                html_escape(or_else(entry.where, entry.link)));
    body += fmt::format("<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td></tr>\n",
                        html_escape(entry.what), where, html_escape(entry.note));
  }
  body += "</table>\n";
  return page("Godwit", body);
}

std::string list_page(const Reader::Listing& listing, std::size_t offset) {
  std::string body = "<p><a href=\"/\">Godwit</a></p>\n<h1>Captured mail</h1>\n";
  if (listing.total == 0) {
    body += "<p>No mail yet. What is routed <code>to: capture</code> appears here.</p>\n";
    return page("Captured mail", body);
  }
  if (listing.mails.empty()) {
    body += "<p>No mail here. <a href=\"/capture\">Back to the newest</a></p>\n";
    return page("Captured mail", body);
  }
  body += fmt::format(
      "<p class=\"quiet\">{} to {} of {}, newest first</p>\n<table>\n<tr><th>Time</th>"
      "<th>Subject</th><th>From</th><th>To</th><th>Size</th></tr>\n",
      offset + 1, offset + listing.mails.size(), listing.total);
  for (const Metadata& mail : listing.mails) {
    body += fmt::format(
        "<tr><td>{}</td><td><a "
        "href=\"/capture/{}\">{}</a></td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
        time_text(mail.time), mail.id.to_text(), html_escape(or_else(mail.subject, "(no subject)")),
        html_escape(or_else(mail.sender, "<>")), html_escape(joined(mail.recipients)), mail.size);
  }
  body += "</table>\n<p>";
  if (offset > 0) {
    body += fmt::format("<a href=\"/capture?offset={}\">newer</a> ",
                        offset > kListRows ? offset - kListRows : 0);
  }
  if (offset + listing.mails.size() < listing.total) {
    body += fmt::format("<a href=\"/capture?offset={}\">older</a>", offset + listing.mails.size());
  }
  body += "</p>\n";
  return page("Captured mail", body);
}

std::string mail_page(const Metadata& metadata, const MailView& view) {
  std::string body = fmt::format(
      "<p><a href=\"/capture\">Captured mail</a></p>\n<h1>{}</h1>\n<p><a "
      "href=\"/capture/{}/raw\">Download</a> <span class=\"quiet\">({} octets)</span></p>\n",
      html_escape(or_else(view.field("Subject"), "(no subject)")), metadata.id.to_text(),
      metadata.size);

  body += "<h2>Envelope</h2>\n<table>\n";
  body += row("Time", time_text(metadata.time));
  body += row("MAIL FROM", or_else(metadata.sender, "<>"));
  body += row("RCPT TO", joined(metadata.recipients));
  body += row("Client", metadata.client + " (" + metadata.helo + ")");
  body += row("TLS", or_else(metadata.tls, "none"));
  if (!metadata.parameters.empty()) body += row("Parameters", metadata.parameters);
  body += "</table>\n<h2>Header</h2>\n<table>\n";
  for (const MailView::Field& field : view.fields) body += row(field.name, field.value);
  body += "</table>\n";

  if (!view.attachments.empty()) {
    body += "<h2>Attachments</h2>\n<ul>\n";
    for (const std::string& name : view.attachments) {
      body += "<li>" + html_escape(name) + "</li>\n";
    }
    body += "</ul>\n";
  }
  if (view.text_type.empty()) {
    body += "<p class=\"quiet\">There is no text part.</p>\n";
  } else {
    body += fmt::format("<h2>Text <span class=\"quiet\">({})</span></h2>\n<pre>{}</pre>\n",
                        html_escape(view.text_type), html_escape(view.text));
  }
  if (view.truncated) {
    body += "<p class=\"quiet\">Parts are left out here; the download is whole.</p>\n";
  }
  return page(or_else(view.field("Subject"), "(no subject)"), body);
}

std::string problem_page(std::string_view title, std::string_view text) {
  return page(title,
              fmt::format("<p><a href=\"/capture\">Captured mail</a></p>\n<h1>{}</h1>\n<p>{}</p>\n",
                          html_escape(title), html_escape(text)));
}

std::string_view stylesheet() {
  return kStylesheet.substr(1);
}

}  // namespace godwit::capture
