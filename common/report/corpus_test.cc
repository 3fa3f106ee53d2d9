#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "common/report/delivery_status.h"
#include "common/report/mime.h"
#include "common/report/report.h"
#include "common/text/idna.h"

// Real bounces (tests/data/bounces/README.md): how much of what another reader finds in them is found here. The
// floors are what was measured; a change may raise them.
namespace godwit::report {
namespace {

const std::filesystem::path kData =
    std::filesystem::path(GODWIT_SOURCE_DIR) / "tests" / "data" / "bounces";

using Row = std::map<std::string, std::string>;

std::string read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// As it would come over the wire: CRLF, and no line of a mailbox in front.
std::string read_mail(const std::string& name) {
  std::string octets = read(kData / name);
  if (octets.starts_with("From ")) octets.erase(0, octets.find('\n') + 1);
  std::string out;
  for (const char c : octets) {
    if (c == '\n' && !out.ends_with('\r')) out += '\r';
    out += c;
  }
  return out;
}

std::vector<Row> read_table(const std::string& name) {
  std::vector<Row> rows;
  std::vector<std::string> columns;
  std::ifstream file(kData / name);
  for (std::string line; std::getline(file, line);) {
    std::vector<std::string> cells(1);
    for (const char c : line) {
      if (c == '\t') {
        cells.emplace_back();
      } else {
        cells.back() += c;
      }
    }
    if (columns.empty()) {
      columns = cells;
      continue;
    }
    Row row;
    for (std::size_t i = 0; i < columns.size(); ++i)
      row[columns[i]] = i < cells.size() ? cells[i] : std::string{};
    rows.push_back(std::move(row));
  }
  return rows;
}

std::string_view kind_of(const Row& row) {
  if (row.at("seq") == "0") return "other";
  if (row.at("feedback_type") == "opt-out") return "unsubscribe";
  if (row.at("category") == "feedback") return "feedback";
  return row.at("category") == "vacation" ? "autoreply" : "bounce";
}

// The source has statuses of its own (x.y.9NN): of these the class counts.
bool is_status(const std::string& expected, const std::string& status) {
  const bool pseudo = expected.size() > 6 && expected.find(".9", 3) != std::string::npos;
  return pseudo ? status.substr(0, 1) == expected.substr(0, 1) : status == expected;
}

struct Score {
  int right = 0;
  int all = 0;
  void add(bool agrees) {
    right += agrees ? 1 : 0;
    ++all;
  }
};

TEST(BounceCorpus, IsUnderstoodAsWellAsWasMeasured) {
  std::map<std::string, std::vector<Row>> expected;
  for (Row& row : read_table("expected.tsv")) expected[row.at("file")].push_back(std::move(row));
  ASSERT_EQ(expected.size(), 303U);
  Score kinds, recipients, statuses, classes, suppressions;
  for (const auto& [file, rows] : expected) {
    const Report report = parse_report(read_mail(file));
    kinds.add(kind_name(report.kind) == kind_of(rows.front()));
    if (rows.front().at("seq") == "0") {
      EXPECT_EQ(report.kind, Kind::kOther) << file;
      continue;
    }
    for (const Row& row : rows) {
      const auto found = std::ranges::find_if(report.recipients, [&](const auto& one) {
        return text::equals_ignoring_case(one.recipient, row.at("recipient")) ||
               (!row.at("alias").empty() &&
                text::equals_ignoring_case(one.recipient, row.at("alias")));
      });
      recipients.add(found != report.recipients.end());
      if (found == report.recipients.end() || report.kind != Kind::kBounce) continue;
      const std::string status = found->status ? found->status->to_text() : std::string{};
      statuses.add(is_status(row.at("status"), status));
      classes.add(status.substr(0, 1) == row.at("status").substr(0, 1));
      suppressions.add(found->meaning.suppress == (row.at("hard") == "true"));
    }
  }
  const auto print = [](const char* what, const Score& score) {
    std::printf("%s: %d of %d\n", what, score.right, score.all);
  };
  print("kind", kinds);
  print("recipient", recipients);
  print("status", statuses);
  print("class of the status", classes);
  print("address is bad", suppressions);
  EXPECT_GE(kinds.right, 300);
  EXPECT_GE(recipients.right, 309);
  EXPECT_GE(statuses.right, 288);
  EXPECT_GE(classes.right, 292);
  EXPECT_GE(suppressions.right, 261);
}

// White space does not matter: folds come out as one space here.
std::string squeezed(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c != ' ' && c != '\t' && c != '\r') out += c;
  }
  return out;
}

TEST(BounceCorpus, FieldsOfDeliveryStatusAreThoseInTheMail) {
  std::map<std::string, std::vector<Row>> expected;
  for (Row& row : read_table("dsn_fields.tsv")) expected[row.at("file")].push_back(std::move(row));
  Score fields;
  int returned = 0;
  std::string wrong;
  for (const auto& [file, rows] : expected) {
    const std::string mail = read_mail(file);
    const Parts parts = take_apart(mail);
    DeliveryStatus status;
    for (const Part& part : parts.leaves) {
      if (part.type.ends_with("delivery-status")) status = parse_delivery_status(part.decoded());
    }
    // Three return a bounce: what stands in that one is in the table, and not ours to read.
    EXPECT_TRUE(status.recipients.size() == rows.size() || (rows.size() == 2 && ++returned <= 3))
        << file;
    for (std::size_t i = 0; i < std::min(rows.size(), status.recipients.size()); ++i) {
      for (const auto& [column, name] : std::initializer_list<std::pair<const char*, const char*>>{
               {"final_recipient", "Final-Recipient"},
               {"original_recipient", "Original-Recipient"},
               {"action", "Action"},
               {"status", "Status"},
               {"remote_mta", "Remote-MTA"},
               {"diagnostic_code", "Diagnostic-Code"}}) {
        const std::string got = squeezed(value_of(status.recipients[i], name));
        const std::string want = squeezed(rows[i].at(column));
        fields.add(got == want);
        if (got != want) wrong += file + " " + name + "\n  " + got + "\n  " + want + "\n";
      }
    }
  }
  EXPECT_EQ(fields.right, fields.all) << wrong;
}

}  // namespace
}  // namespace godwit::report
