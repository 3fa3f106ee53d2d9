#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/bytes.h"

namespace godwit::mail {

inline constexpr std::size_t kHeaderBytesMax = 256 * 1024;
inline constexpr std::string_view kOurPrefix = "X-Godwit-";  // of names of fields meant for us

// One header field as it stands in the message. Views into the Header they came from.
struct Field {
  std::string_view name;   // "Subject": before the colon, without white space behind it
  std::string_view value;  // behind the colon up to the final CRLF, folds included
  std::string_view raw;    // the whole field: name, colon, value, final CRLF
};

// The header section of a message, looked at and never changed: a signature over it must go on to
// hold.
//
// Input     content in wire form (CRLF line ends, dot-stuffed or not). Only the header section is
//           looked at.
// Output    fields in order, byte by byte as they came: octets() is the concatenation of all
//           Field::raw
// End       the first line that is empty (kEmptyLine), or is neither a field nor a continuation
//           (kNotAField: as Postfix does, the body begins with that line), the end of the content
//           (kEndOfContent), or bytes_max (kTooLong: octets() ends with the last whole field below
//           it)
// Laxer     than RFC 5322 s2.2: white space before the colon is taken (s4.5 obs-optional), octets
//           above 127 are taken anywhere in a value (RFC 6532), a line may be longer than 998
//           octets. In wire form a field name that begins with a dot keeps its stuffing; no such
//           field means anything.
// Limits    time linear in the header section. No copy where the section lies in one piece of the
//           Rope; otherwise one copy of it, at most bytes_max.
// Threads   pure; iteration may go on in several threads at once
// Source    RFC 5322 s2.2, s2.2.3 (folding)
class Header {
 public:
  enum class End : std::uint8_t { kEmptyLine, kEndOfContent, kNotAField, kTooLong };

  [[nodiscard]] static Header scan(const Rope& content, std::size_t bytes_max = kHeaderBytesMax);

  [[nodiscard]] std::string_view octets() const { return octets_.view(); }
  [[nodiscard]] End end() const { return end_; }
  // Where the body begins in the content, the empty line left behind.
  [[nodiscard]] std::size_t body_offset() const { return body_offset_; }

  class Iterator {
   public:
    using value_type = Field;
    using difference_type = std::ptrdiff_t;
    using iterator_category = std::forward_iterator_tag;

    Iterator() = default;
    explicit Iterator(std::string_view rest) : rest_(rest) { read(); }
    const Field& operator*() const { return field_; }
    const Field* operator->() const { return &field_; }
    Iterator& operator++() {
      rest_.remove_prefix(field_.raw.size());
      read();
      return *this;
    }
    Iterator operator++(int) {
      Iterator before = *this;
      ++*this;
      return before;
    }
    bool operator==(const Iterator& other) const { return rest_.size() == other.rest_.size(); }

   private:
    void read();
    std::string_view rest_;
    Field field_;
  };
  [[nodiscard]] Iterator begin() const { return Iterator(octets()); }
  [[nodiscard]] Iterator end_of_fields() const {
    return Iterator(octets().substr(octets().size()));
  }

 private:
  Bytes octets_;
  std::size_t body_offset_ = 0;
  End end_ = End::kEndOfContent;
};

// What one pass over the fields tells. Values are the first of their kind, raw; views into the
// Header.
struct HeaderFacts {
  std::uint32_t fields = 0;
  std::uint32_t received = 0;     // trace lines: a loop when there are too many (RFC 5321 s6.3)
  std::uint32_t of_ours = 0;      // kOurPrefix
  std::uint32_t from_fields = 0;  // more than one is against RFC 5322 s3.6
  std::optional<std::string_view> from;
  std::optional<std::string_view> sender;
  std::optional<std::string_view> to;
  std::optional<std::string_view> subject;
  std::optional<std::string_view> date;
  std::optional<std::string_view> message_id;
  std::optional<std::string_view> mime_version;
  bool has_8bit = false;  // an octet above 127 in the header section: needs SMTPUTF8 (RFC 6532)
};
[[nodiscard]] HeaderFacts facts_of(const Header& header);

// True for the name of a field that is meant for us.
[[nodiscard]] bool is_ours(std::string_view name);

// The first field of that name, case ignored (RFC 5322 s1.2.2).
[[nodiscard]] std::optional<Field> find_field(const Header& header, std::string_view name);

// A value with its folds taken out (RFC 5322 s2.2.3: the CRLF goes, the white space stays) and
// without white space at its ends.
[[nodiscard]] std::string unfolded(std::string_view value);

}  // namespace godwit::mail
