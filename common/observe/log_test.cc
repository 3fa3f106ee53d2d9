#include "common/observe/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/observe/json_text.h"

namespace godwit::observe {
namespace {

const Timestamp kTime = from_unix_ms(1'767'323'045'678);  // 2026-01-02T03:04:05.678Z

TEST(LogLine, HasTimeLevelModuleMessageAndFields) {
  const std::string session = "s1";
  EXPECT_EQ(
      format_line(
          kTime, Level::kInfo, "ingress", "message accepted",
          {{"session", session},
           {"bytes", std::size_t{12}},
           {"delta", -3},
           {"tls", true},
           {"load", 0.5},
           {"wait_ms", Duration(std::chrono::milliseconds(1500))},
           {"error", Error{std::make_error_code(std::errc::no_space_on_device), "segment 3"}}},
          false),
      R"({"time":"2026-01-02T03:04:05.678Z","level":"info","module":"ingress","msg":"message accepted",)"
      R"("session":"s1","bytes":12,"delta":-3,"tls":true,"load":0.5,"wait_ms":1500,)"
      R"("error":"segment 3: No space left on device"})");
}

TEST(LogLine, PersonalFieldsAreLeftOutUnlessAsked) {
  const LogField field("recipient", personal("a@b.example"));
  EXPECT_EQ(format_line(kTime, Level::kDebug, "m", "x", {field}, false).find("recipient"),
            std::string::npos);
  EXPECT_THAT(format_line(kTime, Level::kDebug, "m", "x", {field}, true),
              testing::HasSubstr(R"("recipient":"a@b.example")"));
}

TEST(LogLine, IsBounded) {
  const std::string huge(100'000, 'x');
  const std::string line =
      format_line(kTime, Level::kInfo, "m", huge, {{"a", huge}, {"b", 1}}, false);
  EXPECT_LT(line.size(), 3 * kLogTextBytesMax);
  EXPECT_THAT(line, testing::EndsWith(R"(...","b":1})"));

  const std::string controls(kLogTextBytesMax, '\x01');  // six octets each when escaped
  const std::string cut = format_line(
      kTime, Level::kInfo, "m", "x",
      {{"a", controls}, {"b", controls}, {"c", controls}, {"d", controls}, {"e", 1}}, false);
  EXPECT_LE(cut.size(), kLogLineBytesMax + 20);
  EXPECT_THAT(cut, testing::EndsWith(R"(,"cut":true})"));
}

struct Escaped {
  std::string_view text;
  std::string_view json;
};

TEST(JsonText, EscapesPeerText) {
  for (const auto& [text, json] : {
           Escaped{"plain", R"("plain")"}, Escaped{"a\"b\\c", R"("a\"b\\c")"},
           Escaped{"\r\n\t", R"("\r\n\t")"},
           Escaped{std::string_view("\0\x1b\x7f", 3), R"("\u0000\u001b\u007f")"},
           Escaped{"gr\xC3\xBC\xC3\x9F", "\"gr\xC3\xBC\xC3\x9F\""},
           Escaped{"\xE2\x82\xAC \xF0\x9F\x90\xA6", "\"\xE2\x82\xAC \xF0\x9F\x90\xA6\""},
           Escaped{"\xff", "\"\xEF\xBF\xBD\""},
           Escaped{"\xC0\xAF", "\"\xEF\xBF\xBD\xEF\xBF\xBD\""},                  // overlong
           Escaped{"\xED\xA0\x80", "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""},  // a surrogate
           Escaped{"\xF4\x90\x80\x80",
                   "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""},  // too high
           Escaped{"x\xE2\x82", "\"x\xEF\xBF\xBD\xEF\xBF\xBD\""},            // cut short
       }) {
    std::string out;
    append_json_string(out, text, 100);
    EXPECT_EQ(out, json);
  }
  std::string out;
  append_json_string(out, "ab\xE2\x82\xAC", 4);  // never half a character
  EXPECT_EQ(out, R"("ab...")");
}

TEST(Logger, WritesFromItsLevelUpwards) {
  std::vector<std::string> lines;
  const Logger logger("test");
  {
    const LogCapture capture([&](std::string_view line) { lines.emplace_back(line); },
                             Level::kWarning);
    logger.info("no");
    logger.warning("yes", {{"n", 1}});
    logger.error("yes", {{"to", personal("a@b")}});
    set_level(Level::kOff);
    logger.error("no");
    set_level(Level::kDebug);
    logger.debug("yes", {{"to", personal("a@b")}});
  }
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_THAT(lines[0],
              testing::EndsWith(R"("level":"warning","module":"test","msg":"yes","n":1})"));
  EXPECT_THAT(lines[1], testing::EndsWith(R"("msg":"yes"})"));
  EXPECT_THAT(lines[2], testing::EndsWith(R"("to":"a@b"})"));
  EXPECT_EQ(level(), Level::kInfo);
}

TEST(Logger, LinesReachStandardErrorWholeAndInOrder) {
  testing::internal::CaptureStderr();
  const Logger logger("test");
  for (int i = 0; i < 1000; ++i) logger.info("line", {{"i", i}});
  flush_logs();
  const std::string text = testing::internal::GetCapturedStderr();
  std::size_t at = 0;
  for (int i = 0; i < 1000; ++i) {
    const std::string tail = R"("msg":"line","i":)" + std::to_string(i) + "}\n";
    at = text.find(tail, at);
    ASSERT_NE(at, std::string::npos) << i;
  }
  EXPECT_EQ(lines_dropped(), 0u);
}

TEST(Level, NamesRoundTrip) {
  for (const Level level :
       {Level::kDebug, Level::kInfo, Level::kWarning, Level::kError, Level::kOff}) {
    EXPECT_EQ(level_from_name(level_name(level)), level);
  }
  EXPECT_EQ(level_from_name("loud"), std::nullopt);
}

}  // namespace
}  // namespace godwit::observe
