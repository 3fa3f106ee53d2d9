#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/ids.h"
#include "common/base/random.h"
#include "common/base/result.h"

// The capture: where mail goes until real delivery is configured, to be looked at.
namespace godwit::capture {

// One captured mail, named in the order of arrival. Its text form is 36 characters of [0-9a-f-]: a
// safe file name.
using CaptureId = MessageId;

// What came with the octets. All text is the peer's: escape it wherever it is shown.
struct Metadata {
  CaptureId id;
  Timestamp time;
  std::string sender;  // reverse-path; empty: the null reverse-path
  std::vector<std::string> recipients;
  std::string client;  // address of the client that delivered it
  std::string helo;
  std::string tls;         // "TLSv1.3 TLS_AES_256_GCM_SHA384"; empty: in the clear
  std::string parameters;  // of MAIL, as given: "SIZE=512 BODY=8BITMIME SMTPUTF8"
  std::uint64_t size = 0;  // octets of the mail
  std::string from;        // header fields, as in the mail, for lists
  std::string to;
  std::string subject;
  std::string message_id;

  bool operator==(const Metadata&) const = default;
};

struct Limits {
  std::size_t count_max = 1'000;
  std::uint64_t bytes_max = 512ull << 20;
};

// A ring of mails on disk: <id>.eml (the octets exactly as delivered, without dot-stuffing) beside
// <id>.json.
//
// Bounds      count_max mails and bytes_max octets of mail; the oldest go first. Recipients kept:
//             1,000
// Durability  none: files are renamed into place whole, but not synced. It is for looking at, not
//             for keeping
// Threads     functions block on the disk: not on a mail loop. Any thread; one Store writes a
//             directory
// Errors      kTooLarge (one mail over bytes_max), kIo
class Store {
 public:
  // Makes the directory when it is missing, and removes what an earlier end left half written.
  [[nodiscard]] static Result<std::unique_ptr<Store>> open(std::filesystem::path directory,
                                                           Limits limits);
  ~Store();

  // Keeps one mail. metadata.id, size and the header fields are filled in here.
  [[nodiscard]] Result<CaptureId> add(Metadata metadata, std::string_view octets);
  [[nodiscard]] const Limits& limits() const { return limits_; }

 private:
  struct State;
  Store(Limits limits, std::unique_ptr<State> state);
  Limits limits_;
  std::unique_ptr<State> state_;
};

// Reads what a Store keeps, in this process or another, while it writes.
// Errors: kNotFound (gone, or never there), kIo.
class Reader {
 public:
  explicit Reader(std::filesystem::path directory) : directory_(std::move(directory)) {}

  struct Listing {
    std::vector<Metadata> mails;  // newest first
    std::size_t total = 0;
  };
  // A directory that does not exist is an empty capture.
  [[nodiscard]] Result<Listing> list(std::size_t offset, std::size_t count_max) const;
  [[nodiscard]] Result<Metadata> metadata(const CaptureId& id) const;
  [[nodiscard]] Result<std::string> octets(const CaptureId& id) const;
  // The newest mail's id; nullopt: there is none.
  [[nodiscard]] Result<std::optional<CaptureId>> newest() const;

 private:
  std::filesystem::path directory_;
};

[[nodiscard]] std::string metadata_to_json(const Metadata& metadata);
// Errors: kBadMetadata.
[[nodiscard]] Result<Metadata> metadata_from_json(std::string_view json);

}  // namespace godwit::capture
