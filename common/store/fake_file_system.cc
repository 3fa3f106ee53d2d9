#include "common/store/fake_file_system.h"

#include <algorithm>
#include <cstring>
#include <deque>
#include <set>
#include <utility>

#include "common/base/check.h"

namespace godwit::store {
namespace {

constexpr std::size_t kPage = 4096;

std::string parent_of(const std::string& path) {
  return std::filesystem::path(path).parent_path().string();
}

// One spelling for each path.
std::string normal(const std::filesystem::path& path) {
  std::string text = path.lexically_normal().string();
  if (text.size() > 1 && text.ends_with('/')) text.pop_back();
  return text;
}

}  // namespace

// One file: what is seen, and for each page that was written since the last sync what is on the disk.
struct FakeFileSystem::Node {
  std::string data;
  std::map<std::size_t, std::string> unsynced;  // page -> octets on disk
  // Pages whose sync failed: seen as written, clean for the kernel, and not on the disk.
  std::map<std::size_t, std::string> dropped;
  std::size_t synced_size = 0;
  std::string path;  // as it was opened last, for failures and hooks
};

struct FakeFileSystem::State {
  using NodePtr = std::shared_ptr<Node>;
  struct Operation {
    std::string directory;
    std::function<void(std::map<std::string, NodePtr>&)> apply;
  };

  explicit State(std::uint64_t seed) : random(seed) {}

  SeededRandom random;
  std::map<std::string, NodePtr> names;         // as seen
  std::map<std::string, NodePtr> synced_names;  // on disk
  std::deque<Operation> operations;             // between the two, in order
  std::set<std::string> directories;
  std::map<std::string, int> locks;  // shared holders, -1: exclusive
  std::uint64_t life = 1;
  bool frozen = false;
  std::map<std::string, int> failing_syncs;
  std::map<std::string, int> failing_writes;
  std::function<void(const std::string&)> sync_hook;
  std::optional<SyncLie> lie;

  void operate(const std::string& path,
               std::function<void(std::map<std::string, NodePtr>&)> apply) {
    apply(names);
    operations.push_back({parent_of(path), std::move(apply)});
  }
  [[nodiscard]] std::uint64_t used() const {
    std::uint64_t bytes = 0;
    for (const auto& [path, node] : names) bytes += node->data.size();
    return bytes;
  }
};

class FakeFile final : public File {
 public:
  FakeFile(FakeFileSystem& files, std::shared_ptr<FakeFileSystem::Node> node)
      : files_(files), node_(std::move(node)), life_(files.state_->life) {}

  Result<std::size_t> read(std::uint64_t offset, std::span<char> into) const override {
    const std::lock_guard lock(files_.mutex_);
    if (dead()) return fail(Errc::kIo, "the power is gone");
    if (offset >= node_->data.size()) return 0;
    const std::size_t count = std::min<std::size_t>(into.size(), node_->data.size() - offset);
    std::memcpy(into.data(), node_->data.data() + offset, count);
    return count;
  }

  Result<void> write(std::uint64_t offset, std::span<const std::string_view> pieces) override {
    const std::lock_guard lock(files_.mutex_);
    if (dead()) return fail(Errc::kIo, "the power is gone");
    if (files_.take_failure(files_.state_->failing_writes, node_->path)) {
      return fail(Errc::kIo, "write: injected");
    }
    std::size_t bytes = 0;
    for (const std::string_view piece : pieces) bytes += piece.size();
    const std::size_t end = offset + bytes;
    if (end > node_->data.size()) {
      if (files_.state_->used() + end - node_->data.size() > files_.capacity_) {
        return fail(Errc::kNoSpace, "write");
      }
      remember(node_->data.size(), end);
      node_->data.resize(end);
    }
    remember(offset, end);
    for (const std::string_view piece : pieces) {
      std::memcpy(node_->data.data() + offset, piece.data(), piece.size());
      offset += piece.size();
    }
    files_.written_ += bytes;
    return {};
  }

  Result<void> sync() override {
    std::function<void(const std::string&)> hook;
    std::string path;
    {
      const std::lock_guard lock(files_.mutex_);
      hook = files_.state_->sync_hook;
      path = node_->path;
    }
    if (hook) hook(path);
    const std::lock_guard lock(files_.mutex_);
    if (dead()) return fail(Errc::kIo, "the power is gone");
    ++files_.syncs_;
    if (files_.take_failure(files_.state_->failing_syncs, node_->path)) {
      node_->dropped.merge(node_->unsynced);
      node_->unsynced.clear();
      return fail(Errc::kIo, "fdatasync: injected");
    }
    if (const auto& lie = files_.state_->lie; lie && node_->path.contains(lie->part)) {
      if (!lie->honest_bytes) return {};
      node_->synced_size = node_->data.size();
      std::erase_if(node_->unsynced,
                    [&](const auto& page) { return page.first * kPage < *lie->honest_bytes; });
      return {};
    }
    node_->unsynced.clear();
    node_->synced_size = node_->data.size();
    return {};
  }

  Result<void> truncate(std::uint64_t size) override {
    const std::lock_guard lock(files_.mutex_);
    if (dead()) return fail(Errc::kIo, "the power is gone");
    remember(std::min<std::size_t>(size, node_->data.size()), node_->data.size());
    node_->data.resize(size);
    return {};
  }

  Result<std::uint64_t> size() const override {
    const std::lock_guard lock(files_.mutex_);
    if (dead()) return fail(Errc::kIo, "the power is gone");
    return node_->data.size();
  }

 private:
  [[nodiscard]] bool dead() const { return life_ != files_.state_->life || files_.state_->frozen; }
  // Keeps what the disk has of the pages that overlap [from, to).
  void remember(std::size_t from, std::size_t to) {
    for (std::size_t page = from / kPage; page * kPage < to; ++page) {
      const std::size_t begin = page * kPage;
      if (auto dropped = node_->dropped.extract(page)) {
        node_->unsynced.insert(std::move(dropped));
        continue;
      }
      const std::string_view data = node_->data;
      node_->unsynced.try_emplace(
          page, begin < data.size() ? std::string(data.substr(begin, kPage)) : std::string());
    }
  }

  FakeFileSystem& files_;
  std::shared_ptr<FakeFileSystem::Node> node_;
  const std::uint64_t life_;
};

class FakeLock final : public FileLock {
 public:
  FakeLock(FakeFileSystem& files, std::string path)
      : files_(files), path_(std::move(path)), life_(files.state_->life) {}
  ~FakeLock() override {
    const std::lock_guard lock(files_.mutex_);
    if (life_ != files_.state_->life) return;
    int& holders = files_.state_->locks[path_];
    holders = holders > 0 ? holders - 1 : 0;
  }

 private:
  FakeFileSystem& files_;
  const std::string path_;
  const std::uint64_t life_;
};

FakeFileSystem::FakeFileSystem(std::uint64_t seed, std::uint64_t capacity)
    : state_(std::make_unique<State>(seed)), capacity_(capacity) {}

FakeFileSystem::~FakeFileSystem() = default;

bool FakeFileSystem::take_failure(std::map<std::string, int>& failures, const std::string& path) {
  for (auto& [part, count] : failures) {
    if (count > 0 && path.find(part) != std::string::npos) {
      --count;
      return true;
    }
  }
  return false;
}

void FakeFileSystem::freeze() {
  const std::lock_guard lock(mutex_);
  state_->frozen = true;
}

void FakeFileSystem::thaw() {
  const std::lock_guard lock(mutex_);
  ++state_->life;
  state_->frozen = false;
  for (auto& [path, holders] : state_->locks) holders = 0;
}

void FakeFileSystem::lie_about_syncs(std::optional<SyncLie> lie) {
  const std::lock_guard lock(mutex_);
  state_->lie = std::move(lie);
}

void FakeFileSystem::lose_power(Loss loss) {
  const std::lock_guard lock(mutex_);
  const auto lost = [&] { return loss == Loss::kEverything || state_->random.below(2) == 0; };
  ++state_->life;
  state_->frozen = false;
  for (auto& [path, holders] : state_->locks) holders = 0;
  // Names first: a journal keeps operations in order, so a prefix of them is on disk.
  std::uint64_t kept =
      loss == Loss::kEverything ? 0 : state_->random.below(state_->operations.size() + 1);
  for (; kept > 0; --kept) {
    state_->operations.front().apply(state_->synced_names);
    state_->operations.pop_front();
  }
  state_->operations.clear();
  state_->names = state_->synced_names;

  for (const auto& [path, node] : state_->names) {
    std::size_t size = node->data.size();
    if (size > node->synced_size && lost()) size = node->synced_size;
    const auto restore = [&](std::size_t page, const std::string& on_disk) {
      const std::size_t begin = page * kPage;
      if (begin >= node->data.size()) return;
      const std::size_t count = std::min(kPage, node->data.size() - begin);
      std::string octets = on_disk.substr(0, count);
      octets.resize(count);
      node->data.replace(begin, count, octets);
    };
    for (const auto& [page, on_disk] : node->unsynced) {
      if (lost()) restore(page, on_disk);  // the others made it
    }
    for (const auto& [page, on_disk] : node->dropped) restore(page, on_disk);
    node->data.resize(size);
    node->unsynced.clear();
    node->dropped.clear();
    node->synced_size = size;
  }
}

std::uint64_t FakeFileSystem::used() const {
  const std::lock_guard lock(mutex_);
  return state_->used();
}

void FakeFileSystem::fail_syncs(std::string part, int count) {
  const std::lock_guard lock(mutex_);
  state_->failing_syncs[std::move(part)] = count;
}

void FakeFileSystem::fail_writes(std::string part, int count) {
  const std::lock_guard lock(mutex_);
  state_->failing_writes[std::move(part)] = count;
}

void FakeFileSystem::before_sync(std::function<void(const std::string&)> hook) {
  const std::lock_guard lock(mutex_);
  state_->sync_hook = std::move(hook);
}

void FakeFileSystem::flip_bit(const Path& path, std::uint64_t offset, int bit) {
  const std::lock_guard lock(mutex_);
  const auto found = state_->names.find(normal(path));
  CHECK(found != state_->names.end() && offset < found->second->data.size(), "{}", normal(path));
  char& octet = found->second->data[offset];
  octet = static_cast<char>(octet ^ (1 << bit));
}

std::string FakeFileSystem::contents(const Path& path) const {
  const std::lock_guard lock(mutex_);
  const auto found = state_->names.find(normal(path));
  return found == state_->names.end() ? std::string() : found->second->data;
}

std::string FakeFileSystem::beginning(const Path& path, std::size_t count) const {
  const std::lock_guard lock(mutex_);
  const auto found = state_->names.find(normal(path));
  return found == state_->names.end() ? std::string() : found->second->data.substr(0, count);
}

std::vector<std::string> FakeFileSystem::paths() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> all;
  for (const auto& [path, node] : state_->names) all.push_back(path);
  return all;
}

Result<std::unique_ptr<File>> FakeFileSystem::open(const Path& path, Mode mode) {
  const std::lock_guard lock(mutex_);
  if (state_->frozen) return fail(Errc::kIo, "the power is gone");
  const std::string name = normal(path);
  const auto found = state_->names.find(name);
  if (mode != Mode::kCreate) {
    if (found == state_->names.end()) return fail(Errc::kNotFound, name);
    return std::make_unique<FakeFile>(*this, found->second);
  }
  if (!state_->directories.contains(parent_of(name))) return fail(Errc::kNotFound, name);
  // A new node also when there is a file: emptying it is like replacing it.
  auto node = std::make_shared<Node>();
  node->path = name;
  state_->operate(name, [name, node](auto& names) { names[name] = node; });
  return std::make_unique<FakeFile>(*this, std::move(node));
}

bool FakeFileSystem::exists(const Path& path) const {
  const std::lock_guard lock(mutex_);
  return state_->names.contains(normal(path)) || state_->directories.contains(normal(path));
}

Result<std::vector<std::string>> FakeFileSystem::list(const Path& directory) const {
  const std::lock_guard lock(mutex_);
  if (!state_->directories.contains(normal(directory))) {
    return fail(Errc::kNotFound, normal(directory));
  }
  std::set<std::string> names;
  for (const auto& [path, node] : state_->names) {
    if (parent_of(path) == normal(directory)) names.insert(Path(path).filename().string());
  }
  for (const std::string& path : state_->directories) {
    if (parent_of(path) == normal(directory) && path != normal(directory)) {
      names.insert(Path(path).filename().string());
    }
  }
  return std::vector<std::string>(names.begin(), names.end());
}

Result<void> FakeFileSystem::remove(const Path& path) {
  const std::lock_guard lock(mutex_);
  if (state_->frozen) return fail(Errc::kIo, "the power is gone");
  const std::string name = normal(path);
  if (!state_->names.contains(name)) return fail(Errc::kNotFound, name);
  state_->operate(name, [name](auto& names) { names.erase(name); });
  return {};
}

Result<void> FakeFileSystem::rename(const Path& from, const Path& to) {
  const std::lock_guard lock(mutex_);
  if (state_->frozen) return fail(Errc::kIo, "the power is gone");
  const auto found = state_->names.find(normal(from));
  if (found == state_->names.end()) return fail(Errc::kNotFound, normal(from));
  found->second->path = normal(to);
  state_->operate(normal(to), [from = normal(from), to = normal(to)](auto& names) {
    const auto moved = names.find(from);
    if (moved == names.end()) return;
    auto node = moved->second;
    names.erase(moved);
    names[to] = std::move(node);
  });
  return {};
}

Result<void> FakeFileSystem::create_directory(const Path& path) {
  const std::lock_guard lock(mutex_);
  // Directories are durable at once: they are made when a log is created, and never after.
  for (Path at = normal(path); !at.empty() && at != at.root_path(); at = at.parent_path()) {
    state_->directories.insert(at.string());
  }
  return {};
}

Result<void> FakeFileSystem::sync_directory(const Path& path) {
  const std::lock_guard lock(mutex_);
  if (state_->frozen) return fail(Errc::kIo, "the power is gone");
  if (state_->lie && state_->lie->part.empty()) return {};
  // A journal commits everything before, of other directories too.
  std::size_t through = 0;
  for (std::size_t i = 0; i < state_->operations.size(); ++i) {
    if (state_->operations[i].directory == normal(path)) through = i + 1;
  }
  for (; through > 0; --through) {
    state_->operations.front().apply(state_->synced_names);
    state_->operations.pop_front();
  }
  return {};
}

Result<std::uint64_t> FakeFileSystem::free_bytes(const Path&) const {
  const std::lock_guard lock(mutex_);
  const std::uint64_t used = state_->used();
  return used >= capacity_ ? 0 : capacity_ - used;
}

Result<std::unique_ptr<FileLock>> FakeFileSystem::lock(const Path& path, bool shared) {
  const std::lock_guard lock(mutex_);
  const std::string name = normal(path);
  if (shared && !state_->locks.contains(name)) return fail(Errc::kNotFound, name);
  int& holders = state_->locks[name];
  if (holders < 0 || (holders > 0 && !shared)) return fail(Errc::kLocked, name);
  holders = shared ? holders + 1 : -1;
  return std::make_unique<FakeLock>(*this, name);
}

}  // namespace godwit::store
