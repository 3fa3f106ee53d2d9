#include "common/commands/command_set.h"

#include <gtest/gtest.h>

namespace godwit::commands {
namespace {

using namespace std::chrono_literals;

const Timestamp kNow = from_unix_ms(1'795'375'844'000);
const Subject kSubject{.tenant = "acme",
                       .domain = "example.net",
                       .site = "example.net",
                       .pool = "default",
                       .urgent = false,
                       .message = {},
                       .accepted = kNow - 1h,
                       .tags = {}};

Command command(std::string id, Kind kind, Filter filter = {.tenant = "acme"}) {
  return {.id = CommandId(std::move(id)),
          .kind = kind,
          .filter = std::move(filter),
          .created = kNow,
          .accepted_until = kNow};
}

std::string verdict(const CommandSet& set, Timestamp now = kNow) {
  const Command* found = set.verdict(kSubject, now);
  return found == nullptr ? "" : found->id.text();
}

TEST(CommandSet, ACancelDecidesBeforeASuspendAndTheOldestOfItsKind) {
  EXPECT_EQ(verdict(CommandSet()), "");
  EXPECT_EQ(verdict(CommandSet({command("2", Kind::kSuspend), command("1", Kind::kSuspend)})), "1");
  EXPECT_EQ(verdict(CommandSet({command("1", Kind::kSuspend), command("3", Kind::kCancel),
                                command("2", Kind::kCancel)})),
            "2");
  EXPECT_EQ(verdict(CommandSet({command("1", Kind::kRetry)})), "") << "it keeps nothing back";
  EXPECT_EQ(verdict(CommandSet({command("1", Kind::kSuspend, {.tenant = "other"})})), "");
}

TEST(CommandSet, WhatIsUndoneOrEndedDecidesNothing) {
  Command undone = command("1", Kind::kSuspend);
  undone.undone = kNow;
  const CommandSet without({undone});
  EXPECT_EQ(verdict(without), "");
  EXPECT_TRUE(without.empty());

  Command ends = command("1", Kind::kSuspend);
  ends.until = kNow + 1h;
  Command later = command("2", Kind::kSuspend, {.tenant = "other"});
  later.until = kNow + 2h;
  const CommandSet set({ends, later, command("3", Kind::kSuspend, {.tenant = "third"})});
  EXPECT_EQ(verdict(set), "1");
  EXPECT_EQ(verdict(set, kNow + 1h), "");
  EXPECT_EQ(set.next_end(kNow), kNow + 1h);
  EXPECT_EQ(set.next_end(kNow + 1h), kNow + 2h);
  EXPECT_EQ(set.next_end(kNow + 2h), Timestamp::max());
  EXPECT_EQ(set.ended(kNow), 0U);
  EXPECT_EQ(set.ended(kNow + 1h), 1U);
  EXPECT_EQ(set.ended(kNow + 2h), 2U);
}

TEST(CommandSet, ASourceIsBarredAndOthersAreNot) {
  Command ends = command("1", Kind::kSuspend, {.tenant = "acme", .source = "a"});
  ends.until = kNow + 1h;
  const CommandSet set({ends});
  EXPECT_TRUE(set.any_source());
  EXPECT_EQ(verdict(set), "") << "it may leave from elsewhere";
  EXPECT_NE(set.barred(kSubject, "a", kNow), nullptr);
  EXPECT_EQ(set.barred(kSubject, "b", kNow), nullptr);
  EXPECT_EQ(set.barred(kSubject, "a", kNow + 1h), nullptr);
  Subject other = kSubject;
  other.tenant = "other";
  EXPECT_EQ(set.barred(other, "a", kNow), nullptr);
  EXPECT_FALSE(CommandSet({command("1", Kind::kSuspend)}).any_source());
}

TEST(CommandSet, RemembersWhereACommandIsThrough) {
  const CommandSet set({command("1", Kind::kRetry)}, {{CommandId("1"), 3}});
  EXPECT_TRUE(set.done(CommandId("1"), 3));
  EXPECT_FALSE(set.done(CommandId("1"), 4));
}

TEST(NoCommands, AreReadAndNone) {
  EXPECT_GT(no_commands().version(), 0U);
  EXPECT_EQ(no_commands().problem(), "");
  EXPECT_TRUE(no_commands().current()->empty());
}

}  // namespace
}  // namespace godwit::commands
