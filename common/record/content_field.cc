#include "common/record/content_field.h"

#include <climits>
#include <string>
#include <utility>

#include "common/record/errc.h"
#include "common/record/records.h"
#include "common/record/wire.h"
#include "godwit/v1/delivery.pb.h"
#include "godwit/v1/message.pb.h"

namespace godwit::record {
namespace {

constexpr std::uint32_t kContent = v1::Message::kContentFieldNumber;
static_assert(kContent == v1::Delivery::kContentFieldNumber);

struct Opened {
  Bytes others;       // the record without its content
  v1::Content shell;  // the content without its octets
  Rope data;          // them
  std::uint64_t version = 0;
};

Result<Opened> open(const Rope& record) {
  TakenField content{.number = kContent};
  TRY(TakenApart apart, take_apart(record, {&content}));
  TakenField data{.number = v1::Content::kDataFieldNumber};
  TRY(const TakenApart shell, take_apart(content.payload, {&data}));
  Opened opened{std::move(apart.rest), {}, std::move(data.payload), apart.version};
  const std::string_view octets = shell.rest.view();
  if (octets.size() > INT_MAX ||
      !opened.shell.ParseFromArray(octets.data(), static_cast<int>(octets.size()))) {
    return fail(Errc::kMalformed, "content");
  }
  return opened;
}

}  // namespace

Result<v1::Content> content_field(const Rope& record) {
  TRY(Opened opened, open(record));
  return std::move(opened.shell);
}

Result<Rope> inline_content(const Rope& record) {
  TRY(Opened opened, open(record));
  if (opened.version == 0) return fail(Errc::kMalformed, "no version");
  if (opened.version > kVersion) {
    return fail(Errc::kUnknownVersion, "version " + std::to_string(opened.version));
  }
  const v1::Content& shell = opened.shell;
  if (shell.enc() != v1::Sealed::CLEAR) {
    return fail(Errc::kUnknownEncryption, "enc " + std::to_string(shell.enc()));
  }
  if (!opened.data.empty() && (shell.has_position() || shell.has_body() || shell.parked())) {
    return fail(Errc::kMalformed, "content in more than one place");
  }
  if (!opened.data.empty() && shell.size() != opened.data.size()) {
    return fail(Errc::kMalformed, "content size");
  }
  return std::move(opened.data);
}

Result<Rope> with_inline_content(const Rope& record, const Rope& data) {
  TRY(Opened opened, open(record));
  opened.shell.clear_position();
  opened.shell.clear_body();
  opened.shell.clear_parked();
  std::string shell = opened.shell.SerializeAsString();
  append_field_head(shell, v1::Content::kDataFieldNumber, data.size());
  std::string head;
  append_field_head(head, kContent, shell.size() + data.size());
  Rope whole(opened.others);
  whole.append(Rope(Bytes::adopt(head + shell)));
  whole.append(data);
  return whole;
}

}  // namespace godwit::record
