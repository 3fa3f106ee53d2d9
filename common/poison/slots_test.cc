#include "common/poison/slots.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/base/test_directory.h"
#include "common/poison/errc.h"
#include "common/poison/fake_death.h"
#include "common/poison/slots_file.h"

namespace godwit::poison {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

Work work(log::Offset offset, Step step = Step::kDecode, log::Topic topic = log::Topic::kAccepted) {
  return {{{topic, 3}, offset}, step};
}

class SlotsTest : public testing::Test {
 protected:
  [[nodiscard]] std::string octets() const {
    std::ifstream in(file_, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void write(std::string_view octets) const {
    std::ofstream(file_, std::ios::binary | std::ios::trunc) << octets;
  }
  void die_with(const std::vector<Work>& in_hand, std::size_t slots = 4) const {
    fake_death(file_, in_hand, slots);
  }

  TestDirectory directory_;
  std::filesystem::path file_ = directory_.path() / kFileName;
};

TEST_F(SlotsTest, AnEmptyDirectoryHasNoSuspects) {
  Slots slots(file_, 2);
  EXPECT_EQ(slots.size(), 2U);
  EXPECT_THAT(slots.suspects(), IsEmpty());
  EXPECT_EQ(slots.problem(), "");
  EXPECT_EQ(octets().size(), kSlotsOffset + 2 * kSlotBytes);
  EXPECT_FALSE(std::filesystem::exists(file_.string() + ".new"));
}

TEST_F(SlotsTest, WhatIsDoneCountsNobody) {
  {
    Slots slots(file_, 2);
    for (log::Offset offset = 0; offset < 100; ++offset)
      const InHand hand(slots.at(1), work(offset));
  }
  std::filesystem::create_hard_link(file_, directory_.path() / "same");
  Slots slots(file_, 2);
  EXPECT_THAT(slots.counted(), IsEmpty());
  EXPECT_THAT(slots.suspects(), IsEmpty());
  EXPECT_EQ(std::filesystem::hard_link_count(file_), 2U);  // not another file
}

TEST_F(SlotsTest, WhatIsInHandAtADeathCountsOnce) {
  die_with({work(7), work(8, Step::kTransaction, log::Topic::kRetries)});
  for (int start = 0; start < 2; ++start) {
    Slots slots(file_, 4);
    EXPECT_THAT(slots.counted(), SizeIs(start == 0 ? 2 : 0));
    EXPECT_EQ(slots.at(0).crashes(work(7)), 1U);
    EXPECT_EQ(slots.at(3).crashes(work(8, Step::kTransaction, log::Topic::kRetries)), 1U);
    EXPECT_EQ(slots.at(0).crashes(work(7, Step::kSplit)), 0U);
    EXPECT_EQ(slots.at(0).crashes(work(8)), 0U);
  }
}

// The memory of a file survives SIGKILL: with a real process, not with a copy of its file.
TEST_F(SlotsTest, SurvivesTheProcess) {
  for (std::uint32_t crash = 1; crash <= kCrashesMax; ++crash) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      Slots slots(file_, 2);
      {
        const InHand done(slots.at(0), work(1));
      }
      const InHand hand(slots.at(1), work(2));
      std::raise(SIGKILL);
      _exit(1);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status));
    const auto left = decode_file(octets());
    ASSERT_TRUE(left);
    EXPECT_THAT(left->in_hand, testing::ElementsAre(work(2)));
  }
  Slots slots(file_, 2);
  EXPECT_EQ(slots.at(0).crashes(work(2)), kCrashesMax);
  EXPECT_TRUE(slots.at(0).refuses(work(2)));
  EXPECT_FALSE(slots.at(0).refuses(work(1)));
}

TEST_F(SlotsTest, ARecordIsRefusedAtTheThirdCrash) {
  for (std::uint32_t crash = 1; crash <= kCrashesMax; ++crash) {
    die_with({work(5)});
    Slots slots(file_, 4);
    EXPECT_EQ(slots.at(0).crashes(work(5)), crash);
    EXPECT_EQ(slots.at(0).refuses(work(5)), crash == kCrashesMax);
  }
  EXPECT_EQ(refusal(Step::kDecode).code, Errc::kInHand);
  EXPECT_EQ(refusal(Step::kDecode).to_string(), "decode: in hand at 3 crashes");
}

// A crash while the counts are written: either the old file is there, or the new one.
TEST_F(SlotsTest, ACrashWhileCountingNeitherLosesNorDoubles) {
  die_with({work(5)});
  const std::string before = octets();
  {
    const Slots slots(file_, 4);
  }
  const std::string after = octets();
  // Before the rename the new file lies beside the old one, whole or not.
  write(before);
  std::ofstream(file_.string() + ".new", std::ios::binary) << after.substr(0, 100);
  {
    Slots slots(file_, 4);
    EXPECT_EQ(slots.at(0).crashes(work(5)), 1U);
  }
  Slots again(file_, 4);
  EXPECT_EQ(again.at(0).crashes(work(5)), 1U);
}

TEST_F(SlotsTest, AnotherNumberOfSlotsKeepsTheCounts) {
  die_with({work(1), work(2), work(3), work(4)}, 4);
  Slots fewer(file_, 1);
  EXPECT_THAT(fewer.counted(), SizeIs(4));
  Slots more(file_, 9);
  EXPECT_EQ(more.at(8).crashes(work(4)), 1U);
  EXPECT_EQ(octets().size(), kSlotsOffset + 9 * kSlotBytes);
}

TEST_F(SlotsTest, OnlySoManyAreRemembered) {
  die_with({work(0)});
  for (std::size_t i = 1; i <= kSuspectsMax / 4; ++i) {
    const auto base = static_cast<log::Offset>(4 * i);
    die_with({work(base), work(base + 1), work(base + 2), work(base + 3)});
  }
  Slots slots(file_, 4);
  EXPECT_THAT(slots.suspects(), SizeIs(kSuspectsMax));
  EXPECT_EQ(slots.at(0).crashes(work(0)), 0U);  // the oldest
  EXPECT_EQ(slots.at(0).crashes(work(kSuspectsMax + 3)), 1U);
}

TEST_F(SlotsTest, ASuspectThatIsCountedAgainIsTheYoungest) {
  std::vector<Suspect> suspects{{work(1), 1}, {work(2), 1}};
  const auto counted = count(suspects, {work(1), work(1)});
  ASSERT_THAT(counted, SizeIs(1));
  EXPECT_EQ(counted[0].crashes, 2U);
  EXPECT_EQ(suspects.back().work, work(1));
  EXPECT_THAT(suspects, SizeIs(2));
}

TEST_F(SlotsTest, SuspectsTakeTurns) {
  die_with({work(1), work(2)});
  Slots slots(file_, 4);
  auto first = std::make_unique<InHand>(slots.at(0), work(1));
  std::atomic<bool> second = false;
  std::thread other([&] {
    {
      const InHand innocent(slots.at(1), work(3));
    }  // waits for nobody
    const InHand hand(slots.at(1), work(2));
    second = true;
  });
  for (int i = 0; i < 1000; ++i) std::this_thread::yield();
  EXPECT_FALSE(second);
  first.reset();
  other.join();
  EXPECT_TRUE(second);
}

TEST_F(SlotsTest, WithoutADirectoryTheSlotsAreInMemory) {
  Slots slots(directory_.path() / "nowhere" / kFileName, 2);
  EXPECT_THAT(slots.problem(), HasSubstr("nowhere"));
  const InHand hand(slots.at(0), work(1));
}

// A disk that takes nothing: what was counted holds for this process.
TEST_F(SlotsTest, CountsThatCannotBeWrittenHoldInMemory) {
  for (std::uint32_t crash = 1; crash <= kCrashesMax; ++crash) die_with({work(5)});
  std::filesystem::create_directory(file_.string() + ".new");
  const std::string before = octets();
  Slots slots(file_, 4);
  EXPECT_NE(slots.problem(), "");
  EXPECT_TRUE(slots.at(0).refuses(work(5)));
  const InHand hand(slots.at(0), work(6));
  EXPECT_TRUE(octets() == before);
}

TEST_F(SlotsTest, InMemoryForTests) {
  Slots slots(1);
  {
    const InHand hand(slots.at(0), work(1));
  }
  EXPECT_EQ(slots.at(0).crashes(work(1)), 0U);
}

using SlotsDeathTest = SlotsTest;
TEST_F(SlotsDeathTest, OneThingInHandAtATime) {
  Slots slots(1);
  const InHand hand(slots.at(0), work(1));
  EXPECT_DEATH(InHand(slots.at(0), work(2)), "two records in hand");
}

struct Damage {
  const char* name;
  void (*apply)(std::string& file);
  const char* problem;
};

class DamagedFile : public SlotsTest, public testing::WithParamInterface<Damage> {};

TEST_P(DamagedFile, StartsClean) {
  die_with({work(5)});
  die_with({work(6)});
  std::string damaged = octets();
  GetParam().apply(damaged);
  write(damaged);
  {
    Slots slots(file_, 4);
    EXPECT_THAT(slots.problem(), HasSubstr(GetParam().problem));
    EXPECT_THAT(slots.suspects(), IsEmpty());
  }
  die_with({work(7)});
  Slots slots(file_, 4);
  EXPECT_EQ(slots.problem(), "");
  EXPECT_EQ(slots.at(0).crashes(work(7)), 1U);
}

INSTANTIATE_TEST_SUITE_P(
    Each, DamagedFile,
    testing::Values(
        Damage{"short_header", [](std::string& f) { f.resize(10); }, "too short"},
        Damage{"short_suspects", [](std::string& f) { f.resize(kSlotsOffset - 1); }, "too short"},
        Damage{"short_slots", [](std::string& f) { f.resize(f.size() - 1); }, "another size"},
        Damage{"long", [](std::string& f) { f += 'x'; }, "another size"},
        Damage{"magic", [](std::string& f) { f[0] ^= 1; }, "no file of slots"},
        Damage{"version", [](std::string& f) { f[8] = 2; }, "another version"},
        Damage{"checksum", [](std::string& f) { f[20] ^= 1; }, "checksum"},
        Damage{"a_count", [](std::string& f) { f[kHeaderBytes + 12] ^= 1; }, "checksum"},
        Damage{"a_suspect_beyond", [](std::string& f) { f[kSlotsOffset - 1] ^= 1; }, "checksum"}),
    [](const auto& info) { return info.param.name; });

// Slots are written in place and have no checksum: one that makes no sense counts nobody.
TEST_F(SlotsTest, ASlotThatMakesNoSenseCountsNobody) {
  const std::vector<std::pair<std::size_t, char>> cases{
      {0, 9}, {4, 0}, {4, 99}, {23, '\x80'}};  // step; topic; a negative offset
  for (const auto& [at, octet] : cases) {
    std::filesystem::remove(file_);
    die_with({work(5), work(6)});
    std::string damaged = octets();
    damaged[kSlotsOffset + at] = octet;
    write(damaged);
    Slots slots(file_, 4);
    EXPECT_EQ(slots.problem(), "");
    EXPECT_THAT(slots.counted(), SizeIs(1)) << at;
    EXPECT_EQ(slots.at(0).crashes(work(6)), 1U) << at;
  }
}

// The worked example of docs/formats/poison.md.
TEST_F(SlotsTest, TheFormatIsForEver) {
  die_with({work(0x11), work(0x1234, Step::kTransaction, log::Topic::kOutbound)}, 2);
  die_with({work(0x11)}, 2);
  const std::string file = octets();
  EXPECT_EQ(file.substr(0, 20), std::string("GDWPOISN\x01\0\0\0\x02\0\0\0\x02\0\0\0", 20));
  EXPECT_EQ(file.substr(kHeaderBytes, 24),
            std::string("\x01\0\0\0\x01\0\0\0\x03\0\0\0\x01\0\0\0\x11\0\0\0\0\0\0\0", 24));
  EXPECT_EQ(file.substr(kHeaderBytes + kSuspectBytes, 24),
            std::string("\x04\0\0\0\x03\0\0\0\x03\0\0\0\x01\0\0\0\x34\x12\0\0\0\0\0\0", 24));
  EXPECT_EQ(file.substr(kSlotsOffset, 24),
            std::string("\x01\0\0\0\x01\0\0\0\x03\0\0\0\0\0\0\0\x11\0\0\0\0\0\0\0", 24));
  EXPECT_EQ(file.substr(kSlotsOffset + kSlotBytes), std::string(kSlotBytes, '\0'));
}

}  // namespace
}  // namespace godwit::poison
