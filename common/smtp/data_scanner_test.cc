#include "common/smtp/data_scanner.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace godwit::smtp {
namespace {

using Found = DataScanner::Found;

struct Outcome {
  Found found = Found::kMore;
  std::string content;
  std::string left;
  bool operator==(const Outcome&) const = default;
};

// Feeds `wire` in pieces that end at `cuts`, as a session would.
Outcome scan(DataScanner& scanner, const std::string& wire, const std::vector<std::size_t>& cuts) {
  Outcome outcome;
  std::string input;
  std::size_t at = 0;
  for (std::size_t i = 0; i <= cuts.size(); ++i) {
    const std::size_t end = i < cuts.size() ? cuts[i] : wire.size();
    input += wire.substr(at, end - at);
    at = end;
    const auto scanned = scanner.scan(input);
    outcome.found = scanned.found;
    if (scanned.found == Found::kBareCr || scanned.found == Found::kBareLf ||
        scanned.found == Found::kNul)
      return outcome;
    outcome.content += input.substr(0, scanned.content_bytes);
    input.erase(0, scanned.content_bytes);
    if (scanned.found == Found::kEnd) break;
    EXPECT_LE(input.size(), DataScanner::kHeldBackMax);
  }
  outcome.left = input + wire.substr(at);
  return outcome;
}

// The rule, written the slow way.
Outcome expected(const std::string& wire) {
  Outcome outcome;
  bool line_start = true;
  for (std::size_t i = 0; i < wire.size(); ++i) {
    if (line_start && wire.compare(i, 3, ".\r\n") == 0) {
      outcome.left = wire.substr(i);
      outcome.found = Found::kEnd;
      return outcome;
    }
    if (line_start && (wire.substr(i) == "." || wire.substr(i) == ".\r")) {
      outcome.left = wire.substr(i);
      return outcome;
    }
    const bool after_cr = i > 0 && wire[i - 1] == '\r';
    if (after_cr && wire[i] != '\n') return {Found::kBareCr, {}, {}};
    if (wire[i] == '\n' && !after_cr) return {Found::kBareLf, {}, {}};
    if (wire[i] == '\0') return {Found::kNul, {}, {}};
    outcome.content += wire[i];
    line_start = wire[i] == '\n';
  }
  return outcome;
}

TEST(DataScanner, Table) {
  struct Case {
    std::string wire;
    Found found;
    std::string content;
    std::string left;
  };
  const Case cases[] = {
      {".\r\n", Found::kEnd, "", ".\r\n"},
      {"a\r\n.\r\nQUIT\r\n", Found::kEnd, "a\r\n", ".\r\nQUIT\r\n"},
      {"a\r\n..\r\n.\r\n", Found::kEnd, "a\r\n..\r\n", ".\r\n"},
      {"\r\n.\r\n", Found::kEnd, "\r\n", ".\r\n"},
      {"a.\r\n", Found::kMore, "a.\r\n", ""},
      {"a\r\n.", Found::kMore, "a\r\n", "."},
      {"a\r\n.\r", Found::kMore, "a\r\n", ".\r"},
      {"a\r", Found::kMore, "a\r", ""},
      {"a\n.\r\n", Found::kBareLf, "", ""},
      {"a\r\n.\n", Found::kBareLf, "", ""},
      {"a\r.\r\n", Found::kBareCr, "", ""},
      {"a\r\n.\rb", Found::kBareCr, "", ""},
      {"a\r\r\n.\r\n", Found::kBareCr, "", ""},
      {std::string("a\0b", 3), Found::kNul, "", ""},
      {"\n", Found::kBareLf, "", ""},
  };
  for (const auto& [wire, found, content, left] : cases) {
    DataScanner scanner;
    Outcome outcome = scan(scanner, wire, {});
    if (found != Found::kMore && found != Found::kEnd) outcome = {outcome.found, {}, {}};
    EXPECT_EQ(outcome, (Outcome{found, content, left})) << testing::PrintToString(wire);
  }
}

TEST(DataScanner, SmugglingNeverEnds) {
  for (const std::string end :
       {"\n.\n", "\n.\r\n", "\r.\r", "\r.\r\n", "\r\n.\r", "\r\n.\n", "\r\n.\r\r\n", "\n\r\n.\n"}) {
    const std::string wire = "text" + end + "MAIL FROM:<smuggled@example>\r\n";
    DataScanner scanner;
    EXPECT_NE(scan(scanner, wire, {}).found, Found::kEnd) << testing::PrintToString(end);
    DataScanner violated;
    const auto found = scan(violated, wire, {}).found;
    EXPECT_TRUE(found == Found::kBareCr || found == Found::kBareLf) << testing::PrintToString(end);
  }
}

TEST(DataScanner, AnySplitGivesTheSame) {
  const unsigned seed = std::random_device()();
  std::mt19937 random(seed);
  const std::vector<std::string> words{"\r\n",
                                       "\r\n.",
                                       ".\r\n",
                                       ".",
                                       "\r",
                                       "\n",
                                       std::string(1, '\0'),
                                       "x",
                                       "\r\n..",
                                       std::string(70, 'y'),
                                       "\xC3\xA9",
                                       std::string(130, 'z')};
  for (int round = 0; round < 20'000; ++round) {
    std::string wire;
    const int count = static_cast<int>(random() % 12) + 1;
    // Mostly sound, or every text would end at its first octets.
    for (int i = 0; i < count; ++i)
      wire += words[random() % 8 == 0 ? random() % words.size()
                                      : (random() % 2 ? 0 : 7 + random() % 5)];
    if (random() % 2 == 0) wire += "\r\n.\r\nRSET\r\n";
    std::vector<std::size_t> cuts;
    for (std::size_t at = random() % 40; at < wire.size(); at += random() % 40) cuts.push_back(at);
    DataScanner scanner;
    Outcome outcome = scan(scanner, wire, cuts);
    if (outcome.found != Found::kMore && outcome.found != Found::kEnd)
      outcome = {outcome.found, {}, {}};
    ASSERT_EQ(outcome, expected(wire)) << "seed " << seed << ": " << testing::PrintToString(wire);
    if (outcome.found != Found::kMore && outcome.found != Found::kEnd) continue;
    ASSERT_EQ(scanner.size(), outcome.content.size()) << "seed " << seed;
    ASSERT_EQ(scanner.has_8bit(), outcome.content.find('\xC3') != std::string::npos)
        << "seed " << seed;
    std::size_t dots = outcome.content.starts_with('.') ? 1 : 0;
    for (std::size_t at = 0; (at = outcome.content.find("\r\n.", at)) != std::string::npos; ++at)
      ++dots;
    ASSERT_EQ(scanner.size_unstuffed(), outcome.content.size() - dots)
        << "seed " << seed << ": " << testing::PrintToString(wire);
  }
}

// The rules octet by octet, of both kinds of content; with what is known when it stops.
struct Reference {
  Found found = Found::kMore;
  std::size_t content = 0;  // octets
  std::size_t dots = 0;
  bool has_8bit = false;
  bool line_too_long = false;
  bool ends_with_cr = false;
};

Reference reference(std::string_view wire, bool dotted, std::size_t line_bytes_max) {
  Reference out;
  std::size_t line = 0;  // octets of the current line
  const auto at_line_start = [&] { return out.content == 0 || wire[out.content - 1] == '\n'; };
  for (; out.content < wire.size(); ++out.content) {
    const char c = wire[out.content];
    if (at_line_start()) {
      line = 0;
      const std::string_view rest = wire.substr(out.content);
      if (dotted && rest.starts_with(".\r\n")) {
        out.found = Found::kEnd;
        break;
      }
      if (dotted && (rest == "." || rest == ".\r")) break;
    }
    const bool after_cr = out.content > 0 && wire[out.content - 1] == '\r';
    if (after_cr != (c == '\n')) {
      out.found = after_cr ? Found::kBareCr : Found::kBareLf;
      break;
    }
    if (c == '\0') {
      out.found = Found::kNul;
      break;
    }
    const bool stuffed = dotted && at_line_start() && c == '.';
    out.dots += stuffed ? 1 : 0;
    line += stuffed ? 0 : 1;
    out.has_8bit |= static_cast<unsigned char>(c) >= 0x80;
    out.line_too_long |= line > line_bytes_max;
  }
  out.ends_with_cr = out.content > 0 && wire[out.content - 1] == '\r';
  return out;
}

// Dense in what decides anything, so that each of it comes at each place of a block and of a read.
TEST(DataScanner, AgreesWithTheRulesOctetByOctet) {
  const auto seed = std::random_device{}();
  std::mt19937 random(seed);
  constexpr std::size_t kLineBytesMax = 90;
  constexpr std::string_view kOctets("..\r\n\0\t\x0B\x0E\x7F\x80\xFFxyz", 14);
  for (int round = 0; round < 30'000; ++round) {
    std::string wire;
    const std::size_t length = random() % 200;
    // What breaks the rules is rare, or every text would end at its first octets.
    while (wire.size() < length) {
      switch (random() % 16) {
        case 0:
        case 1:
        case 2: wire += random() % 4 == 0 ? "\r\n." : "\r\n"; break;
        case 3: wire.append(random() % 130, 'a'); break;
        case 4: wire += "\r\n.\r\n"; break;
        case 5:
          if (random() % 4 == 0) wire += kOctets[random() % kOctets.size()];
          break;
        default: wire += kOctets[5 + random() % 9]; break;
      }
    }
    const bool dotted = random() % 2 == 0;
    const Reference known = reference(wire, dotted, kLineBytesMax);

    DataScanner scanner(kLineBytesMax);
    DataScanner::Scan scanned;
    std::size_t content = 0;
    std::size_t given = 0;
    while (scanned.found == Found::kMore && given < wire.size()) {
      given = std::min(given + 1 + random() % (random() % 2 == 0 ? 3 : 150), wire.size());
      const std::string input = wire.substr(content, given - content);
      scanned = dotted ? scanner.scan(input) : scanner.scan_counted(input);
      content += scanned.content_bytes;
    }
    const auto what = [&] {
      return "seed " + std::to_string(seed) + (dotted ? ", dotted: " : ", counted: ") +
             testing::PrintToString(wire);
    };
    ASSERT_EQ(scanned.found, known.found) << what();
    ASSERT_EQ(content, known.content) << what();
    if (known.found != Found::kMore && known.found != Found::kEnd) continue;
    ASSERT_EQ(scanner.size(), known.content) << what();
    ASSERT_EQ(scanner.size_unstuffed(), known.content - known.dots) << what();
    ASSERT_EQ(scanner.has_8bit(), known.has_8bit) << what();
    ASSERT_EQ(scanner.line_too_long(), known.line_too_long) << what();
    ASSERT_EQ(scanner.ends_with_cr(), known.ends_with_cr) << what();
  }
}

TEST(DataScanner, LineLength) {
  for (const bool dotted : {false, true}) {
    for (const std::size_t length : {998u, 999u}) {
      const std::string wire =
          "first\r\n" + std::string(dotted ? "." : "") + std::string(length, 'x') + "\r\n.\r\n";
      DataScanner scanner;
      EXPECT_EQ(scan(scanner, wire, {500, 900}).found, Found::kEnd);
      EXPECT_EQ(scanner.line_too_long(), length > 998) << length << " dotted " << dotted;
    }
  }
  DataScanner endless;
  EXPECT_EQ(endless.scan(std::string(1001, 'x')).found, Found::kMore);
  EXPECT_TRUE(endless.line_too_long());  // before its end is seen
  DataScanner any(0);
  EXPECT_EQ(any.scan(std::string(100'000, 'x')).found, Found::kMore);
  EXPECT_FALSE(any.line_too_long());
}

TEST(DataScanner, Counted) {
  DataScanner scanner;
  EXPECT_EQ(scanner.scan_counted("a\r\n.\r\n.b\r").found, Found::kMore);
  EXPECT_TRUE(scanner.ends_with_cr());
  EXPECT_EQ(scanner.scan_counted("\n").found, Found::kMore);
  EXPECT_EQ(scanner.size(), 10u);
  EXPECT_EQ(scanner.size_unstuffed(), 10u);
  EXPECT_EQ(scanner.scan_counted("x\n").found, Found::kBareLf);
}

}  // namespace
}  // namespace godwit::smtp
