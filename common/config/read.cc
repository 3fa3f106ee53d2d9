#include "common/config/read.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>
#include <system_error>

namespace godwit::config {

namespace {

// In the order of the file; what stands at one place keeps its order.
void sort_by_place(Problems& problems) {
  std::multimap<std::pair<int, int>, Problem> sorted;
  for (Problem& problem : problems) {
    const std::pair place(problem.mark.line, problem.mark.column);
    sorted.emplace(place, std::move(problem));
  }
  problems.clear();
  for (auto& [place, problem] : sorted) problems.push_back(std::move(problem));
}

}  // namespace

std::string Outcome::to_string() const {
  std::string text;
  for (const Problem& problem : problems) text += problem.to_string() + '\n';
  return text;
}

Outcome read_text(std::string_view text, const std::filesystem::path& name, Fields& fields) {
  std::error_code ignored;
  const std::filesystem::path absolute = std::filesystem::absolute(name, ignored);
  Reading reading(name.string(), absolute.parent_path());
  const Node root = parse_yaml(text, name.string(), reading.problems());
  // After a syntax error nothing more is known: an empty tree would complain about what is missing.
  const bool parsed = reading.problems().empty() || root.kind != Node::Kind::kNull;
  if (parsed) fields.read(&root, Mark{1, 1}, reading);
  Outcome outcome{std::move(reading.problems()), std::move(reading.notices())};
  sort_by_place(outcome.problems);
  sort_by_place(outcome.notices);
  return outcome;
}

Outcome read_file(const std::filesystem::path& path, Fields& fields) {
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  const auto unreadable = [&] {
    return Outcome{
        {{path.string(), {}, "", std::string("cannot be read: ") + std::strerror(errno), ""}}, {}};
  };
  if (!in) return unreadable();
  std::string text;
  text.reserve(4096);
  char buffer[4096];
  while (in.read(buffer, sizeof buffer) || in.gcount() > 0) {
    text.append(buffer, static_cast<std::size_t>(in.gcount()));
    if (text.size() > kFileBytesMax) break;  // parse_yaml says so
  }
  if (in.bad()) return unreadable();
  if (std::error_code error; std::filesystem::is_directory(path, error)) {
    errno = EISDIR;
    return unreadable();
  }
  return read_text(text, path, fields);
}

}  // namespace godwit::config
