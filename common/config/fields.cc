#include "common/config/fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "common/base/check.h"

namespace godwit::config {

Reading::Step::Step(Reading& reading, std::string_view part)
    : reading_(reading), length_(reading.key_.size()) {
  if (!reading.key_.empty() && !part.starts_with('[')) reading.key_ += '.';
  reading.key_ += part;
}

void Reading::wrong(Mark mark, Wrong wrong) {
  problems_.push_back({file_, mark, key_, std::move(wrong.what), std::move(wrong.right)});
}

void Reading::notice(Mark mark, std::string what) {
  notices_.push_back({file_, mark, key_, std::move(what), ""});
}

void Reading::wrong_kind(const Node& node, std::string_view expected) {
  wrong(node.mark,
        Wrong{"this is " + std::string(node.kind_name()), fmt::format("{} is expected", expected)});
}

namespace {

// Where the key stands, or else the last map on the way to it.
Mark mark_of(const Node* node, std::string_view key, Mark mark) {
  while (node != nullptr && node->kind == Node::Kind::kMap) {
    const std::size_t dot = key.find('.');
    node = node->find(key.substr(0, dot));
    if (node != nullptr) mark = node->mark;
    if (dot == std::string_view::npos) break;
    key.remove_prefix(dot + 1);
  }
  return mark;
}

}  // namespace

void Fields::own(std::unique_ptr<Field> field) {
  for (const auto& other : fields_)
    CHECK(other->name != field->name, "the key {} is declared twice", field->name);
  CHECK(field->doc.ends_with('.'), "the sentence of {} has no full stop", field->name);
  fields_.push_back(std::move(field));
}

void Fields::read(const Node* node, Mark parent, Reading& reading) {
  if (node != nullptr && node->kind == Node::Kind::kNull) node = nullptr;
  if (node != nullptr && !detail::is_map(*node, reading)) return;

  const std::size_t problems_before = reading.problems().size();
  if (node != nullptr) {
    for (const Entry& entry : node->entries) {
      const auto same = [&](const auto& field) { return field->name == entry.key; };
      if (std::ranges::any_of(fields_, same)) continue;
      std::vector<std::string_view> names;
      for (const auto& field : fields_) names.push_back(field->name);
      const Reading::Step step(reading, entry.key);
      const auto near = nearest(entry.key, names);
      reading.wrong(entry.mark, Wrong{"unknown key", near ? fmt::format("did you mean `{}`?", *near)
                                                          : fmt::format("known here: {}",
                                                                        fmt::join(names, ", "))});
    }
  }
  for (const auto& field : fields_) {
    field->read(node == nullptr ? nullptr : node->find(field->name), parent, reading);
  }
  if (reading.in_defaults() || reading.problems().size() != problems_before) return;
  for (const auto& [key, rule] : rules_) {
    if (auto wrong = rule()) {
      const Reading::Step step(reading, key);
      reading.wrong(mark_of(node, key, parent), *std::move(wrong));
    }
  }
}

Node Fields::write() const {
  Node node = Node::map();
  for (const auto& field : fields_) node.entries.push_back({field->name, {}, field->write()});
  return node;
}

namespace detail {

bool scalar_text(const Node& node, std::string_view type, bool plain_only, Reading& reading) {
  if (node.kind != Node::Kind::kScalar) {
    reading.wrong_kind(node, type);
    return false;
  }
  if (plain_only && node.quoted) {
    reading.wrong(node.mark, Wrong{quote(node.text) + " in quotes is text",
                                   fmt::format("{} without quotes", type)});
    return false;
  }
  return true;
}

bool is_list(const Node& node, Reading& reading) {
  if (node.kind == Node::Kind::kList || node.kind == Node::Kind::kNull) return true;
  reading.wrong_kind(node, "a list");
  return false;
}

bool is_map(const Node& node, Reading& reading) {
  if (node.kind == Node::Kind::kMap || node.kind == Node::Kind::kNull) return true;
  reading.wrong_kind(node, "a map");
  return false;
}

void read_fields(const std::function<void(Fields&)>& describe, const Node* node, Mark parent,
                 Reading& reading) {
  Fields fields;
  describe(fields);
  fields.read(node, parent, reading);
}

Node write_fields(const std::function<void(Fields&)>& describe) {
  Fields fields;
  describe(fields);
  return fields.write();
}

std::shared_ptr<Fields> make_fields(const std::function<void(Fields&)>& describe) {
  auto fields = std::make_shared<Fields>();
  describe(*fields);
  return fields;
}

Wrong out_of_range(std::string_view text, std::string_view range) {
  return {quote(text) + " is out of range", std::string(range)};
}

void resolve(std::filesystem::path& path, const Reading& reading) {
  if (path.empty() || path.is_absolute()) return;
  path = (reading.directory() / path).lexically_normal();
}

}  // namespace detail
}  // namespace godwit::config
