#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "common/config/node.h"
#include "common/config/reading.h"
#include "common/config/scalar.h"

// How each shape of value is read from and written to a Node. The details behind fields.h.
namespace godwit::config {

class Fields;

template <class T>
concept Described = requires(Fields& fields, T& value) { describe(fields, value); };

// The keys below a field, for printing; `owner` keeps a prototype element alive.
struct Children {
  std::shared_ptr<void> owner;
  std::shared_ptr<Fields> fields;
  enum class Of : std::uint8_t { kNone, kStruct, kList, kMap } of = Of::kNone;

  // `prototype` joins what is kept alive: a list in a map has an element of each.
  void own(std::shared_ptr<void> prototype) {
    if (owner) {
      prototype = std::make_shared<std::pair<std::shared_ptr<void>, std::shared_ptr<void>>>(
          std::move(owner), std::move(prototype));
    }
    owner = std::move(prototype);
  }
};

template <class T>
struct InnermostOf {
  using type = T;
};
template <class T>
struct InnermostOf<std::optional<T>> : InnermostOf<T> {};
template <class T>
struct InnermostOf<std::vector<T>> : InnermostOf<T> {};
template <class T>
struct InnermostOf<std::map<std::string, T>> : InnermostOf<T> {};
template <class T>
using Innermost = typename InnermostOf<T>::type;

template <class T>
struct Options {
  bool bytes = false;
  std::function<bool(const T&)> check;
};

namespace detail {
// The non-template halves. Each reports what is wrong and returns false then.
bool scalar_text(const Node& node, std::string_view type, bool plain_only, Reading& reading);
bool is_list(const Node& node, Reading& reading);
bool is_map(const Node& node, Reading& reading);
void read_fields(const std::function<void(Fields&)>& describe, const Node* node, Mark parent,
                 Reading& reading);
Node write_fields(const std::function<void(Fields&)>& describe);
std::shared_ptr<Fields> make_fields(const std::function<void(Fields&)>& describe);
Wrong out_of_range(std::string_view text, std::string_view range);
void resolve(std::filesystem::path& path, const Reading& reading);
}  // namespace detail

template <class T>
struct Codec {
  static_assert(HasScalar<T> || Described<T>,
                "needs a Scalar<T>, config_names(T) or describe(Fields&, T&)");

  static void read(const Node* node, T& value, const Options<T>& options, std::string_view range,
                   Mark mark, Reading& reading) {
    if constexpr (HasScalar<T>) {
      if (node != nullptr) read_scalar(*node, value, options, range, reading);
      if constexpr (std::is_same_v<T, std::filesystem::path>) detail::resolve(value, reading);
    } else {
      detail::read_fields([&](Fields& fields) { describe(fields, value); }, node, mark, reading);
    }
  }
  static Node write(const T& value, const Options<T>& options) {
    if constexpr (HasScalar<T>) {
      if constexpr (std::is_integral_v<T>) {
        if (options.bytes) return Node::scalar(render_bytes(value));
      }
      // Numbers and switches are plain; text is quoted when it has to be (print.cc).
      return std::is_arithmetic_v<T> ? Node::scalar(Scalar<T>::render(value))
                                     : Node::string(Scalar<T>::render(value));
    } else {
      return detail::write_fields([&](Fields& fields) { describe(fields, const_cast<T&>(value)); });
    }
  }
  static std::string type(const Options<T>& options) {
    if constexpr (HasScalar<T>) {
      if (options.bytes) return "size";
      std::string text(Scalar<T>::kType);
      if constexpr (std::is_enum_v<T>) {
        for (const char* between = " "; const auto name : Scalar<T>::names()) {
          text.append(between).append("`").append(name).append("`");
          between = ", ";
        }
      }
      return text;
    } else {
      return "map of the keys below";
    }
  }
  static Children children(T& value) {
    if constexpr (HasScalar<T>) {
      return {};
    } else {
      return {nullptr, detail::make_fields([&](Fields& fields) { describe(fields, value); }),
              Children::Of::kStruct};
    }
  }

 private:
  static void read_scalar(const Node& node, T& value, const Options<T>& options,
                          std::string_view range, Reading& reading) {
    if (!detail::scalar_text(node, Scalar<T>::kType, std::is_arithmetic_v<T> && !options.bytes,
                             reading)) {
      return;
    }
    auto parsed = parse(node.text, options);
    if (!parsed) {
      if (!range.empty() && std::is_arithmetic_v<T>) parsed.error().right = range;
      return reading.wrong(node.mark, std::move(parsed).error());
    }
    if (options.check && !options.check(*parsed)) {
      return reading.wrong(node.mark, detail::out_of_range(node.text, range));
    }
    value = *std::move(parsed);
  }
  static std::expected<T, Wrong> parse(std::string_view text, const Options<T>& options) {
    if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
      if (options.bytes) {
        const auto bytes = parse_bytes(text);
        if (!bytes) return std::unexpected(bytes.error());
        if (*bytes > static_cast<std::uint64_t>(std::numeric_limits<T>::max())) {
          return std::unexpected(
              wrong_integer(text, "0", std::to_string(std::numeric_limits<T>::max())));
        }
        return static_cast<T>(*bytes);
      }
    }
    return Scalar<T>::parse(text);
  }
};

template <class T>
struct Codec<std::optional<T>> {
  using Limits = Options<Innermost<T>>;
  static void read(const Node* node, std::optional<T>& value, const Limits& options,
                   std::string_view range, Mark mark, Reading& reading) {
    if (node == nullptr) return;
    if (node->kind == Node::Kind::kNull) return value.reset();
    T inner = value.value_or(T{});
    Codec<T>::read(node, inner, options, range, mark, reading);
    value = std::move(inner);
  }
  static Node write(const std::optional<T>& value, const Limits& options) {
    return value ? Codec<T>::write(*value, options) : Node{};
  }
  static std::string type(const Limits& options) { return Codec<T>::type(options); }
  static Children children(std::optional<T>& value) {
    if (value) return Codec<T>::children(*value);
    auto prototype = std::make_shared<T>();
    Children children = Codec<T>::children(*prototype);
    if (children.fields) children.own(std::move(prototype));
    return children;
  }
};

template <class T>
struct Codec<std::vector<T>> {
  using Limits = Options<Innermost<T>>;
  static void read(const Node* node, std::vector<T>& value, const Limits& options,
                   std::string_view range, Mark mark, Reading& reading) {
    if (node == nullptr) {
      const Reading::Defaults defaults(reading);
      for (T& item : value) Codec<T>::read(nullptr, item, options, range, mark, reading);
      return;
    }
    if (!detail::is_list(*node, reading)) return;
    value.clear();
    for (std::size_t i = 0; i < node->items.size(); ++i) {
      const Reading::Step step(reading, "[" + std::to_string(i) + "]");
      T item{};
      Codec<T>::read(&node->items[i], item, options, range, node->items[i].mark, reading);
      value.push_back(std::move(item));
    }
  }
  static Node write(const std::vector<T>& value, const Limits& options) {
    Node node = Node::list();
    for (const T& item : value) node.items.push_back(Codec<T>::write(item, options));
    return node;
  }
  static std::string type(const Limits& options) { return "list of " + Codec<T>::type(options); }
  static Children children(std::vector<T>&) {
    auto prototype = std::make_shared<T>();
    Children children = Codec<T>::children(*prototype);
    if (children.fields) {
      children.own(std::move(prototype));
      children.of = Children::Of::kList;
    }
    return children;
  }
};

template <class T>
struct Codec<std::map<std::string, T>> {
  using Limits = Options<Innermost<T>>;
  static void read(const Node* node, std::map<std::string, T>& value, const Limits& options,
                   std::string_view range, Mark mark, Reading& reading) {
    if (node == nullptr) {
      const Reading::Defaults defaults(reading);
      for (auto& [name, item] : value) Codec<T>::read(nullptr, item, options, range, mark, reading);
      return;
    }
    if (!detail::is_map(*node, reading)) return;
    value.clear();
    for (const auto& [name, name_mark, entry] : node->entries) {
      const Reading::Step step(reading, name);
      T item{};
      Codec<T>::read(&entry, item, options, range, entry.mark, reading);
      value.insert_or_assign(name, std::move(item));
    }
  }
  static Node write(const std::map<std::string, T>& value, const Limits& options) {
    Node node = Node::map();
    for (const auto& [name, item] : value)
      node.entries.push_back({name, {}, Codec<T>::write(item, options)});
    return node;
  }
  static std::string type(const Limits& options) {
    return "map from a name to " + Codec<T>::type(options);
  }
  static Children children(std::map<std::string, T>&) {
    auto prototype = std::make_shared<T>();
    Children children = Codec<T>::children(*prototype);
    if (children.fields) {
      children.own(std::move(prototype));
      children.of = Children::Of::kMap;
    }
    return children;
  }
};

}  // namespace godwit::config
