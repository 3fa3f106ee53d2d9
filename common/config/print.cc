#include "common/config/print.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

namespace godwit::config {
namespace {

// True when the text, written plain, is read back as the same text in block and flow context.
bool is_plain_safe(std::string_view text) {
  if (text.empty() || text == "~" || text == "null" || text == "true" || text == "false")
    return false;
  const auto letter_or_digit = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  if (!letter_or_digit(text[0]) && text[0] != '.' && text[0] != '/') return false;
  return std::ranges::all_of(text, [&](char c) {
    return letter_or_digit(c) || c == '.' || c == '/' || c == '-' || c == '_' || c == '+';
  });
}

std::string double_quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto octet = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (octet < 0x20 || octet == 0x7f) {
      out += fmt::format("\\x{:02x}", octet);
    } else {
      out += c;
    }
  }
  return out += '"';
}

std::string key_text(std::string_view key) {
  return is_plain_safe(key) ? std::string(key) : double_quoted(key);
}

enum class Secrets { kShown, kHidden };

// The value on one line, in flow style.
std::string inline_text(const Node& node, Secrets secrets = Secrets::kShown) {
  std::vector<std::string> parts;
  if (node.secret && secrets == Secrets::kHidden) return "(secret)";
  switch (node.kind) {
    case Node::Kind::kNull: return "null";
    case Node::Kind::kScalar:
      return !node.quoted || is_plain_safe(node.text) ? node.text : double_quoted(node.text);
    case Node::Kind::kList:
      for (const Node& item : node.items) parts.push_back(inline_text(item, secrets));
      return fmt::format("[{}]", fmt::join(parts, ", "));
    case Node::Kind::kMap:
      for (const Entry& entry : node.entries) {
        parts.push_back(key_text(entry.key) + ": " + inline_text(entry.value, secrets));
      }
      return fmt::format("{{{}}}", fmt::join(parts, ", "));
  }
  return {};
}

// "Sentence. (duration, 1s to 24h; restart)"
std::string comment_of(const Field& field, bool with_type) {
  std::vector<std::string> notes;
  if (with_type) {
    std::string type;
    for (const char c : field.type()) {
      if (c != '`') type += c;
    }
    if (!field.unit.empty()) type += " of " + field.unit;
    if (!field.range.empty()) type += ", " + field.range;
    notes.push_back(std::move(type));
  }
  if (field.required) notes.emplace_back("required");
  if (field.needs_restart) notes.emplace_back("restart");
  if (!field.pending.empty()) notes.emplace_back("not in effect yet");
  return notes.empty() ? field.doc : fmt::format("{} ({})", field.doc, fmt::join(notes, "; "));
}

// Writes lines with an indentation, and a "# " in front while an example is shown.
class Printer {
 public:
  void fields(const Fields& fields, int depth, bool example) {
    for (const auto& field : fields.all()) one(*field, depth, example);
  }
  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  void line(int depth, bool example, std::string_view text) {
    text_ += fmt::format("{:{}}{}{}\n", "", depth * 2, example ? "# " : "", text);
  }
  void comment(int depth, bool example, std::string_view text) {
    constexpr std::size_t kWidth = 100;
    while (!text.empty()) {
      std::size_t length = text.size();
      if (length > kWidth) {
        length = text.rfind(' ', kWidth);
        if (length == std::string_view::npos) length = text.size();
      }
      line(depth, example, fmt::format("# {}", text.substr(0, length)));
      text.remove_prefix(std::min(text.size(), length + 1));
    }
  }
  void one(Field& field, int depth, bool example) {
    const Children children = field.children();
    const Node value = field.write();
    const bool is_struct = children.of == Children::Of::kStruct && value.kind == Node::Kind::kMap;
    comment(depth, example, comment_of(field, !is_struct));
    if (is_struct) {
      line(depth, example, field.name + ":");
      fields(*children.fields, depth + 1, example);
      return;
    }
    line(depth, example, fmt::format("{}: {}", field.name, inline_text(value)));
    if (children.of == Children::Of::kList || children.of == Children::Of::kMap)
      entry(children, depth + 1);
  }
  // What one entry of a list or a map may say, commented out.
  void entry(const Children& children, int depth) {
    line(depth, true, children.of == Children::Of::kList ? "each entry:" : "each NAME:");
    fields(*children.fields, depth + 1, true);
  }

  std::string text_;
};

void reference(const Fields& fields, std::string_view prefix, std::string& out) {
  for (const auto& field : fields.all()) {
    const Children children = field->children();
    const std::string key = std::string(prefix) + field->name;
    const Node value = field->write();
    const bool is_struct = children.of == Children::Of::kStruct;
    if (is_struct) {
      out += fmt::format("| `{}` | | | {} |\n", key, comment_of(*field, false));
    } else {
      std::string type = field->type();
      if (!field->unit.empty()) type += " of " + field->unit;
      if (!field->range.empty()) type += ", " + field->range;
      out += fmt::format("| `{}` | {} | {} | {} |\n", key, type,
                         field->required || value.kind == Node::Kind::kNull
                             ? std::string()
                             : "`" + inline_text(value) + "`",
                         comment_of(*field, false));
    }
    if (!children.fields) continue;
    reference(*children.fields,
              key + (children.of == Children::Of::kList  ? "[]."
                     : children.of == Children::Of::kMap ? ".NAME."
                                                         : "."),
              out);
  }
}

void compare(const Fields& before, const Fields& after, const std::string& prefix,
             std::vector<Change>& changes) {
  for (std::size_t i = 0; i < before.all().size(); ++i) {
    Field& old_field = *before.all()[i];
    Field& new_field = *after.all()[i];
    const Children old_children = old_field.children();
    const Children new_children = new_field.children();
    if (old_children.of == Children::Of::kStruct && old_field.write().kind == Node::Kind::kMap &&
        new_field.write().kind == Node::Kind::kMap) {
      compare(*old_children.fields, *new_children.fields, prefix + old_field.name + ".", changes);
      continue;
    }
    const Node old_value = old_field.write();
    const Node new_value = new_field.write();
    if (inline_text(old_value) == inline_text(new_value)) continue;
    changes.push_back({prefix + old_field.name, inline_text(old_value, Secrets::kHidden),
                       inline_text(new_value, Secrets::kHidden), old_field.needs_restart});
  }
}

}  // namespace

std::string print_yaml(const Fields& fields) {
  Printer printer;
  printer.fields(fields, 0, false);
  return printer.take();
}

std::string print_inline(const Node& node) {
  return inline_text(node);
}
std::string print_shown(const Node& node) {
  return inline_text(node, Secrets::kHidden);
}
std::string print_key(std::string_view key) {
  return key_text(key);
}

std::string print_reference(const Fields& fields) {
  std::string out = "| Key | Type | Default | Meaning |\n|---|---|---|---|\n";
  reference(fields, "", out);
  return out;
}

std::vector<Change> differences(const Fields& before, const Fields& after) {
  std::vector<Change> changes;
  compare(before, after, "", changes);
  return changes;
}

}  // namespace godwit::config
