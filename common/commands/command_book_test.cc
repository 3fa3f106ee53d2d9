#include "common/commands/command_book.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "common/base/manual_clock.h"
#include "common/base/test_eventually.h"
#include "common/commands/errc.h"
#include "common/log/fake_log.h"
#include "common/log/forwarding_log.h"
#include "godwit/v1/command.pb.h"

namespace godwit::commands {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class CommandBookTest : public testing::Test {
 protected:
  std::unique_ptr<CommandBook> open() {
    auto book = CommandBook::open(log_, clock_, "mta1").value();
    EXPECT_TRUE(eventually([&] { return book->problem().empty(); }));
    return book;
  }
  static Order order(Kind kind = Kind::kSuspend) {
    return {.kind = kind, .filter = {.tenant = "acme"}, .reason = "because", .actor = "ann"};
  }
  [[nodiscard]] std::map<std::string, std::string> rows() const {
    return log_.rows({log::Topic::kCommands, 0});
  }
  [[nodiscard]] Subject subject() const {
    return {.tenant = "acme", .accepted = clock_.now() - 1s};
  }

  ManualClock clock_;
  log::FakeLog log_{clock_, 2};
};

TEST_F(CommandBookTest, WhatIsIssuedIsInForceHereAndThereAndAfterARestart) {
  auto here = open();
  const auto there = open();
  EXPECT_GT(here->version(), 0U) << "an empty table has been read, too";
  const Command command = here->issue(order()).value();
  EXPECT_EQ(here->current()->verdict(subject(), clock_.now())->id, command.id);
  EXPECT_TRUE(eventually([&] { return there->current()->all().size() == 1; }));
  here = open();
  ASSERT_THAT(here->current()->all(), SizeIs(1));
  EXPECT_EQ(here->current()->all().front(), command);
  EXPECT_EQ(command.reason, "because");
  EXPECT_EQ(command.node, "mta1");
}

TEST_F(CommandBookTest, UndoEndsItOnce) {
  const auto book = open();
  const Command command = book->issue(order()).value();
  EXPECT_EQ(book->undo(CommandId("nobody"), "bob", "r").error().code, Errc::kNoSuchCommand);
  EXPECT_EQ(book->undo(command.id, "bob", "").error().code, Errc::kBadCommand);
  const std::uint64_t version = book->version();
  const Command undone = book->undo(command.id, "bob", "enough").value();
  EXPECT_GT(book->version(), version);
  EXPECT_EQ(undone.undone_by, "bob");
  EXPECT_TRUE(book->current()->empty());
  EXPECT_EQ(book->undo(command.id, "bob", "again").error().code, Errc::kOver);
  const auto listed = book->list().value();
  ASSERT_THAT(listed, SizeIs(1));
  EXPECT_EQ(listed.front().command, undone);
}

TEST_F(CommandBookTest, WhatTheLogDoesNotTakeIsNotInForce) {
  const auto book = open();
  EXPECT_EQ(book->issue({}).error().code, Errc::kBadCommand);
  log_.fail_next(log::Errc::kNoSpace);
  EXPECT_EQ(book->issue(order()).error().code, log::Errc::kNoSpace);
  EXPECT_TRUE(book->current()->empty());
  log_.unknown_next(/*written=*/false);
  const auto unknown = book->issue(order());
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, Errc::kUnfinished);
  EXPECT_THAT(unknown.error().context, HasSubstr("commands list"));
}

TEST_F(CommandBookTest, AsManyAsMayBeAreInForce) {
  {
    const auto table = log_.shared_table(log::Topic::kCommands).value();
    std::vector<log::TableChange> changes;
    for (std::size_t i = 0; i < CommandBook::kInForceMax; ++i) {
      const Command command{.id = CommandId(std::to_string(i)),
                            .kind = Kind::kSuspend,
                            .filter = {.tenant = "t"},
                            .created = clock_.now()};
      changes.push_back({{log::Topic::kCommands, 0},
                         command_key(command.id),
                         Rope(Bytes::copy_of(encode(command)))});
    }
    table->change(std::move(changes), [](Result<log::Written> done) { EXPECT_TRUE(done); });
  }
  const auto book = open();
  EXPECT_EQ(book->issue(order()).error().code, Errc::kTooMany);
  ASSERT_TRUE(book->undo(CommandId("7"), "ann", "room"));
  EXPECT_TRUE(book->issue(order()));
}

TEST_F(CommandBookTest, WhatIsNotUnderstoodIsLeftOutAndStays) {
  v1::Command later;
  later.set_version(2);
  later.set_id("x");
  later.set_kind(v1::Command::CANCEL);
  later.mutable_filter()->set_tenant("acme");
  const auto table = log_.shared_table(log::Topic::kCommands).value();
  table->change(
      {{{log::Topic::kCommands, 0}, "c/x", Rope(Bytes::copy_of(later.SerializeAsString()))},
       {{log::Topic::kCommands, 0}, "c/y", Rope(Bytes::copy_of("\xff"))}},
      [](Result<log::Written> done) { EXPECT_TRUE(done); });
  const auto book = open();
  EXPECT_THAT(book->current()->all(), IsEmpty());
  const Command command = book->issue(order()).value();
  EXPECT_THAT(book->current()->all(), SizeIs(1));
  EXPECT_THAT(rows(), SizeIs(3));
}

TEST_F(CommandBookTest, ProgressIsCountedOnFromOneOwnerToTheNext) {
  auto here = open();
  const Command command = here->issue(order(Kind::kCancel)).value();
  const std::uint64_t version = here->version();
  here->owned(0);
  here->report(command.id, 0, {.deliveries = 2, .recipients = 3});
  here->report(command.id, 1, {.deliveries = 1, .recipients = 1, .complete = true});
  const auto sum = [&](CommandBook& book) {
    const auto listed = book.list().value();
    return listed.empty() ? Progress{} : listed.front().progress;
  };
  EXPECT_TRUE(eventually([&] { return sum(*here).deliveries == 3; }));
  EXPECT_FALSE(sum(*here).complete) << "partition 0 is not through";
  here.reset();
  auto there = open();
  there->owned(0);
  there->report(command.id, 0, {.deliveries = 5, .recipients = 5, .complete = true});
  EXPECT_TRUE(eventually([&] { return sum(*there).deliveries == 8; }));
  EXPECT_EQ(sum(*there).recipients, 9U);
  EXPECT_TRUE(sum(*there).complete);
  there.reset();
  there = open();
  EXPECT_TRUE(there->current()->done(command.id, 0));
  EXPECT_EQ(there->version(), 1U) << "counts are no change of what is in force";
  EXPECT_GT(version, 0U);
}

TEST_F(CommandBookTest, ProgressThatTheLogDoesNotTakeIsWrittenLater) {
  const auto book = open();
  const Command command = book->issue(order()).value();
  log_.fail_next(log::Errc::kUnavailable);
  book->report(command.id, 0, {.deliveries = 1, .recipients = 1});
  EXPECT_TRUE(eventually([&] { return rows().contains(progress_key(command.id, 0)); }));
}

TEST_F(CommandBookTest, WhatIsOverGoesAWeekLater) {
  const auto book = open();
  const Command first = book->issue(order()).value();
  book->report(first.id, 0, {.deliveries = 1, .recipients = 1});
  EXPECT_TRUE(eventually([&] { return rows().contains(progress_key(first.id, 0)); }));
  Order ends = order();
  ends.until = clock_.now() + 1h;
  const Command second = book->issue(ends).value();
  ASSERT_TRUE(book->undo(first.id, "ann", "done"));
  clock_.advance(CommandBook::kKept);
  const Command third = book->issue(order()).value();
  EXPECT_FALSE(rows().contains(command_key(first.id)));
  EXPECT_FALSE(rows().contains(progress_key(first.id, 0)));
  EXPECT_TRUE(rows().contains(command_key(second.id))) << "it ended an hour later";
  EXPECT_TRUE(rows().contains(command_key(third.id)));
}

// A log whose tables have not been read to their end until it says so.
class SlowToRead final : public log::ForwardingLog {
 public:
  using ForwardingLog::ForwardingLog;
  [[nodiscard]] Result<std::unique_ptr<log::SharedTable>> shared_table(log::Topic topic) override {
    TRY(auto table, ForwardingLog::shared_table(topic));
    return std::make_unique<Copy>(std::move(table), read);
  }
  std::atomic<bool> read{false};

 private:
  class Copy final : public log::SharedTable {
   public:
    Copy(std::unique_ptr<log::SharedTable> table, std::atomic<bool>& read)
        : table_(std::move(table)), read_(read) {}
    [[nodiscard]] const log::Table& local() const override { return table_->local(); }
    [[nodiscard]] bool caught_up() const override { return read_; }
    void change(std::vector<log::TableChange> changes, log::WriteDone done) override {
      table_->change(std::move(changes), std::move(done));
    }
    void when_changed(Changed changed) override { table_->when_changed(std::move(changed)); }

   private:
    const std::unique_ptr<log::SharedTable> table_;
    std::atomic<bool>& read_;
  };
};

TEST_F(CommandBookTest, BeforeItIsReadNothingIsKnownAndNothingIsTaken) {
  const Command command = open()->issue(order()).value();
  SlowToRead slow(log_);
  const auto book = CommandBook::open(slow, clock_, "mta1").value();
  EXPECT_EQ(book->version(), 0U);
  EXPECT_EQ(book->problem(), "the commands are being read");
  EXPECT_EQ(book->issue(order()).error().code, Errc::kNotReady);
  EXPECT_EQ(book->undo(command.id, "ann", "r").error().code, Errc::kNotReady);
  EXPECT_EQ(book->list().error().code, Errc::kNotReady);
  // A row that comes meanwhile is not the end of the table.
  open()->issue(order()).value();
  EXPECT_EQ(book->version(), 0U);
  slow.read = true;
  EXPECT_TRUE(eventually([&] { return book->problem().empty(); }));
  EXPECT_THAT(book->current()->all(), SizeIs(2));
}

}  // namespace
}  // namespace godwit::commands
