#include "common/config/secret.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <expected>
#include <filesystem>
#include <memory>
#include <string_view>
#include <utility>

namespace godwit::config {
namespace {

constexpr std::string_view kRight = "{file: PATH} or {env: NAME}";

using Text = std::expected<std::string, Wrong>;

std::unexpected<Wrong> wrong(std::string what, std::string_view right) {
  return std::unexpected(Wrong{std::move(what), std::string(right)});
}

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

Text text_of_file(const std::filesystem::path& path) {
  const std::string name = quote(path.string());
  const auto unreadable = [&] {
    return wrong("file " + name + " cannot be read: " + std::strerror(errno),
                 "a file this process may read");
  };
  const std::unique_ptr<std::FILE, CloseFile> file(std::fopen(path.c_str(), "rbe"));
  if (file == nullptr) return unreadable();
  std::string text(kSecretBytesMax + 3, '\0');  // with CRLF, and one octet too many
  text.resize(std::fread(text.data(), 1, text.size(), file.get()));
  if (std::ferror(file.get()) != 0) return unreadable();
  if (text.ends_with('\n')) text.pop_back();
  if (text.ends_with('\r')) text.pop_back();
  if (text.empty()) return wrong("file " + name + " is empty", "a file with one line");
  if (text.size() > kSecretBytesMax) {
    return wrong("file " + name + " is too long", std::to_string(kSecretBytesMax) + " octets");
  }
  // A certificate, a list, a whole configuration: not what was meant.
  if (text.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) {
    return wrong("file " + name + " has more than one line", "a file with one line");
  }
  return text;
}

Text text_of_variable(const std::string& variable) {
  const char* const value = std::getenv(variable.c_str());
  if (value == nullptr || *value == '\0') {
    return wrong("the environment has no " + quote(variable),
                 "a variable that is set and not empty");
  }
  return std::string(value);
}

}  // namespace

std::optional<std::string> read_secret(const Node& node, Reading& reading) {
  if (node.entries.size() != 1) {
    reading.wrong(node.mark, Wrong{"says not where the secret is", std::string(kRight)});
    return std::nullopt;
  }
  const auto& [key, mark, where] = node.entries.front();
  const Reading::Step step(reading, key);
  if (key != "file" && key != "env") {
    reading.wrong(mark, Wrong{"unknown key", std::string(kRight)});
    return std::nullopt;
  }
  if (where.kind != Node::Kind::kScalar || where.text.empty()) {
    reading.wrong(where.mark, Wrong{"names nothing", std::string(kRight)});
    return std::nullopt;
  }
  Text text = key == "env" ? text_of_variable(where.text)
                           : text_of_file((reading.directory() / where.text).lexically_normal());
  if (text) return *std::move(text);
  reading.wrong(where.mark, std::move(text).error());
  return std::nullopt;
}

}  // namespace godwit::config
