#include "common/audit/salvage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/random.h"
#include "common/record/records.h"

namespace godwit::audit {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const MessageId kId = *MessageId::from_octets(std::string(16, 'm'));

std::string record() {
  record::Message message;
  message.head.set_message_id(std::string(kId.octets()));
  message.head.set_tenant("acme");
  for (const std::uint32_t index : {4U, 7U}) {
    auto& recipient = *message.envelope.add_recipients();
    recipient.set_index(index);
    recipient.set_address("r@example.net");
  }
  message.data = Rope(Bytes::of_static("Subject: x\r\n\r\ny\r\n"));
  message.content.set_size(message.data.size());
  return record::encode(message)->to_string();
}

TEST(Salvage, ReadsWhatIsWhole) {
  const Salvaged salvaged = salvage(record());
  EXPECT_EQ(salvaged.message, kId);
  EXPECT_THAT(salvaged.recipients, ElementsAre(4, 7));
}

TEST(Salvage, ReadsTheHeadOfWhatIsCut) {
  const std::string whole = record();
  const Salvaged in_content = salvage(std::string_view(whole).substr(0, whole.size() - 3));
  EXPECT_EQ(in_content.message, kId);
  EXPECT_THAT(in_content.recipients, ElementsAre(4, 7));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const Salvaged salvaged = salvage(std::string_view(whole).substr(0, size));
    // All of them or none: never some.
    EXPECT_THAT(salvaged.recipients, testing::AnyOf(IsEmpty(), ElementsAre(4, 7))) << size;
  }
}

TEST(Salvage, TakesAnyOctets) {
  const std::string whole = record();
  for (std::uint64_t seed = 1; seed <= 2'000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    SeededRandom random(seed);
    std::string damaged = whole;
    for (int i = 0; i < 4; ++i) {
      damaged[random.below(damaged.size())] = static_cast<char>(random.next());
    }
    EXPECT_LE(salvage(damaged).recipients.size(), damaged.size());
  }
  EXPECT_EQ(salvage("").message, std::nullopt);
  EXPECT_EQ(salvage("\xff\xff\xff").message, std::nullopt);
}

}  // namespace
}  // namespace godwit::audit
