#include "cli/admin/answer.h"

#include <ostream>

#include "common/record/event_view.h"

namespace godwit::cli::admin {

int could_not(const Error& error, Io io) {
  io.err << "godwit ctl: " << error.to_string() << '\n';
  return kCouldNotRun;
}

int say(const Json& json, Io io) {
  io.out << json.dump(-1, ' ', false, Json::error_handler_t::replace) << '\n';
  return kDone;
}

Json json_time(Timestamp time) {
  return time == Timestamp{} ? Json() : Json(record::format_rfc3339(time));
}

}  // namespace godwit::cli::admin
