#include "common/record/wire.h"

#include <array>
#include <bit>
#include <span>
#include <vector>

#include "common/record/errc.h"

namespace godwit::record {
namespace {

enum class WireType : std::uint8_t { kVarint = 0, kFixed64 = 1, kLength = 2, kFixed32 = 5 };

// Walks octets that lie in one piece.
class FlatCursor {
 public:
  explicit FlatCursor(std::string_view octets) : at_(octets.data()), end_(at_ + octets.size()) {}

  // Octets from here to the end.
  [[nodiscard]] std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }

  std::optional<std::uint8_t> octet() {
    if (at_ == end_) return std::nullopt;
    return static_cast<std::uint8_t>(*at_++);
  }

  // `count` <= left()
  void skip(std::size_t count) { at_ += count; }

 private:
  const char* at_;
  const char* end_;
};

// The same over the pieces of a Rope.
class PiecesCursor {
 public:
  explicit PiecesCursor(std::span<const Bytes> pieces) : pieces_(pieces) {
    for (const Bytes& piece : pieces) behind_ += piece.size();
    enter();
  }

  [[nodiscard]] std::size_t left() const { return here_.left() + behind_; }

  std::optional<std::uint8_t> octet() {
    if (here_.left() == 0 && !enter()) return std::nullopt;
    return here_.octet();
  }

  void skip(std::size_t count) {
    while (count > here_.left()) {
      count -= here_.left();
      enter();
    }
    here_.skip(count);
  }

 private:
  // To the next piece; false behind the last.
  bool enter() {
    if (next_ == pieces_.size()) return false;
    const std::string_view piece = pieces_[next_++].view();
    behind_ -= piece.size();
    here_ = FlatCursor(piece);
    return true;
  }

  FlatCursor here_{{}};
  std::span<const Bytes> pieces_;
  std::size_t next_ = 0;    // piece behind this one
  std::size_t behind_ = 0;  // octets in those
};

// Inlined, as what calls it: a cursor in registers is a third of the cost of one in memory.
template <class Cursor>
[[gnu::always_inline]] inline bool read_varint(Cursor& cursor, std::uint64_t& value) {
  value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    const std::optional<std::uint8_t> next = cursor.octet();
    if (!next) return false;
    value |= std::uint64_t{*next & 0x7FU} << shift;
    if (*next < 0x80) return true;
  }
  return false;  // longer than ten octets
}

struct FieldHead {
  std::uint32_t number = 0;
  WireType type{};
  std::uint64_t value = 0;        // of a varint
  std::size_t payload_bytes = 0;  // behind the head
};

// False: no field.
template <class Cursor>
[[gnu::always_inline]] inline bool read_head(Cursor& cursor, FieldHead& head) {
  std::uint64_t tag = 0;
  if (!read_varint(cursor, tag) || tag > 0xFFFF'FFFF || tag >> 3 == 0) return false;
  head.number = static_cast<std::uint32_t>(tag >> 3);
  head.type = static_cast<WireType>(tag & 7);
  head.payload_bytes = 0;
  switch (head.type) {
    case WireType::kVarint: return read_varint(cursor, head.value);
    case WireType::kFixed64: head.payload_bytes = 8; break;
    case WireType::kFixed32: head.payload_bytes = 4; break;
    case WireType::kLength: {
      std::uint64_t length = 0;
      if (!read_varint(cursor, length)) return false;
      head.payload_bytes = length;
      break;
    }
    default: return false;  // groups, which proto3 does not have, and what is no wire type
  }
  return head.payload_bytes <= cursor.left();
}

std::unexpected<Error> malformed(std::size_t offset) {
  return fail(Errc::kMalformed, "at octet " + std::to_string(offset));
}

// Part of a Rope as one run; copied only where it does not lie in one piece.
Bytes contiguous(const Rope& rope, std::size_t from, std::size_t length) {
  std::size_t begin = 0;
  for (const Bytes& piece : rope.pieces()) {
    if (from < begin + piece.size()) {
      if (from - begin + length > piece.size()) break;
      return piece.slice(from - begin, length);
    }
    begin += piece.size();
  }
  return rope.slice(from, length).flatten();
}

// Joins the runs between the taken fields.
class Rest {
 public:
  void add(std::size_t from, std::size_t to) {
    if (from == to) return;
    if (last_.to == from) {
      last_.to = to;
      return;
    }
    if (last_.from != last_.to) before_.push_back(last_);
    last_ = {from, to};
  }

  [[nodiscard]] Bytes of(const Rope& message) const {
    if (before_.empty()) {
      return last_.from == last_.to ? Bytes{}
                                    : contiguous(message, last_.from, last_.to - last_.from);
    }
    Rope rest;
    for (const Run& run : before_) rest.append(message.slice(run.from, run.to - run.from));
    rest.append(message.slice(last_.from, last_.to - last_.from));
    return rest.flatten();
  }

 private:
  struct Run {
    std::size_t from = 0;
    std::size_t to = 0;
  };
  std::vector<Run> before_;  // few messages have any: what is taken mostly stands at the end
  Run last_;
};

std::size_t varint_bytes(std::uint64_t value) {
  // Seven bits an octet, one octet at least: (bits + 6) / 7 by a multiplication.
  return (static_cast<std::size_t>(std::bit_width(value | 1)) * 9 + 64) / 64;
}

char* put_varint(char* at, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) *at++ = static_cast<char>(value | 0x80);
  *at++ = static_cast<char>(value);
  return at;
}

std::uint64_t length_tag(std::uint32_t number) {
  return std::uint64_t{number} << 3 | static_cast<std::uint64_t>(WireType::kLength);
}

// take_apart() by a cursor at the beginning of `message`.
template <class Cursor>
Result<TakenApart> walk(Cursor cursor, const Rope& message,
                        std::initializer_list<TakenField*> taken) {
  TakenApart out{};
  Rest rest;
  std::size_t rest_begin = 0;  // of the run that is not over
  std::size_t begin = 0;
  FieldHead head;
  while (cursor.left() > 0) {
    if (!read_head(cursor, head)) return malformed(begin);
    const std::size_t payload = message.size() - cursor.left();
    cursor.skip(head.payload_bytes);
    if (head.number == 1 && head.type == WireType::kVarint) out.version = head.value;
    for (TakenField* field : taken) {
      if (field->number != head.number) continue;
      if (field->present || head.type != WireType::kLength) return malformed(begin);
      field->present = true;
      field->payload = message.slice(payload, head.payload_bytes);
      rest.add(rest_begin, begin);
      rest_begin = payload + head.payload_bytes;
      break;
    }
    begin = payload + head.payload_bytes;
  }
  rest.add(rest_begin, begin);
  out.rest = rest.of(message);
  return out;
}

}  // namespace

Result<TakenApart> take_apart(const Rope& message, std::initializer_list<TakenField*> taken) {
  const std::span<const Bytes> pieces = message.pieces();
  return pieces.size() == 1 ? walk(FlatCursor(pieces.front().view()), message, taken)
                            : walk(PiecesCursor(pieces), message, taken);
}

std::size_t field_head_bytes(std::uint32_t number, std::size_t payload_bytes) {
  return varint_bytes(length_tag(number)) + varint_bytes(payload_bytes);
}

bool has_field(std::string_view message, std::uint32_t number) {
  FlatCursor cursor(message);
  FieldHead head;
  while (cursor.left() > 0) {
    if (!read_head(cursor, head)) return false;
    if (head.number == number) return true;
    cursor.skip(head.payload_bytes);
  }
  return false;
}

char* put_field_head(char* at, std::uint32_t number, std::size_t payload_bytes) {
  return put_varint(put_varint(at, length_tag(number)), payload_bytes);
}

void append_field_head(std::string& out, std::uint32_t number, std::size_t payload_bytes) {
  std::array<char, 20> head{};  // two varints
  out.append(head.data(), put_field_head(head.data(), number, payload_bytes));
}

void append_varint_field(std::string& out, std::uint32_t number, std::uint64_t value) {
  const std::uint64_t tag =
      std::uint64_t{number} << 3 | static_cast<std::uint64_t>(WireType::kVarint);
  std::array<char, 20> field{};  // two varints
  out.append(field.data(), put_varint(put_varint(field.data(), tag), value));
}

}  // namespace godwit::record
