#include "common/capture/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "common/base/test_directory.h"
#include "common/capture/errc.h"

namespace godwit::capture {
namespace {

using testing::ElementsAre;

class CaptureStore : public testing::Test {
 protected:
  std::unique_ptr<Store> open(Limits limits = {}) {
    auto store = Store::open(directory_.path(), limits);
    EXPECT_TRUE(store) << store.error().to_string();
    return *std::move(store);
  }
  static Metadata from(std::string sender, std::int64_t time = 1'000) {
    return {
        .time = from_unix_ms(time), .sender = std::move(sender), .recipients = {"r@example.net"}};
  }
  std::vector<std::string> senders() {
    const auto listing = Reader(directory_.path()).list(0, 1'000'000);
    EXPECT_TRUE(listing);
    std::vector<std::string> senders;
    for (const Metadata& mail : listing->mails) senders.push_back(mail.sender);
    EXPECT_EQ(senders.size(), listing->total);
    return senders;
  }
  std::set<std::string> extensions() {
    std::set<std::string> found;
    for (const auto& entry : std::filesystem::directory_iterator(directory_.path())) {
      found.insert(entry.path().extension().string());
    }
    return found;
  }
  std::size_t files() {
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator(directory_.path()), {}));
  }

  TestDirectory directory_;
};

TEST_F(CaptureStore, KeepsOctetsAsTheyAreAndWhatCameWithThem) {
  const auto store = open();
  const std::string octets =
      "Subject: =?utf-8?q?gr=C3=BCn?=\r\nFrom: a\r\nTo: b\r\nMessage-ID: <1@x>\r\n\r\n.\r\n" +
      std::string("\0\xff", 2);
  Metadata metadata = from("s@example.net");
  metadata.client = "127.0.0.1:1";
  metadata.helo = "mta";
  metadata.tls = "TLSv1.3";
  metadata.parameters = "SMTPUTF8";
  const auto id = store->add(metadata, octets);
  ASSERT_TRUE(id) << id.error().to_string();

  const Reader reader(directory_.path());
  EXPECT_EQ(reader.octets(*id).value_or(""), octets);
  const auto read = reader.metadata(*id);
  ASSERT_TRUE(read) << read.error().to_string();
  metadata.id = *id;
  metadata.size = octets.size();
  metadata.from = "a";
  metadata.to = "b";
  metadata.subject = "grün";
  metadata.message_id = "<1@x>";
  EXPECT_EQ(*read, metadata);
  EXPECT_EQ(reader.newest().value().value(), *id);
}

TEST_F(CaptureStore, OctetsThatAreNotUtf8DoNotBreakTheMetadata) {
  const auto store = open();
  const auto id = store->add(from("s\xff\"\n@x"), "Subject: \xc3\x28\r\n\r\n");
  ASSERT_TRUE(id);
  const auto read = Reader(directory_.path()).metadata(*id);
  ASSERT_TRUE(read) << read.error().to_string();
  EXPECT_EQ(read->sender, "s\xef\xbf\xbd\"\n@x");
}

TEST_F(CaptureStore, DropsTheOldestOverTheCount) {
  const auto store = open({.count_max = 3});
  for (const char* sender : {"1", "2", "3", "4", "5"}) ASSERT_TRUE(store->add(from(sender), "x"));
  EXPECT_THAT(senders(), ElementsAre("5", "4", "3"));
  EXPECT_EQ(files(), 6u);
}

TEST_F(CaptureStore, DropsTheOldestOverTheOctets) {
  const auto store = open({.bytes_max = 10});
  ASSERT_TRUE(store->add(from("1"), "aaaa"));
  ASSERT_TRUE(store->add(from("2"), "bbbb"));
  ASSERT_TRUE(store->add(from("3"), "cc"));
  EXPECT_THAT(senders(), ElementsAre("3", "2", "1"));
  ASSERT_TRUE(store->add(from("4"), "dddddd"));
  EXPECT_THAT(senders(), ElementsAre("4", "3"));
  ASSERT_TRUE(store->add(from("5"), "eeeeeeeeee"));
  EXPECT_THAT(senders(), ElementsAre("5"));
}

TEST_F(CaptureStore, RefusesWhatCanNeverFitAndKeepsTheRest) {
  const auto store = open({.bytes_max = 10});
  ASSERT_TRUE(store->add(from("1"), "aaaa"));
  const auto refused = store->add(from("2"), "bbbbbbbbbbb");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kTooLarge);
  EXPECT_THAT(senders(), ElementsAre("1"));
}

TEST_F(CaptureStore, IdsGoUpThoughTheClockGoesBack) {
  const auto store = open();
  CaptureId last;
  for (const std::int64_t time : {5'000, 4'000, 4'000, 1, 5'000}) {
    const auto id = store->add(from("s", time), "x");
    ASSERT_TRUE(id);
    EXPECT_GT(*id, last);
    last = *id;
  }
}

TEST_F(CaptureStore, TakesUpWhereItWasLeft) {
  ASSERT_TRUE(open()->add(from("1"), "a"));
  ASSERT_TRUE(open()->add(from("2", 1), "b"));  // the clock went back over the restart
  EXPECT_THAT(senders(), ElementsAre("2", "1"));
  const auto smaller = open({.count_max = 1});
  EXPECT_THAT(senders(), ElementsAre("2"));
}

TEST_F(CaptureStore, ClearsWhatAnEarlierEndLeftHalfWritten) {
  const auto id = open()->add(from("1"), "a");
  ASSERT_TRUE(id);
  const auto lost = open()->add(from("2"), "b");
  ASSERT_TRUE(lost);
  std::filesystem::remove(directory_ / (lost->to_text() + ".eml"));
  directory_.write("0190a6d8-5b3f-7c41-9d2e-0f6a1b2c3d4e.eml", "no metadata");
  directory_.write("0190a6d8-5b3f-7c41-9d2e-0f6a1b2c3d4e.json.new", "half");
  directory_.write("note.txt", "not ours");
  const auto store = open();
  EXPECT_THAT(senders(), ElementsAre("1"));
  EXPECT_EQ(files(), 3u);
  EXPECT_EQ(extensions(), (std::set<std::string>{".eml", ".json", ".txt"}));
}

TEST_F(CaptureStore, ADirectoryThatCannotBeMadeIsAnError) {
  directory_.write("file", "x");
  const auto store = Store::open(directory_ / "file" / "capture", {});
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, Errc::kIo);
}

TEST_F(CaptureStore, ListsInPages) {
  const auto store = open();
  for (const char* sender : {"1", "2", "3", "4", "5"}) ASSERT_TRUE(store->add(from(sender), "x"));
  const auto page = Reader(directory_.path()).list(1, 2);
  ASSERT_TRUE(page);
  EXPECT_EQ(page->total, 5u);
  ASSERT_EQ(page->mails.size(), 2u);
  EXPECT_EQ(page->mails[0].sender, "4");
  EXPECT_EQ(page->mails[1].sender, "3");
  EXPECT_TRUE(Reader(directory_.path()).list(9, 2)->mails.empty());
}

TEST_F(CaptureStore, ReadersOfNothing) {
  const Reader reader(directory_ / "never");
  EXPECT_EQ(reader.list(0, 10)->total, 0u);
  EXPECT_FALSE(reader.newest().value().has_value());
  EXPECT_EQ(reader.octets(CaptureId{}).error().code, Errc::kNotFound);
  EXPECT_EQ(reader.metadata(CaptureId{}).error().code, Errc::kNotFound);
}

class BadMetadata : public testing::TestWithParam<const char*> {};

TEST_P(BadMetadata, IsRefused) {
  const auto read = metadata_from_json(GetParam());
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, Errc::kBadMetadata);
}

INSTANTIATE_TEST_SUITE_P(
    Cases, BadMetadata,
    testing::Values(
        "", "{", "[]", "{}", R"({"id":"x","time_unix_ms":1,"sender":"","recipients":[],"size":1})",
        R"({"id":"0190a6d8-5b3f-7c41-9d2e-0f6a1b2c3d4e","time_unix_ms":"1","sender":"","recipients":[],"size":1})",
        R"({"id":"0190a6d8-5b3f-7c41-9d2e-0f6a1b2c3d4e","time_unix_ms":1,"sender":"","recipients":[1],"size":1})"));

}  // namespace
}  // namespace godwit::capture
