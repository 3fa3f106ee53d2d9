#include "cli/kubernetes/stateful_set.h"

#include <gtest/gtest.h>

#include <string>

namespace godwit::cli::kubernetes {
namespace {

TEST(StatefulSet, MemberByItsName) {
  struct {
    const char* pod;
    const char* set;
    std::uint32_t ordinal;
  } const cases[] = {{"godwit-sender-0", "godwit-sender", 0},
                     {"godwit-sender-12", "godwit-sender", 12},
                     {"a-4294967295", "a", 4'294'967'295}};
  for (const auto& [pod, set, ordinal] : cases) {
    const auto member = member_of(pod);
    ASSERT_TRUE(member) << pod;
    EXPECT_EQ(member->set, set);
    EXPECT_EQ(member->ordinal, ordinal);
  }
  for (const char* const pod : {"", "-", "-1", "sender", "sender-", "sender-x", "sender-1x",
                                "godwit-router-7d4b9c-x2x4z", "sender-4294967296", "sender-+1"}) {
    EXPECT_FALSE(member_of(pod)) << pod;
  }
}

TEST(StatefulSet, OrdinalsItIsToHave) {
  const auto of = [](const std::string& spec) {
    return ordinals_of(R"({"kind":"StatefulSet","spec":)" + spec + "}");
  };
  const auto three = of(R"({"replicas":3})");
  ASSERT_TRUE(three);
  EXPECT_TRUE(three->contain(2));
  EXPECT_FALSE(three->contain(3));
  const auto none = of(R"({"replicas":0})");
  ASSERT_TRUE(none);
  EXPECT_FALSE(none->contain(0));
  const auto unsaid = of("{}");
  ASSERT_TRUE(unsaid);
  EXPECT_TRUE(unsaid->contain(0));
  EXPECT_FALSE(unsaid->contain(1));
  const auto later = of(R"({"replicas":2,"ordinals":{"start":5}})");
  ASSERT_TRUE(later);
  EXPECT_FALSE(later->contain(4));
  EXPECT_TRUE(later->contain(6));
  EXPECT_FALSE(later->contain(7));
}

TEST(StatefulSet, WhatIsNone) {
  for (const char* const text :
       {"", "[]", "{", R"({"kind":"Status","code":404})", R"({"kind":"StatefulSet"})",
        R"({"kind":"StatefulSet","spec":{"replicas":"3"}})",
        R"({"kind":"StatefulSet","spec":{"replicas":-1}})",
        R"({"kind":"StatefulSet","spec":{"replicas":1.5}})",
        R"({"kind":"StatefulSet","spec":{"replicas":1,"ordinals":{"start":"x"}}})",
        R"({"kind":"StatefulSet","spec":{"replicas":1,"ordinals":7}})"}) {
    EXPECT_FALSE(ordinals_of(text)) << text;
  }
}

}  // namespace
}  // namespace godwit::cli::kubernetes
