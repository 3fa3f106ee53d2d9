// docs/events.md and docs/admin.md name everything there is.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/admin/commands.h"
#include "common/record/event_view.h"
#include "common/record/records.h"

namespace godwit::cli::admin {
namespace {

using testing::HasSubstr;

std::string page(const char* name) {
  std::ifstream file(std::string(GODWIT_SOURCE_DIR) + "/docs/" + name);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST(Docs, EveryTypeOfEvent) {
  const std::string events = page("events.md");
  for (int number = 1; number <= v1::EventType_MAX; ++number) {
    if (!v1::EventType_IsValid(number)) continue;
    const auto name = record::event_type_name(static_cast<v1::EventType>(number));
    EXPECT_THAT(events, HasSubstr("| `" + std::string(name) + "` |"));
  }
}

TEST(Docs, EveryFieldOfAnEvent) {
  record::Event event;
  v1::Event& head = event.head;
  head.set_type(v1::BOUNCED);
  head.set_message_id(std::string(16, 'm'));
  head.set_tenant("t");
  head.set_attempt(1);
  head.set_site("s");
  head.set_pool("p");
  head.set_source("a");
  head.mutable_remote()->set_host("h");
  head.mutable_reply()->set_enhanced("5.1.1");
  head.mutable_reply()->set_command("RCPT");
  head.set_tls("t");
  head.set_class_("c");
  head.set_outcome(v1::Event::OUTCOME_UNKNOWN);
  head.set_late(true);
  head.set_held(true);
  head.set_due_unix_ms(1);
  head.set_size(1);
  head.add_tags("t");
  head.set_node("n");
  head.set_queued_ms(1);
  const auto json = nlohmann::json::parse(record::event_json(event));
  EXPECT_GE(json.size(), 24u) << "every field is set";
  const std::string events = page("events.md");
  for (const auto& [key, value] : json.items()) {
    EXPECT_THAT(events, HasSubstr("| `" + key + "` |"));
    if (!value.is_object()) continue;
    for (const auto& [inner, ignored] : value.items())
      EXPECT_THAT(events, HasSubstr("`" + inner + "`:"));
  }
}

TEST(Docs, EveryCommandOfCtl) {
  CLI::App app;
  int status = 0;
  add_commands(app, status);
  const std::string admin = page("admin.md");
  for (const CLI::App* command : app.get_subcommand("ctl")->get_subcommands({})) {
    EXPECT_THAT(admin, HasSubstr("`ctl " + command->get_name()));
    EXPECT_THAT(command->get_description(), testing::Not(testing::IsEmpty()));
  }
}

}  // namespace
}  // namespace godwit::cli::admin
