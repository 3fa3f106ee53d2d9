#include "common/audit/fact_sorter.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <queue>
#include <string>

#include "common/audit/errc.h"

namespace godwit::audit {
namespace {

constexpr std::size_t kRunBufferFacts = (64u << 10) / sizeof(Fact);
constexpr std::size_t kFactsMin = 1024;

// Both go on after a short transfer; false: errno says why (0: the file ended early).
bool write_all(int file, const void* from, std::size_t bytes, std::uint64_t at) {
  const auto* next = static_cast<const char*>(from);
  while (bytes > 0) {
    const ssize_t written = ::pwrite(file, next, bytes, static_cast<off_t>(at));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    next += written;
    at += static_cast<std::uint64_t>(written);
    bytes -= static_cast<std::size_t>(written);
  }
  return true;
}

bool read_all(int file, void* into, std::size_t bytes, std::uint64_t at) {
  auto* next = static_cast<char*>(into);
  while (bytes > 0) {
    const ssize_t read = ::pread(file, next, bytes, static_cast<off_t>(at));
    if (read < 0 && errno == EINTR) continue;
    if (read <= 0) {
      if (read == 0) errno = 0;
      return false;
    }
    next += read;
    at += static_cast<std::uint64_t>(read);
    bytes -= static_cast<std::size_t>(read);
  }
  return true;
}

// A file without a name: it is gone with the process, however that ends.
int open_unnamed(const std::filesystem::path& directory) {
  const int file = ::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (file >= 0) return file;
  std::string name = (directory / "godwit-audit-XXXXXX").string();  // where O_TMPFILE is not known
  const int named = ::mkostemp(name.data(), O_CLOEXEC);
  if (named >= 0) ::unlink(name.c_str());
  return named;
}

}  // namespace

// Reads one sorted run with a buffer of its own.
class FactSorter::RunReader {
 public:
  RunReader(int file, Run run) : file_(file), run_(run) {}

  // False at the end of the run, and on an error (failed()).
  bool next(Fact& fact) {
    if (used_ == buffer_.size() && !fill()) return false;
    fact = buffer_[used_++];
    return true;
  }
  [[nodiscard]] bool failed() const { return failed_; }

 private:
  bool fill() {
    const std::size_t count = std::min<std::uint64_t>(run_.count, kRunBufferFacts);
    if (count == 0) return false;
    buffer_.resize(count);
    used_ = 0;
    if (!read_all(file_, buffer_.data(), count * sizeof(Fact), run_.first * sizeof(Fact))) {
      failed_ = true;
      buffer_.clear();
      return false;
    }
    run_.first += count;
    run_.count -= count;
    return true;
  }

  int file_;
  Run run_;
  std::vector<Fact> buffer_;
  std::size_t used_ = 0;
  bool failed_ = false;
};

FactSorter::FactSorter(std::size_t memory_bytes_max, std::filesystem::path spill_directory)
    : facts_max_(std::max(memory_bytes_max / sizeof(Fact), kFactsMin)),
      directory_(std::move(spill_directory)) {
  if (directory_.empty()) {
    std::error_code ignored;
    directory_ = std::filesystem::temp_directory_path(ignored);
    if (ignored) directory_ = "/tmp";
  }
}

FactSorter::~FactSorter() {
  if (file_ >= 0) ::close(file_);
}

FactSorter::FactSorter(FactSorter&& other) noexcept
    : facts_max_(other.facts_max_),
      directory_(std::move(other.directory_)),
      facts_(std::move(other.facts_)),
      runs_(std::move(other.runs_)),
      file_(std::exchange(other.file_, -1)) {}

Result<void> FactSorter::add(const Fact& fact) {
  if (facts_.size() == facts_.capacity()) {
    // Never more than the limit, also while the vector grows from half of it.
    if (facts_.size() >= facts_max_ / 2) {
      TRY_VOID(spill());
    } else {
      facts_.reserve(std::clamp(facts_.size() * 2, kFactsMin / 2, facts_max_ / 2));
    }
  }
  facts_.push_back(fact);
  return {};
}

Result<void> FactSorter::drain(const std::function<void(const Fact&)>& visit) {
  if (runs_.empty()) {
    std::ranges::sort(facts_);
    for (const Fact& fact : facts_) visit(fact);
    return {};
  }
  TRY_VOID(spill());
  facts_ = {};

  std::vector<RunReader> readers;
  readers.reserve(runs_.size());
  using Head = std::pair<Fact, std::size_t>;  // the next fact of a run
  const auto later = [](const Head& a, const Head& b) { return b.first < a.first; };
  std::priority_queue<Head, std::vector<Head>, decltype(later)> heads(later);
  const auto advance = [&](std::size_t i) {
    Fact fact;
    if (readers[i].next(fact)) heads.emplace(fact, i);
    return !readers[i].failed();
  };
  for (const Run& run : runs_) {
    readers.emplace_back(file_, run);
    if (!advance(readers.size() - 1)) return fail(failure("read"));
  }
  while (!heads.empty()) {
    const auto [fact, run] = heads.top();
    heads.pop();
    visit(fact);
    if (!advance(run)) return fail(failure("read"));
  }
  return {};
}

Result<void> FactSorter::spill() {
  if (facts_.empty()) return {};
  if (file_ < 0) {
    file_ = open_unnamed(directory_);
    if (file_ < 0) return fail(failure("make"));
  }
  std::ranges::sort(facts_);
  const std::uint64_t first = runs_.empty() ? 0 : runs_.back().first + runs_.back().count;
  if (!write_all(file_, facts_.data(), facts_.size() * sizeof(Fact), first * sizeof(Fact))) {
    return fail(failure("write"));
  }
  runs_.push_back({first, facts_.size()});
  facts_.clear();
  return {};
}

Error FactSorter::failure(const char* what) const {
  const char* why = errno == 0 ? "it ended early" : std::strerror(errno);
  return {make_error_code(Errc::kSpill),
          std::string("cannot ") + what + " a file in " + directory_.string() + " (" + why + ")"};
}

}  // namespace godwit::audit
