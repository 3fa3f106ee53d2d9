#include "common/config/secret.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <string>

#include "common/base/test_directory.h"
#include "common/config/print.h"
#include "common/config/read.h"

namespace godwit::config {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

struct Relay {
  std::string name;
  std::string password;
};
void describe(Fields& fields, Relay& relay) {
  fields.add("name", relay.name, "What it is called.");
  fields.add("password", relay.password, "What it wants to hear.")
      .hide()
      .check([](const std::string& password) -> std::optional<Wrong> {
        if (password.size() >= 4) return std::nullopt;
        return Wrong{"is too short", "at least 4 octets"};
      });
}
struct Outgoing {
  std::vector<Relay> relays;
};
void describe(Fields& fields, Outgoing& outgoing) {
  fields.add("relays", outgoing.relays, "Where to.");
}

constexpr const char* kVariable = "GODWIT_TEST_SECRET";

class SecretTest : public testing::Test {
 protected:
  ~SecretTest() override { unsetenv(kVariable); }

  void write(std::string_view name, std::string_view text) { directory_.write(name, text); }
  Outcome read(std::string_view password) {
    outgoing_ = {};
    return read_text("relays:\n  - password: " + std::string(password) + "\n",
                     directory_ / "g.yaml", outgoing_);
  }

  TestDirectory directory_;
  Outgoing outgoing_;
};

TEST_F(SecretTest, ComesFromTheFileTheEnvironmentOrTheTextItself) {
  setenv(kVariable, "from the environment", 1);
  write("line", "from a file\n");
  write("crlf", "from a file\r\n");
  write("bare", "from a file");
  write("longest", std::string(kSecretBytesMax, 'x') + "\r\n");
  const struct {
    std::string text;
    std::string password;
  } cases[] = {
      {"plain", "plain"},
      {"\"{file: line}\"", "{file: line}"},
      {"12345", "12345"},
      {"{env: GODWIT_TEST_SECRET}", "from the environment"},
      {"{file: line}", "from a file"},
      {"{file: crlf}", "from a file"},
      {"{file: bare}", "from a file"},
      {"{file: " + (directory_ / "line").string() + "}", "from a file"},
      {"{file: longest}", std::string(kSecretBytesMax, 'x')},
  };
  for (const auto& c : cases) {
    const Outcome outcome = read(c.text);
    ASSERT_TRUE(outcome.ok()) << c.text << ": " << outcome.to_string();
    EXPECT_EQ(outgoing_.relays.at(0).password, c.password) << c.text;
  }
}

TEST_F(SecretTest, WhatIsWrongNamesTheKeyAndThePlaceOnly) {
  setenv(kVariable, "", 1);
  write("empty", "\n");
  write("lines", "hush\nhush\n");
  write("octets", std::string("hush\0hush", 9));
  write("long", "hush" + std::string(kSecretBytesMax, 'x'));
  write("short", "sh!\n");
  const struct {
    std::string text;
    std::string problem;  // in it
  } cases[] = {
      {"{file: nowhere}", "g.yaml:2:22: relays[0].password.file: file `"},
      {"{file: nowhere}", "/nowhere` cannot be read: No such file or directory; a file this"},
      {"{file: .}", "cannot be read: Is a directory"},
      {"{file: empty}", "/empty` is empty; a file with one line"},
      {"{file: lines}", "/lines` has more than one line"},
      {"{file: octets}", "/octets` has more than one line"},
      {"{file: long}", "/long` is too long; 65536 octets"},
      {"{file: short}", "relays[0].password: is too short; at least 4 octets"},
      {"{env: GODWIT_TEST_SECRET}",
       "g.yaml:2:21: relays[0].password.env: the environment has no "
       "`GODWIT_TEST_SECRET`; a variable that is set and not empty"},
      {"{env: GODWIT_TEST_UNSET}", "the environment has no `GODWIT_TEST_UNSET`"},
      {"{env: }", "relays[0].password.env: names nothing; {file: PATH} or {env: NAME}"},
      {"{env: [a]}", "names nothing"},
      {"{}", "relays[0].password: says not where the secret is; {file: PATH} or {env: NAME}"},
      {"{file: line, env: GODWIT_TEST_SECRET}", "says not where the secret is"},
      {"{vault: a}", "relays[0].password.vault: unknown key; {file: PATH} or {env: NAME}"},
      {"[hush]", "relays[0].password: this is a list; text is expected"},
  };
  for (const auto& c : cases) {
    EXPECT_THAT(read(c.text).to_string(),
                AllOf(HasSubstr(c.problem), Not(HasSubstr("hush")), Not(HasSubstr("sh!"))))
        << c.text;
  }
}

TEST_F(SecretTest, OnlyHiddenKeysLookElsewhere) {
  write("line", "from a file\n");
  const Outcome outcome =
      read_text("relays: [{name: {file: line}}]", directory_ / "g.yaml", outgoing_);
  EXPECT_THAT(outcome.to_string(), HasSubstr("relays[0].name: this is a map; text is expected"));
}

TEST_F(SecretTest, ANewTextIsADifferenceThatIsNotShown) {
  write("line", "first\n");
  ASSERT_TRUE(read("{file: line}").ok());
  Outgoing before = outgoing_;
  write("line", "second\n");
  ASSERT_TRUE(read("{file: line}").ok());
  Fields old_fields;
  Fields new_fields;
  describe(old_fields, before);
  describe(new_fields, outgoing_);
  const std::vector<Change> changes = differences(old_fields, new_fields);
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].before, changes[0].after);
  EXPECT_THAT(changes[0].after, HasSubstr("password: (secret)"));
  EXPECT_THAT(print_reference(new_fields), HasSubstr("| `relays[].password` | secret | `\"\"` |"));
}

}  // namespace
}  // namespace godwit::config
