#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/clock.h"
#include "common/base/random.h"

namespace godwit {

// Identifies one accepted message: a UUID version 7 (RFC 9562 s5.7), so that ids sort by acceptance time.
// Text form: 36 lower-case characters. Binary form: 16 octets, as records carry it.
class MessageId {
 public:
  MessageId() = default;
  [[nodiscard]] static MessageId generate(const Clock& clock, Random& random);
  [[nodiscard]] static std::optional<MessageId> from_text(std::string_view text);
  [[nodiscard]] static std::optional<MessageId> from_octets(std::string_view octets);

  [[nodiscard]] std::string to_text() const;
  [[nodiscard]] std::string_view octets() const {
    return {reinterpret_cast<const char*>(octets_.data()), octets_.size()};
  }
  [[nodiscard]] Timestamp time() const;
  // Spreads ids evenly and is the same for ever: the partition of a message is hash() % partitions.
  [[nodiscard]] std::uint64_t hash() const;

  auto operator<=>(const MessageId&) const = default;

 private:
  std::array<std::uint8_t, 16> octets_{};
};

// A number below a message: "<message id>/<index>". RecipientId counts what was promised, over all accepted
// records of the message; DeliveryId carries the smallest recipient index the delivery had when first routed.
template <class Tag>
struct IndexedId {
  MessageId message;
  std::uint32_t index = 0;

  [[nodiscard]] std::string to_text() const {
    return message.to_text() + "/" + std::to_string(index);
  }
  [[nodiscard]] static std::optional<IndexedId> from_text(std::string_view text);

  auto operator<=>(const IndexedId&) const = default;
};
using RecipientId = IndexedId<struct RecipientIdTag>;
using DeliveryId = IndexedId<struct DeliveryIdTag>;

// A name that is not just any string. Two kinds of name do not compare or convert.
template <class Tag>
class Name {
 public:
  Name() = default;
  explicit Name(std::string text) : text_(std::move(text)) {}
  [[nodiscard]] const std::string& text() const { return text_; }
  [[nodiscard]] bool empty() const { return text_.empty(); }
  auto operator<=>(const Name&) const = default;

 private:
  std::string text_;
};
using TenantName = Name<struct TenantNameTag>;
using PoolName = Name<struct PoolNameTag>;
using SourceName = Name<struct SourceNameTag>;
using SiteName = Name<struct SiteNameTag>;

// A lane: all mail that shares one reputation, (site, pool). One sender at a time owns it.
struct LaneId {
  SiteName site;
  PoolName pool;
  auto operator<=>(const LaneId&) const = default;
};

}  // namespace godwit

template <>
struct std::hash<godwit::MessageId> {
  std::size_t operator()(const godwit::MessageId& id) const noexcept { return id.hash(); }
};
template <class Tag>
struct std::hash<godwit::IndexedId<Tag>> {
  std::size_t operator()(const godwit::IndexedId<Tag>& id) const noexcept {
    return id.message.hash() * 31 + id.index;
  }
};
template <class Tag>
struct std::hash<godwit::Name<Tag>> {
  std::size_t operator()(const godwit::Name<Tag>& name) const noexcept {
    return std::hash<std::string>{}(name.text());
  }
};
template <>
struct std::hash<godwit::LaneId> {
  std::size_t operator()(const godwit::LaneId& lane) const noexcept {
    return std::hash<godwit::SiteName>{}(lane.site) * 31 + std::hash<godwit::PoolName>{}(lane.pool);
  }
};
