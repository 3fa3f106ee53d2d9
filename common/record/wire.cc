#include "common/record/wire.h"

#include <vector>

#include "common/record/errc.h"

namespace godwit::record {
namespace {

enum class WireType : std::uint8_t { kVarint = 0, kFixed64 = 1, kLength = 2, kFixed32 = 5 };

// Walks a Rope octet by octet, or jumps.
class Cursor {
 public:
  explicit Cursor(const Rope& rope) : rope_(rope) {
    if (!rope.empty()) enter();
  }

  [[nodiscard]] std::size_t offset() const {
    return piece_offset_ + static_cast<std::size_t>(at_ - begin_);
  }
  [[nodiscard]] std::size_t left() const { return rope_.size() - offset(); }

  std::optional<std::uint8_t> octet() {
    if (at_ == end_) return std::nullopt;
    const auto value = static_cast<std::uint8_t>(*at_++);
    if (at_ == end_) leave();
    return value;
  }

  std::optional<std::uint64_t> varint() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const std::optional<std::uint8_t> next = octet();
      if (!next) return std::nullopt;
      value |= std::uint64_t{*next & 0x7FU} << shift;
      if (*next < 0x80) return value;
    }
    return std::nullopt;  // longer than ten octets
  }

  // `count` <= left()
  void skip(std::size_t count) {
    for (std::size_t here; count > (here = static_cast<std::size_t>(end_ - at_)); count -= here) {
      at_ = end_;
      leave();
    }
    at_ += count;
    if (at_ == end_) leave();
  }

 private:
  void enter() {
    const std::string_view piece = rope_.pieces()[piece_].view();
    begin_ = at_ = piece.data();
    end_ = begin_ + piece.size();
  }
  // Behind a piece the next one begins; behind the last at_ stays at its end.
  void leave() {
    if (piece_ + 1 >= rope_.pieces().size()) return;
    piece_offset_ += static_cast<std::size_t>(end_ - begin_);
    ++piece_;
    enter();
  }

  const Rope& rope_;
  std::size_t piece_ = 0;
  std::size_t piece_offset_ = 0;  // where the piece begins
  const char* begin_ = nullptr;
  const char* at_ = nullptr;
  const char* end_ = nullptr;
};

struct FieldHead {
  std::uint32_t number = 0;
  WireType type{};
  std::uint64_t value = 0;        // of a varint
  std::size_t payload_bytes = 0;  // behind the head
};

std::optional<FieldHead> read_head(Cursor& cursor) {
  const std::optional<std::uint64_t> tag = cursor.varint();
  if (!tag || *tag > 0xFFFF'FFFF || *tag >> 3 == 0) return std::nullopt;
  FieldHead head{.number = static_cast<std::uint32_t>(*tag >> 3),
                 .type = static_cast<WireType>(*tag & 7)};
  switch (head.type) {
    case WireType::kVarint: {
      const std::optional<std::uint64_t> value = cursor.varint();
      if (!value) return std::nullopt;
      head.value = *value;
      break;
    }
    case WireType::kFixed64: head.payload_bytes = 8; break;
    case WireType::kFixed32: head.payload_bytes = 4; break;
    case WireType::kLength: {
      const std::optional<std::uint64_t> length = cursor.varint();
      if (!length || *length > cursor.left()) return std::nullopt;
      head.payload_bytes = static_cast<std::size_t>(*length);
      break;
    }
    default: return std::nullopt;  // groups, which proto3 does not have, and what is no wire type
  }
  if (head.payload_bytes > cursor.left()) return std::nullopt;
  return head;
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
  std::size_t bytes = 1;
  for (; value >= 0x80; value >>= 7) ++bytes;
  return bytes;
}

void append_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

std::uint64_t length_tag(std::uint32_t number) {
  return std::uint64_t{number} << 3 | static_cast<std::uint64_t>(WireType::kLength);
}

}  // namespace

Result<TakenApart> take_apart(const Rope& message, std::initializer_list<TakenField*> taken) {
  TakenApart out{};
  Rest rest;
  Cursor cursor(message);
  while (cursor.left() > 0) {
    const std::size_t begin = cursor.offset();
    const std::optional<FieldHead> head = read_head(cursor);
    if (!head) return malformed(begin);
    if (head->number == 1 && head->type == WireType::kVarint) out.version = head->value;
    TakenField* wanted = nullptr;
    for (TakenField* field : taken) {
      if (field->number == head->number) wanted = field;
    }
    const std::size_t payload = cursor.offset();
    cursor.skip(head->payload_bytes);
    if (wanted == nullptr) {
      rest.add(begin, cursor.offset());
      continue;
    }
    if (wanted->present || head->type != WireType::kLength) return malformed(begin);
    wanted->present = true;
    wanted->tag_offset = begin;
    wanted->payload = message.slice(payload, head->payload_bytes);
  }
  out.rest = rest.of(message);
  return out;
}

std::size_t field_head_bytes(std::uint32_t number, std::size_t payload_bytes) {
  return varint_bytes(length_tag(number)) + varint_bytes(payload_bytes);
}

bool has_field(std::string_view message, std::uint32_t number) {
  const Rope rope(Bytes::of_static(message));
  Cursor cursor(rope);
  while (cursor.left() > 0) {
    const std::optional<FieldHead> head = read_head(cursor);
    if (!head) return false;
    if (head->number == number) return true;
    cursor.skip(head->payload_bytes);
  }
  return false;
}

void append_field_head(std::string& out, std::uint32_t number, std::size_t payload_bytes) {
  append_varint(out, length_tag(number));
  append_varint(out, payload_bytes);
}

}  // namespace godwit::record
