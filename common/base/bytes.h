#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace godwit {

// Immutable octets with shared ownership: a view into a buffer that lives as long as any view of it.
//
// A message body is received into one buffer and is a Bytes from there on: the log writes it, the sender
// sends it, nobody copies it. Copying a Bytes is one atomic increment.
// Threads: like shared_ptr; distinct objects may be used from distinct threads.
class Bytes {
 public:
  Bytes() = default;
  // A view into memory that `owner` keeps alive (and unchanged).
  Bytes(std::shared_ptr<const void> owner, std::string_view view)
      : owner_(std::move(owner)), view_(view) {}

  [[nodiscard]] static Bytes copy_of(std::string_view text) { return adopt(std::string(text)); }
  [[nodiscard]] static Bytes adopt(std::string text) {
    auto owner = std::make_shared<const std::string>(std::move(text));
    const std::string_view view = *owner;
    return {std::move(owner), view};
  }
  // For literals and other memory that outlives the process's work.
  [[nodiscard]] static Bytes of_static(std::string_view text) { return {nullptr, text}; }

  [[nodiscard]] std::string_view view() const { return view_; }
  [[nodiscard]] std::size_t size() const { return view_.size(); }
  [[nodiscard]] bool empty() const { return view_.empty(); }

  // A part of the same buffer; `offset + length` is within size().
  [[nodiscard]] Bytes slice(std::size_t offset, std::size_t length = std::string_view::npos) const {
    return {owner_, view_.substr(offset, length)};
  }

 private:
  std::shared_ptr<const void> owner_;
  std::string_view view_;
};

// A sequence of Bytes that reads as one string: a record whose head was serialised and whose content came
// off the socket. Written with one vectored call; flattened only where a contiguous view is needed.
//
// Two pieces, a head and its content, are kept in the object itself: most ropes allocate nothing.
class Rope {
 public:
  Rope() = default;
  Rope(Bytes bytes) {
    append(std::move(bytes));
  }  // NOLINT(google-explicit-constructor): one piece is a rope
  Rope(const Rope&) = default;
  Rope& operator=(const Rope&) = default;
  // What was moved from is empty.
  Rope(Rope&& other) noexcept
      : few_(std::move(other.few_)),
        many_(std::move(other.many_)),
        count_(std::exchange(other.count_, 0)),
        size_(std::exchange(other.size_, 0)) {}
  Rope& operator=(Rope&& other) noexcept {
    few_ = std::move(other.few_);
    many_ = std::move(other.many_);
    count_ = std::exchange(other.count_, 0);
    size_ = std::exchange(other.size_, 0);
    return *this;
  }
  ~Rope() = default;

  void append(Bytes bytes) {
    if (bytes.empty()) return;
    size_ += bytes.size();
    if (count_ < few_.size()) {
      few_[count_++] = std::move(bytes);
    } else {
      append_to_many(std::move(bytes));
    }
  }
  void append(const Rope& other) {
    for (const Bytes& piece : other.pieces()) append(piece);
  }

  // None of them is empty. Valid until the rope is changed or moved.
  [[nodiscard]] std::span<const Bytes> pieces() const {
    return {count_ <= few_.size() ? few_.data() : many_.data(), count_};
  }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }

  // The part [offset, offset + length) without copying; clipped to the end.
  [[nodiscard]] Rope slice(std::size_t offset, std::size_t length = std::string_view::npos) const;

  // One contiguous piece: itself when it is one already, a copy otherwise.
  [[nodiscard]] Bytes flatten() const;
  [[nodiscard]] std::string to_string() const;

 private:
  void append_to_many(Bytes bytes);

  std::array<Bytes, 2> few_;  // all pieces, while they fit
  std::vector<Bytes> many_;   // all pieces, once they do not
  std::size_t count_ = 0;
  std::size_t size_ = 0;
};

}  // namespace godwit
