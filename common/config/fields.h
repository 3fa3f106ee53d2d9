#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "common/config/codec.h"
#include "common/config/reading.h"
#include "common/config/secret.h"

// How a struct becomes configuration. Every key is declared once, in a function beside the struct:
//
//     struct Retry {
//       std::chrono::seconds first = 20min;
//       double factor = 2;
//     };
//     void describe(config::Fields& fields, Retry& retry) {
//       fields.add("first", retry.first, "Delay before the second attempt.").range(1s, 24h);
//       fields.add("factor", retry.factor, "Each further delay is this much longer.")
//           .range(1.0, 10.0);
//     }
//
// and read by read_file() (read.h). The reader, `godwit defaults`, the reference in
// docs/configuration.md and the comparison at a reload all come from the same declaration; the
// default is what the struct is born with.
//
// Types    whatever has a Scalar<T> (scalar.h: bool, integers, double, std::string,
//          std::filesystem::path, std::chrono durations, HostPort, Name<Tag>, enumerations with
//          config_names), structs with a describe(), and std::vector<T>,
//          std::map<std::string, T>, std::optional<T> of these, nested as you like. A list or map
//          in the file replaces the default one as a whole; a struct is read over its defaults.
// Errors   unknown and duplicate keys, wrong types, values out of range: all of them, each with its
//          place.
namespace godwit::config {

// One declared key.
class Field {
 public:
  virtual ~Field() = default;
  // `node` is null when the key is absent.
  virtual void read(const Node* node, Mark parent, Reading& reading) = 0;
  [[nodiscard]] virtual Node write() const = 0;
  [[nodiscard]] virtual std::string type() const = 0;
  // The keys below: of a struct itself, of a list's or map's element (a fresh one). Empty for
  // scalars.
  [[nodiscard]] virtual Children children() = 0;

  std::string name;
  std::string doc;      // one sentence
  std::string unit;     // "octets", "messages"; durations and bytes need none
  std::string range;    // "1 to 65535"
  std::string pending;  // what is not built yet: the key is read and checked, and one line says so
  bool needs_restart = false;
  bool required = false;
  bool secret = false;
};

// What Fields::add returns: everything else there is to say about a key. `T` as declared; limits
// hold for the value inside an optional, and for each element of a list.
template <class T>
class FieldOf final : public Field {
 public:
  using Limited = Innermost<T>;

  explicit FieldOf(T& value) : value_(&value) {}

  FieldOf& range(Limited low, Limited high) {
    options_.check = [low, high](const Limited& value) { return value >= low && value <= high; };
    limits_.emplace(std::move(low), std::move(high));
    say_range();
    return *this;
  }
  // The number counts octets and may be written "64KiB".
  FieldOf& bytes() {
    options_.bytes = true;
    say_range();
    return *this;
  }
  FieldOf& units(std::string_view text) {
    unit = text;
    return *this;
  }
  FieldOf& restart() {  // a reload does not change it
    needs_restart = true;
    return *this;
  }
  FieldOf& require() {
    required = true;
    return *this;
  }
  // A secret: never shown, not in logs, not in `check`; a check() must not quote it. A text may
  // stand in a file of its own or in the environment (secret.h).
  FieldOf& hide() {
    secret = true;
    return *this;
  }
  FieldOf& not_yet(std::string_view what) {
    pending = what;
    return *this;
  }
  // An own check of the read value: nullopt when it is right.
  FieldOf& check(std::function<std::optional<Wrong>(const T&)> check) {
    own_check_ = std::move(check);
    return *this;
  }

  void read(const Node* node, Mark parent, Reading& reading) override;
  [[nodiscard]] Node write() const override {
    Node node = Codec<T>::write(*value_, options_);
    node.secret = secret;
    return node;
  }
  [[nodiscard]] std::string type() const override {
    return secret ? "secret" : Codec<T>::type(options_);
  }
  [[nodiscard]] Children children() override { return Codec<T>::children(*value_); }

 private:
  void say_range() {
    if (!limits_) return;
    const auto render = [](const Limited& limit, [[maybe_unused]] bool bytes) -> std::string {
      if constexpr (std::is_integral_v<Limited>) {
        if (bytes) return render_bytes(static_cast<std::uint64_t>(limit));
      }
      return Scalar<Limited>::render(limit);
    };
    Field::range =
        render(limits_->first, options_.bytes) + " to " + render(limits_->second, options_.bytes);
  }

  T* value_;
  Options<Limited> options_;
  std::optional<std::pair<Limited, Limited>> limits_;
  std::function<std::optional<Wrong>(const T&)> own_check_;
};

// The declared keys of one struct, in order. Lives as long as the struct it is bound to.
class Fields {
 public:
  // `name` is snake_case and new here; `doc` is one sentence that ends with a full stop.
  template <class T>
  FieldOf<T>& add(std::string_view name, T& value, std::string_view doc) {
    auto field = std::make_unique<FieldOf<T>>(value);
    FieldOf<T>& reference = *field;
    reference.name = name;
    reference.doc = doc;
    own(std::move(field));
    return reference;
  }
  // A rule over several keys; runs when all keys of the struct were right. Reported at `key`, which may name one
  // of a struct below this one (`log.embedded.segment_bytes`), or where it would stand.
  void rule(std::string_view key, std::function<std::optional<Wrong>()> rule) {
    rules_.emplace_back(key, std::move(rule));
  }

  // Reads a map (or nothing, when `node` is null or kNull) into the bound struct.
  void read(const Node* node, Mark parent, Reading& reading);
  [[nodiscard]] Node write() const;
  [[nodiscard]] const std::vector<std::unique_ptr<Field>>& all() const { return fields_; }

 private:
  void own(std::unique_ptr<Field> field);

  std::vector<std::unique_ptr<Field>> fields_;
  std::vector<std::pair<std::string, std::function<std::optional<Wrong>()>>> rules_;
};

template <class T>
void FieldOf<T>::read(const Node* node, Mark parent, Reading& reading) {
  const Reading::Step step(reading, name);
  if (node == nullptr && required && !reading.in_defaults()) {
    reading.wrong(parent, Wrong{"is missing", doc});
    return;
  }
  [[maybe_unused]] Node found;
  if constexpr (std::is_same_v<T, std::string>) {
    if (secret && node != nullptr && node->kind == Node::Kind::kMap) {
      std::optional<std::string> text = read_secret(*node, reading);
      if (!text) return;
      found = Node::string(*std::move(text));
      found.mark = node->mark;
      node = &found;
    }
  }
  const std::size_t problems_before = reading.problems().size();
  Codec<T>::read(node, *value_, options_, Field::range, node != nullptr ? node->mark : parent,
                 reading);
  if (node == nullptr || reading.problems().size() != problems_before) return;
  if (own_check_) {
    if (auto wrong = own_check_(*value_)) reading.wrong(node->mark, *std::move(wrong));
  }
  if (!pending.empty()) reading.notice(node->mark, "accepted, but not in effect yet: " + pending);
}

}  // namespace godwit::config
