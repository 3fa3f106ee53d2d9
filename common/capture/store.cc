#include "common/capture/store.h"

#include <algorithm>
#include <deque>
#include <mutex>
#include <set>
#include <system_error>
#include <utility>

#include "common/base/random.h"
#include "common/capture/errc.h"
#include "common/capture/files.h"
#include "common/capture/mail_view.h"

namespace godwit::capture {
namespace {

constexpr std::size_t kFieldBytesKept = 1'000;

// Cut between UTF-8 characters.
std::string cut(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return std::string(text);
  while (bytes_max > 0 && (static_cast<unsigned char>(text[bytes_max]) & 0xc0) == 0x80) --bytes_max;
  return std::string(text.substr(0, bytes_max));
}

void discard(const std::filesystem::path& path) {
  std::error_code ignored;  // what cannot be removed is tried again by the next open()
  std::filesystem::remove(path, ignored);
}

// What is no whole mail: left by a process that ended in the middle.
void remove_halves(const std::filesystem::path& directory, const std::vector<CaptureId>& whole) {
  std::set<std::string> names;
  for (const CaptureId& id : whole) {
    names.insert(mail_file({}, id).string());
    names.insert(metadata_file({}, id).string());
  }
  std::error_code error;
  std::vector<std::filesystem::path> halves;
  for (std::filesystem::directory_iterator entries(directory, error);
       !error && entries != std::filesystem::directory_iterator(); entries.increment(error)) {
    const std::filesystem::path& path = entries->path();
    const bool ours = path.extension() == ".new" || path.extension() == ".eml";
    if (ours && !names.contains(path.filename().string())) halves.push_back(path);
  }
  for (const auto& path : halves) discard(path);
}

}  // namespace

struct Store::State {
  struct Kept {
    CaptureId id;
    std::uint64_t size = 0;
  };

  std::filesystem::path directory;
  std::mutex mutex;
  std::deque<Kept> mails;  // oldest first
  std::uint64_t bytes = 0;

  void drop_oldest() {
    const Kept oldest = mails.front();
    mails.pop_front();
    bytes -= oldest.size;
    discard(metadata_file(directory, oldest.id));  // first: without it the mail is not there
    discard(mail_file(directory, oldest.id));
  }
  void make_room(std::uint64_t size, const Limits& limits) {
    while (!mails.empty() &&
           (mails.size() + 1 > limits.count_max || bytes + size > limits.bytes_max)) {
      drop_oldest();
    }
  }
  // Greater than every id before, also when the clock stands still or goes back.
  [[nodiscard]] CaptureId next_id(Timestamp time) const {
    if (!mails.empty()) time = std::max(time, mails.back().id.time());
    for (;; time += std::chrono::milliseconds(1)) {
      class At final : public Clock {
       public:
        explicit At(Timestamp time) : time_(time) {}
        [[nodiscard]] Timestamp now() const override { return time_; }
        [[nodiscard]] Instant instant() const override { return {}; }

       private:
        Timestamp time_;
      } const clock(time);
      const CaptureId id = CaptureId::generate(clock, system_random());
      if (mails.empty() || id > mails.back().id) return id;
    }
  }
};

Store::Store(Limits limits, std::unique_ptr<State> state)
    : limits_(limits), state_(std::move(state)) {}
Store::~Store() = default;

Result<std::unique_ptr<Store>> Store::open(std::filesystem::path directory, Limits limits) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) return fail(Errc::kIo, directory.string() + " (" + error.message() + ")");

  auto state = std::make_unique<State>();
  state->directory = std::move(directory);
  TRY(const auto ids, ids_in(state->directory));
  std::vector<CaptureId> whole;
  for (const CaptureId& id : ids) {
    const auto size = std::filesystem::file_size(mail_file(state->directory, id), error);
    if (error) {
      discard(metadata_file(state->directory, id));
      continue;
    }
    whole.push_back(id);
    state->mails.push_back({id, size});
    state->bytes += size;
  }
  remove_halves(state->directory, whole);
  while (state->mails.size() > limits.count_max || state->bytes > limits.bytes_max) {
    state->drop_oldest();
  }
  return std::unique_ptr<Store>(new Store(limits, std::move(state)));
}

Result<CaptureId> Store::add(Metadata metadata, std::string_view octets) {
  if (octets.size() > limits_.bytes_max || limits_.count_max == 0) {
    return fail(Errc::kTooLarge, std::to_string(octets.size()) + " octets");
  }
  const MailView view = view_mail(octets);
  metadata.size = octets.size();
  metadata.from = cut(view.field("From"), kFieldBytesKept);
  metadata.to = cut(view.field("To"), kFieldBytesKept);
  metadata.subject = cut(view.field("Subject"), kFieldBytesKept);
  metadata.message_id = cut(view.field("Message-ID"), kFieldBytesKept);

  const std::lock_guard lock(state_->mutex);
  metadata.id = state_->next_id(metadata.time);
  state_->make_room(metadata.size, limits_);
  TRY_VOID(write_file(mail_file(state_->directory, metadata.id), octets));
  if (auto written =
          write_file(metadata_file(state_->directory, metadata.id), metadata_to_json(metadata));
      !written) {
    discard(mail_file(state_->directory, metadata.id));
    return fail(std::move(written).error());
  }
  state_->mails.push_back({metadata.id, metadata.size});
  state_->bytes += metadata.size;
  return metadata.id;
}

Result<Reader::Listing> Reader::list(std::size_t offset, std::size_t count_max) const {
  TRY(const auto ids, ids_in(directory_));
  Listing listing{.total = ids.size()};
  for (std::size_t i = offset; i < ids.size() && listing.mails.size() < count_max; ++i) {
    auto mail = metadata(ids[ids.size() - 1 - i]);
    // Gone while it was listed: it made room.
    if (mail) listing.mails.push_back(*std::move(mail));
  }
  return listing;
}

Result<Metadata> Reader::metadata(const CaptureId& id) const {
  TRY(const auto json, read_file(metadata_file(directory_, id)));
  return metadata_from_json(json);
}

Result<std::string> Reader::octets(const CaptureId& id) const {
  return read_file(mail_file(directory_, id));
}

Result<std::optional<CaptureId>> Reader::newest() const {
  TRY(const auto ids, ids_in(directory_));
  if (ids.empty()) return std::nullopt;
  return ids.back();
}

}  // namespace godwit::capture
