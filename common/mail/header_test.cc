#include "common/mail/header.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "common/mail/content.h"

namespace godwit::mail {
namespace {

using testing::ElementsAre;
using std::string_literals::operator""s;

Rope cut(std::string_view text, std::size_t size) {
  Rope out;
  for (std::size_t at = 0; at < text.size(); at += size)
    out.append(Bytes::copy_of(text.substr(at, size)));
  return out;
}

std::vector<std::string> names(const Header& header) {
  std::vector<std::string> out;
  for (auto field = header.begin(); field != header.end_of_fields(); ++field)
    out.emplace_back(field->name);
  return out;
}

TEST(Header, EndsWhereItEnds) {
  const struct {
    const char* what;
    std::string content;
    Header::End end;
    std::size_t header_bytes, body_offset;
  } cases[] = {
      {"nothing", "", Header::End::kEndOfContent, 0, 0},
      {"no header", "\r\nbody\r\n", Header::End::kEmptyLine, 0, 2},
      {"one field", "A: b\r\n\r\nbody\r\n", Header::End::kEmptyLine, 6, 8},
      {"no body", "A: b\r\n\r\n", Header::End::kEmptyLine, 6, 8},
      {"no empty line", "A: b\r\n", Header::End::kEndOfContent, 6, 6},
      {"no line end", "A: b", Header::End::kEndOfContent, 4, 4},
      {"a fold", "A: b\r\n c\r\n\td\r\n\r\nx", Header::End::kEmptyLine, 14, 16},
      {"a fold of nothing", "A: b\r\n \r\n\r\nx", Header::End::kEmptyLine, 9, 11},
      {"text", "Hello you\r\n\r\n", Header::End::kNotAField, 0, 0},
      {"text behind a field", "A: b\r\nHello you\r\n", Header::End::kNotAField, 6, 6},
      {"a fold without a field", " A: b\r\n\r\n", Header::End::kNotAField, 0, 0},
      {"no name", ": b\r\n\r\n", Header::End::kNotAField, 0, 0},
      {"a mailbox line", "From x Mon Jan  1\r\nA: b\r\n\r\n", Header::End::kNotAField, 0, 0},
      {"8 bits in a name", "\xc3\xa4: b\r\n\r\n", Header::End::kNotAField, 0, 0},
      {"space before the colon", "A \t: b\r\n\r\n", Header::End::kEmptyLine, 8, 10},
      {"a bare LF is no line end", "A: b\n\nc\r\n\r\n", Header::End::kEmptyLine, 9, 11},
      {"a bare CR is none", "A: b\r\rc\r\n\r\n", Header::End::kEmptyLine, 9, 11},
      {"a stuffed dot", "A: b\r\n..\r\n", Header::End::kNotAField, 6, 6},
      {"a NUL", "A: \0b\r\n\r\n"s, Header::End::kEmptyLine, 7, 9},
  };
  for (const auto& [what, content, end, header_bytes, body_offset] : cases) {
    for (const std::size_t size : {1, 2, 3, 1000}) {
      const Header header = Header::scan(cut(content, size));
      EXPECT_EQ(header.end(), end) << what << " in pieces of " << size;
      EXPECT_EQ(header.octets(), content.substr(0, header_bytes)) << what;
      EXPECT_EQ(header.body_offset(), body_offset) << what;
    }
  }
}

TEST(Header, StopsAtItsLimitWithWholeFields) {
  const std::string content = "A: 1\r\nBB: 2\r\n 3\r\nC: 4\r\n\r\nbody";
  for (std::size_t max = 1; max < content.size() + 2; ++max) {
    for (const std::size_t size : {1, 5, 1000}) {
      const Header header = Header::scan(cut(content, size), max);
      EXPECT_LE(header.octets().size(), max);
      EXPECT_TRUE(content.starts_with(header.octets()));
      if (max >= 25) {  // up to the empty line
        EXPECT_EQ(header.end(), Header::End::kEmptyLine) << max;
        EXPECT_THAT(names(header), ElementsAre("A", "BB", "C"));
      } else {
        EXPECT_EQ(header.end(), Header::End::kTooLong) << max;
        EXPECT_THAT(std::vector<std::size_t>({0, 6, 17, 23}),
                    testing::Contains(header.octets().size()));
      }
    }
  }
}

TEST(Header, AFieldIsWhatCame) {
  const Header header = Header::scan(cut("Subject : a\r\n  b\r\nX:\r\nY: c:d \r\n\r\n", 1000));
  std::vector<Field> fields;
  for (auto field = header.begin(); field != header.end_of_fields(); ++field)
    fields.push_back(*field);
  ASSERT_EQ(fields.size(), 3U);
  EXPECT_EQ(fields[0].name, "Subject");
  EXPECT_EQ(fields[0].value, " a\r\n  b");
  EXPECT_EQ(fields[0].raw, "Subject : a\r\n  b\r\n");
  EXPECT_EQ(fields[1].value, "");
  EXPECT_EQ(fields[2].value, " c:d ");
  EXPECT_EQ(unfolded(fields[0].value), "a  b");
  EXPECT_EQ(unfolded(fields[2].value), "c:d");
  EXPECT_EQ(unfolded(""), "");
}

TEST(Header, OnePieceIsNotCopied) {
  const Bytes content = Bytes::copy_of("A: b\r\n\r\nbody");
  EXPECT_EQ(Header::scan(Rope(content)).octets().data(), content.view().data());
}

TEST(Header, AFieldPutInFrontNeedsNoCopyOfTheBody) {
  Rope content(Bytes::of_static("Received: x\r\n"));
  content.append(Bytes::adopt("A: b\r\n\r\n" + std::string(1 << 20, 'x')));
  const Header header = Header::scan(content);
  EXPECT_THAT(names(header), ElementsAre("Received", "A"));
  EXPECT_EQ(header.body_offset(), 21U);
}

TEST(HeaderFacts, AreOfTheFirstOfEachKind) {
  const Header header = Header::scan(cut(
      "Received: 1\r\nRECEIVED: 2\r\nfrom: a@b\r\nFrom: c@d\r\nTo: e\r\nDate: f\r\n"
      "Message-ID: <g>\r\nSubject: h\r\nSender: i\r\nMIME-Version: 1.0\r\nX-Received: no\r\n\r\n",
      1000));
  const HeaderFacts facts = facts_of(header);
  EXPECT_EQ(facts.fields, 11U);
  EXPECT_EQ(facts.received, 2U);
  EXPECT_EQ(facts.from_fields, 2U);
  EXPECT_EQ(facts.from, " a@b");
  EXPECT_EQ(facts.to, " e");
  EXPECT_EQ(facts.date, " f");
  EXPECT_EQ(facts.message_id, " <g>");
  EXPECT_EQ(facts.subject, " h");
  EXPECT_EQ(facts.sender, " i");
  EXPECT_EQ(facts.mime_version, " 1.0");
  EXPECT_FALSE(facts.has_8bit);
  EXPECT_EQ(find_field(header, "x-received")->value, " no");
  EXPECT_FALSE(find_field(header, "Bcc"));
  EXPECT_TRUE(facts_of(Header::scan(cut("Subject: \xc3\xbc\r\n\r\n", 100))).has_8bit);
  EXPECT_FALSE(facts_of(Header::scan(cut("A: b\r\n\r\n\xc3\xbc", 100))).has_8bit);
}

TEST(HeaderFacts, CountFieldsMeantForUs) {
  const auto of_ours = [](const std::string& fields) {
    return facts_of(Header::scan(cut(fields + "\r\nX-Godwit-Class: urgent\r\n", 100))).of_ours;
  };
  EXPECT_EQ(of_ours("Subject: X-Godwit-Class: urgent\r\n X-Godwit-Class: bulk\r\n"), 0U);
  EXPECT_EQ(of_ours("X-Godwit: a\r\nX-God: b\r\nX: c\r\nNot-X-Godwit-A: d\r\n"), 0U);
  EXPECT_EQ(of_ours("X-Godwit-Class: a\r\nx-godwit-anything : b\r\nX-GODWIT-:\r\n"), 3U);
}

TEST(Content, FindsTheHighBitInAnyPiece) {
  EXPECT_FALSE(has_8bit(cut("only ascii", 3)));
  EXPECT_TRUE(has_8bit(cut("only ascii\xe4", 3)));
  EXPECT_FALSE(has_8bit(Rope()));
}

// Mail as it is found in the world (tests/data/mime/README.md): bytes out equal bytes in.
TEST(Header, GivesBackAwkwardMailByteByByte) {
  const std::filesystem::path folder = std::filesystem::path(GODWIT_SOURCE_DIR) / "tests/data/mime";
  int files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    const auto extension = entry.path().extension();
    if (extension != ".eml" && extension != ".msg") continue;
    std::ifstream file(entry.path(), std::ios::binary);
    std::string content;
    // As it would come by SMTP: every line end is CRLF.
    for (std::string line; std::getline(file, line);) {
      if (line.ends_with('\r')) line.pop_back();
      content += line + "\r\n";
    }
    ++files;
    const Header whole = Header::scan(cut(content, content.size()));
    std::string fields;
    for (auto field = whole.begin(); field != whole.end_of_fields(); ++field) {
      EXPECT_FALSE(field->name.empty()) << entry.path();
      fields += field->raw;
    }
    EXPECT_EQ(fields, content.substr(0, fields.size())) << entry.path();
    EXPECT_EQ(fields.size(), whole.octets().size());
    EXPECT_GE(whole.body_offset(), fields.size());
    EXPECT_EQ(Header::scan(cut(content, 13)).octets(), whole.octets()) << entry.path();
  }
  EXPECT_GE(files, 60);
}

}  // namespace
}  // namespace godwit::mail
