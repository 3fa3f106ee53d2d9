#include "ingress/message_options.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace godwit::ingress {
namespace {

Rope in_pieces(std::string_view text, std::size_t piece) {
  Rope rope;
  for (std::size_t at = 0; at < text.size(); at += piece) {
    rope.append(Bytes::copy_of(text.substr(at, piece)));
  }
  return rope;
}

std::expected<TakenOptions, smtp::Reply> take(std::string_view message, std::size_t piece = 4096) {
  const Rope content = in_pieces(message, piece);
  return take_options(mail::Header::scan(content), content);
}

struct Refused {
  std::string_view what;
  std::string_view message;
  std::string_view text;
};

class MessageOptionsRefused : public testing::TestWithParam<Refused> {};

TEST_P(MessageOptionsRefused, WithTheFieldAndTheReason) {
  const auto taken = take(GetParam().message);
  ASSERT_FALSE(taken.has_value());
  EXPECT_EQ(taken.error().to_text(), GetParam().text);
}

INSTANTIATE_TEST_SUITE_P(
    Cases, MessageOptionsRefused,
    testing::Values(Refused{"misspelled", "X-Godwit-Clas: urgent\r\n\r\n",
                            "550 5.6.0 Header field X-Godwit-Clas: no such option"},
                    Refused{"unknown value", "Subject: a\r\nX-Godwit-Class: high\r\n\r\n",
                            "550 5.6.0 Header field X-Godwit-Class: urgent or bulk"},
                    Refused{"no value", "X-Godwit-Class:\r\n\r\n",
                            "550 5.6.0 Header field X-Godwit-Class: urgent or bulk"},
                    Refused{"twice", "X-Godwit-Class: bulk\r\nx-godwit-class: bulk\r\n\r\n",
                            "550 5.6.0 Header field x-godwit-class: given twice"},
                    Refused{"no tag", "X-Godwit-Tag: \r\n\r\n",
                            "550 5.6.0 Header field X-Godwit-Tag: an empty tag"},
                    Refused{"an empty tag behind another", "X-Godwit-Tag: sale,\r\n\r\n",
                            "550 5.6.0 Header field X-Godwit-Tag: an empty tag"},
                    Refused{"a tag beyond ASCII", "X-Godwit-Tag: \xc3\xbc\r\n\r\n",
                            "550 5.6.0 Header field X-Godwit-Tag: a tag is of printable ASCII "
                            "characters"},
                    Refused{"a tag with a tab", "X-Godwit-Tag: a\tb\r\n\r\n",
                            "550 5.6.0 Header field X-Godwit-Tag: a tag is of printable ASCII "
                            "characters"},
                    Refused{"misspelled tag", "X-Godwit-Tags: sale\r\n\r\n",
                            "550 5.6.0 Header field X-Godwit-Tags: no such option"}),
    [](const auto& info) {
      std::string name(info.param.what);
      std::ranges::replace(name, ' ', '_');
      return name;
    });

TEST(MessageOptions, WithoutAnyTheMessageIsWhatItWas) {
  const Rope content =
      in_pieces("Subject: X-Godwit-Class: urgent\r\n\r\nX-Godwit-Class: urgent\r\n", 7);
  const auto taken = take_options(mail::Header::scan(content), content);
  ASSERT_TRUE(taken.has_value());
  EXPECT_EQ(taken->options.message_class, v1::BULK);
  EXPECT_EQ(taken->removed, 0U);
  EXPECT_EQ(taken->content.to_string(), content.to_string());
}

TEST(MessageOptions, TheFieldIsTakenOutWhereverItStands) {
  const std::string option = "x-GODWIT-class:\r\n  Urgent \r\n";
  const std::vector<std::string> others = {"From: a@b.example\r\n", "Subject: s\r\n long\r\n"};
  for (std::size_t place = 0; place <= others.size(); ++place) {
    for (const std::size_t piece : {std::size_t{1}, std::size_t{5}, std::size_t{4096}}) {
      std::string message;
      for (std::size_t i = 0; i < others.size(); ++i) {
        if (i == place) message += option;
        message += others[i];
      }
      if (place == others.size()) message += option;
      const auto taken = take(message + "\r\n..body\r\n", piece);
      ASSERT_TRUE(taken.has_value());
      EXPECT_EQ(taken->options.message_class, v1::URGENT);
      EXPECT_EQ(taken->removed, option.size());
      EXPECT_EQ(taken->content.to_string(), others[0] + others[1] + "\r\n..body\r\n");
    }
  }
}

TEST(MessageOptions, TagsOfSeveralFieldsInTheirOrderAndOnceEach) {
  const auto taken = take(
      "X-Godwit-Tag: spring sale ,weekly\r\nSubject: s\r\n"
      "x-godwit-tag:weekly,\r\n\tWeekly,\r\n a:b=c \r\n\r\nbody\r\n");
  ASSERT_TRUE(taken.has_value()) << taken.error().to_text();
  EXPECT_EQ(taken->options.tags,
            (std::vector<std::string>{"spring sale", "weekly", "Weekly", "a:b=c"}));
  EXPECT_EQ(taken->content.to_string(), "Subject: s\r\n\r\nbody\r\n");
}

TEST(MessageOptions, TagsAreBoundedInNumberAndLength) {
  std::string fields = "X-Godwit-Tag: " + std::string(kTagBytesMax, 'x') + "\r\n";
  for (std::size_t i = 1; i < kTagsMax; ++i) {
    fields += "X-Godwit-Tag: t" + std::to_string(i) + "\r\n";
  }
  const auto full = take(fields + "X-Godwit-Tag: t1\r\n\r\n");
  ASSERT_TRUE(full.has_value()) << full.error().to_text();
  EXPECT_EQ(full->options.tags.size(), kTagsMax);

  const auto many = take(fields + "X-Godwit-Tag: one more\r\n\r\n");
  ASSERT_FALSE(many.has_value());
  EXPECT_EQ(many.error().to_text(),
            "550 5.6.0 Header field X-Godwit-Tag: a message has 10 tags at most");
  const auto lengthy = take("X-Godwit-Tag: " + std::string(kTagBytesMax + 1, 'x') + "\r\n\r\n");
  ASSERT_FALSE(lengthy.has_value());
  EXPECT_EQ(lengthy.error().to_text(),
            "550 5.6.0 Header field X-Godwit-Tag: a tag has 128 characters at most");
}

TEST(MessageOptions, AMessageOfNothingElseIsEmptyAfterwards) {
  const auto taken = take("X-Godwit-Class: urgent\r\n");
  ASSERT_TRUE(taken.has_value());
  EXPECT_TRUE(taken->content.empty());
}

}  // namespace
}  // namespace godwit::ingress
