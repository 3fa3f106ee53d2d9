// parse_yaml: the only file that knows yaml-cpp.

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "common/config/node.h"
#include "common/config/scalar.h"

namespace godwit::config {
namespace {

Mark mark_of(const YAML::Mark& mark) {
  return mark.is_null() ? Mark{} : Mark{mark.line + 1, mark.column + 1};
}

// Thrown through yaml-cpp when going on would be useless or dangerous; caught in parse_yaml.
struct Abandon {};

// Builds the tree from the parser's events. Parts under construction are on a stack.
class Builder final : public YAML::EventHandler {
 public:
  Builder(std::string_view file, Problems& problems) : file_(file), problems_(problems) {}

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Node node;
    node.mark = mark_of(mark);
    finish(std::move(node), anchor);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) give_up(mark, "an alias inside of what it stands for", "");
    count(found->second, mark);
    Node copy = found->second;
    copy.mark = mark_of(mark);
    add(std::move(copy));
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    // yaml-cpp: "?" is a plain scalar, "!" a quoted one; anything else was written out.
    const bool quoted = tag == "!" || tag == "tag:yaml.org,2002:str";
    if (!quoted && tag != "?") {
      problem(mark, "the tag " + quote(tag) + " is not known here", "remove the tag");
    }
    Node node = quoted ? Node::string(value) : Node::scalar(value);
    if (!quoted && (value == "~" || value == "null")) node.kind = Node::Kind::kNull;
    node.mark = mark_of(mark);
    finish(std::move(node), anchor);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    start(Node::list(), mark, anchor);
  }
  void OnSequenceEnd() override { end(); }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    start(Node::map(), mark, anchor);
  }
  void OnMapEnd() override { end(); }

  [[nodiscard]] Node take() { return std::move(root_); }

 private:
  struct Open {
    Node node;
    YAML::anchor_t anchor = 0;
    // In a map: the key that waits for its value. A key that is not text or is doubled takes its value and is dropped.
    enum class Expect : std::uint8_t { kKey, kValue, kDroppedValue } expect = Expect::kKey;
  };

  void problem(const YAML::Mark& mark, std::string what, std::string right) {
    problems_.push_back({std::string(file_), mark_of(mark), "", std::move(what), std::move(right)});
  }
  [[noreturn]] void give_up(const YAML::Mark& mark, std::string what, std::string right) {
    problem(mark, std::move(what), std::move(right));
    throw Abandon{};
  }

  void start(Node node, const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (stack_.size() >= kDepthMax) {
      give_up(mark, "nested too deeply", "at most " + std::to_string(kDepthMax) + " levels");
    }
    node.mark = mark_of(mark);
    stack_.push_back({std::move(node), anchor, Open::Expect::kKey});
  }
  void end() {
    Open open = std::move(stack_.back());
    stack_.pop_back();
    finish(std::move(open.node), open.anchor);
  }
  void finish(Node node, YAML::anchor_t anchor) {
    if (anchor != 0) anchors_.insert_or_assign(anchor, node);
    ++nodes_;
    add(std::move(node));
  }
  void add(Node node) {
    if (nodes_ > kNodesMax) {
      problems_.push_back({std::string(file_), node.mark, "", "too many values",
                           "at most " + std::to_string(kNodesMax)});
      throw Abandon{};
    }
    if (stack_.empty()) {
      root_ = std::move(node);
      return;
    }
    Open& open = stack_.back();
    if (open.node.kind == Node::Kind::kList) {
      open.node.items.push_back(std::move(node));
    } else {
      add_to_map(open, std::move(node));
    }
  }
  void add_to_map(Open& open, Node node) {
    if (open.expect != Open::Expect::kKey) {
      if (open.expect == Open::Expect::kValue) open.node.entries.back().value = std::move(node);
      open.expect = Open::Expect::kKey;
      return;
    }
    open.expect = Open::Expect::kDroppedValue;
    if (node.kind != Node::Kind::kScalar) {
      problems_.push_back({std::string(file_), node.mark, "",
                           "a key is " + std::string(node.kind_name()), "a key is text"});
      return;
    }
    for (const Entry& entry : open.node.entries) {
      if (entry.key != node.text) continue;
      problems_.push_back({std::string(file_), node.mark, "", "duplicate key " + quote(node.text),
                           "it is already on line " + std::to_string(entry.mark.line)});
      return;
    }
    open.node.entries.push_back({std::move(node.text), node.mark, Node{}});
    open.expect = Open::Expect::kValue;
  }
  // Before an alias is copied: its parts count, so that aliases of aliases cannot fill the memory.
  void count(const Node& node, const YAML::Mark& mark) {
    if (++nodes_ > kNodesMax) {
      give_up(mark, "too many values", "at most " + std::to_string(kNodesMax));
    }
    for (const Node& item : node.items) count(item, mark);
    for (const Entry& entry : node.entries) count(entry.value, mark);
  }

  std::string_view file_;
  Problems& problems_;
  std::vector<Open> stack_;
  std::map<YAML::anchor_t, Node> anchors_;
  std::size_t nodes_ = 0;
  Node root_;
};

}  // namespace

Node parse_yaml(std::string_view text, std::string_view file, Problems& problems) {
  if (text.size() > kFileBytesMax) {
    problems.push_back({std::string(file),
                        {},
                        "",
                        "the file is too long",
                        "at most " + render_bytes(kFileBytesMax)});
    return {};
  }
  std::istringstream in{std::string(text)};
  Builder builder(file, problems);
  try {
    YAML::Parser parser(in);
    if (!parser.HandleNextDocument(builder)) return {};
    Node root = builder.take();
    Problems ignored;
    Builder second(file, ignored);
    if (parser.HandleNextDocument(second)) {
      problems.push_back({std::string(file), second.take().mark, "", "a second document",
                          "one file is one document"});
    }
    return root;
  } catch (const YAML::Exception& error) {
    problems.push_back({std::string(file), mark_of(error.mark), "", "not YAML: " + error.msg, ""});
  } catch (const Abandon&) {  // reported where it was thrown
  }
  return {};
}

}  // namespace godwit::config
