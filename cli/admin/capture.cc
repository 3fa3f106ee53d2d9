#include "cli/admin/capture.h"

#include <optional>
#include <ostream>
#include <sstream>

#include "cli/admin/table.h"
#include "cli/admin/time_text.h"
#include "common/capture/errc.h"
#include "common/capture/mail_view.h"
#include "common/capture/store.h"
#include "common/text/escape.h"

namespace godwit::cli::admin {
namespace {

constexpr std::size_t kLineBytesMax = 4'096;

std::string joined(const std::vector<std::string>& items) {
  std::string out;
  for (const std::string& item : items) out += (out.empty() ? "" : ", ") + item;
  return out;
}

int could_not(const Error& error, Io io) {
  io.err << "godwit capture: " << error.to_string() << '\n';
  return error.code == capture::Errc::kNotFound ? kAnswerIsNo : kCouldNotRun;
}

// Line by line, so that nothing a peer wrote reaches the terminal as a control sequence.
void print_text(std::string_view text, std::ostream& out) {
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    out << ::godwit::text::printable(line, kLineBytesMax) << '\n';
  }
}

void print_mail(const capture::Metadata& mail, const capture::MailView& view, std::ostream& out) {
  const auto line = [&](std::string_view name, std::string_view value) {
    out << name << ": " << ::godwit::text::printable(value, kLineBytesMax) << '\n';
  };
  line("Mail", mail.id.to_text());
  line("Time", time_text(mail.time) + " UTC");
  line("MAIL FROM", "<" + mail.sender + "> " + mail.parameters);
  for (const std::string& recipient : mail.recipients) line("RCPT TO", "<" + recipient + ">");
  line("Client", mail.client + " (" + mail.helo + ")");
  if (!mail.tls.empty()) line("TLS", mail.tls);
  out << '\n';
  for (const auto& field : view.fields) {
    line(::godwit::text::printable(field.name, kLineBytesMax), field.value);
  }
  out << '\n';
  print_text(view.text, out);
  for (const std::string& name : view.attachments) line("Attachment", name);
  if (view.truncated) out << "(parts are left out; --raw shows everything)\n";
}

}  // namespace

int capture_list(const CaptureListOptions& options, const std::filesystem::path& directory, Io io) {
  const auto listing = capture::Reader(directory).list(0, options.count_max);
  if (!listing) return could_not(listing.error(), io);
  if (options.json) {
    for (const capture::Metadata& mail : listing->mails) {
      io.out << capture::metadata_to_json(mail) << '\n';
    }
    return kDone;
  }
  if (listing->total == 0) {
    io.out << "No mail yet. What is routed `to: capture` appears here.\n";
    return kDone;
  }
  Table table(
      {{"TIME (UTC)"}, {"ID"}, {"FROM"}, {"TO"}, {"SIZE", Table::Align::kRight}, {"SUBJECT"}});
  for (const capture::Metadata& mail : listing->mails) {
    table.add({time_text(mail.time), mail.id.to_text(), "<" + mail.sender + ">",
               joined(mail.recipients), std::to_string(mail.size), mail.subject});
  }
  io.out << table.to_string();
  if (listing->total > listing->mails.size()) {
    io.out << "The newest " << listing->mails.size() << " of " << listing->total
           << "; --count shows more.\n";
  }
  return kDone;
}

int capture_show(const CaptureShowOptions& options, const std::filesystem::path& directory, Io io) {
  const capture::Reader reader(directory);
  std::optional<capture::CaptureId> id;
  if (options.id.empty()) {
    const auto newest = reader.newest();
    if (!newest) return could_not(newest.error(), io);
    if (!*newest) {
      io.err << "godwit capture: no mail yet\n";
      return kAnswerIsNo;
    }
    id = **newest;
  } else if (id = capture::CaptureId::from_text(options.id); !id) {
    io.err << "godwit capture: " << ::godwit::text::printable(options.id, kLineBytesMax)
           << " is no id: `godwit capture list` shows them\n";
    return kUsage;
  }
  const auto mail = reader.metadata(*id);
  if (!mail) return could_not(mail.error(), io);
  if (options.json) {
    io.out << capture::metadata_to_json(*mail) << '\n';
    return kDone;
  }
  const auto octets = reader.octets(*id);
  if (!octets) return could_not(octets.error(), io);
  if (options.raw) {
    io.out << *octets;
  } else {
    print_mail(*mail, capture::view_mail(*octets), io.out);
  }
  io.out.flush();
  return kDone;
}

}  // namespace godwit::cli::admin
