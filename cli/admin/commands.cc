#include "cli/admin/commands.h"

#include <CLI/CLI.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <string>

#include "cli/admin/audit.h"
#include "cli/admin/capture.h"
#include "cli/admin/ctl.h"
#include "cli/admin/ctl_cluster.h"
#include "cli/admin/ctl_commands.h"
#include "cli/admin/ctl_control.h"
#include "cli/admin/ctl_dead.h"
#include "cli/admin/ctl_held.h"
#include "cli/admin/ctl_top.h"
#include "cli/admin/events.h"
#include "cli/admin/io.h"
#include "cli/admin/log_repair.h"
#include "cli/admin/target.h"
#include "cli/config.h"

namespace godwit::cli::admin {
namespace {

Io terminal() {
  return {std::cout, std::cerr};
}

// What all commands are told: the configuration file, or the address of a process.
struct Where {
  std::string file;
  std::string admin;
  operate::ClientTls tls;

  void add_file(CLI::App& command) {
    command.add_option("-c,--config", file, "Configuration file")->required()->type_name("FILE");
  }
  void add_file_or_address(CLI::App& command) {
    auto* config = command.add_option("-c,--config", file, "Configuration file of the process")
                       ->type_name("FILE");
    auto* address = command
                        .add_option("--admin", admin,
                                    std::string("Admin address of the process; its token comes "
                                                "from ") +
                                        kTokenVariable)
                        ->type_name("HOST:PORT");
    config->excludes(address);
    const auto add_tls = [&](const char* option, std::filesystem::path& of, const char* what) {
      return command.add_option(option, of, what)->type_name("FILE");
    };
    add_tls("--tls-ca", tls.ca, "TLS, with a server whose certificate this CA issued");
    auto* const certificate = add_tls("--tls-cert", tls.certificate, "Certificate to show");
    auto* const key = add_tls("--tls-key", tls.key, "Its key");
    certificate->needs(key);
    key->needs(certificate);
    command.add_option("--tls-name", tls.server_name, "Name in the server's certificate")
        ->type_name("NAME");
  }

  // Nothing when the file cannot be read: that was said, and `status` set.
  [[nodiscard]] std::optional<Config> config(int& status) const {
    Config config;
    const auto outcome = read_config(file, config);
    if (outcome.ok()) return config;
    std::cerr << outcome.to_string();
    status = kCouldNotRun;
    return std::nullopt;
  }

  [[nodiscard]] std::optional<Target> target(int& status) const {
    operate::Client::quiet();
    if (!admin.empty()) {
      return Target{
          .admin_address = admin, .token = token_of_environment(), .tls = tls, .data_dir = {}};
    }
    if (file.empty()) {
      std::cerr << "which process? give -c FILE or --admin HOST:PORT\n";
      status = kUsage;
      return std::nullopt;
    }
    const auto config = this->config(status);
    if (!config) return std::nullopt;
    Target target = target_of(*config);
    if (!tls.ca.empty()) target.tls.ca = tls.ca;
    if (!tls.server_name.empty()) target.tls.server_name = tls.server_name;
    if (!tls.certificate.empty()) {
      target.tls.certificate = tls.certificate;
      target.tls.key = tls.key;
      target.token = token_of_environment();  // the one to show instead of it is not the file's
    }
    return target;
  }
};

// The options of one command, which its callback keeps.
template <class Options>
struct Command {
  Where where;
  Options options;
};

void add_events(CLI::App& app, int& status) {
  auto* command = app.add_subcommand("events", "What happened to every recipient");
  auto kept = std::make_shared<Command<EventsOptions>>();
  EventsOptions& options = kept->options;
  kept->where.add_file(*command);
  command->add_flag("--follow,-f", options.follow, "Go on with what comes");
  command->add_option("--since", options.since, "Begin there: a time (RFC 3339) or an age (20m)")
      ->type_name("TIME");
  command->add_flag("--json", options.json, "One JSON object a line");
  command->add_option("--type", options.types, "Only these: delivered, bounced, ...")
      ->delimiter(',')
      ->type_name("TYPE");
  command->add_option("--tenant", options.tenant, "Only of this tenant")->type_name("NAME");
  command->add_option("--message", options.message, "Only of this message")->type_name("ID");
  command->add_option("--recipient", options.recipient, "Only of this address, or @domain")
      ->type_name("ADDRESS");
  command->add_option("--site", options.site, "Only of this site")->type_name("SITE");
  command->callback([kept, &status] {
    if (const auto target = kept->where.target(status)) {
      status = events(kept->options, *target, system_clock(), terminal());
    }
  });
}

void add_audit(CLI::App& app, int& status) {
  auto* command = app.add_subcommand(
      "audit", "Proves that every accepted recipient ended once, or names those that did not");
  auto kept = std::make_shared<Command<AuditOptions>>();
  kept->where.add_file(*command);
  command->add_flag("--json", kept->options.json, "The report as one JSON object");
  command->add_flag("--quiet,-q", kept->options.quiet, "No progress");
  command->add_option("--exceptions", kept->options.exceptions_max, "Exceptions that are named")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  command->callback([kept, &status] {
    if (const auto target = kept->where.target(status)) {
      status = audit(kept->options, *target, terminal());
    }
  });
}

void add_capture(CLI::App& app, int& status) {
  auto* command = app.add_subcommand("capture", "The mail that was routed `to: capture`");
  command->require_subcommand(1);

  auto* list = command->add_subcommand("list", "The newest mails");
  auto listing = std::make_shared<Command<CaptureListOptions>>();
  listing->where.add_file(*list);
  list->add_flag("--json", listing->options.json, "One JSON object a line");
  list->add_option("--count,-n", listing->options.count_max, "How many")->capture_default_str();
  list->callback([listing, &status] {
    if (const auto config = listing->where.config(status)) {
      status = capture_list(listing->options, config->capture_directory(), terminal());
    }
  });

  auto* show = command->add_subcommand("show", "One mail, the newest when none is named");
  auto showing = std::make_shared<Command<CaptureShowOptions>>();
  showing->where.add_file(*show);
  show->add_option("ID", showing->options.id, "Its id");
  auto* raw = show->add_flag("--raw", showing->options.raw, "Its octets as they were delivered");
  show->add_flag("--json", showing->options.json, "Its envelope as a JSON object")->excludes(raw);
  show->callback([showing, &status] {
    if (const auto config = showing->where.config(status)) {
      status = capture_show(showing->options, config->capture_directory(), terminal());
    }
  });
}

// One `ctl` command: its own options are added to what is returned.
struct CtlCommand {
  CLI::App* command;
  std::shared_ptr<Command<CtlOptions>> kept;
};
CtlCommand add_ctl_command(CLI::App& ctl, const char* name, const char* what) {
  CtlCommand added{ctl.add_subcommand(name, what), std::make_shared<Command<CtlOptions>>()};
  added.kept->where.add_file_or_address(*added.command);
  added.command->add_flag("--json", added.kept->options.json, "The answer as one JSON object");
  return added;
}

CLI::Option* add_reason(CLI::App& command, std::string& reason) {
  return command.add_option("--reason", reason, "Why, for the audit (audit-log)")
      ->type_name("TEXT");
}
// One that changes something: it says why.
CtlCommand add_ctl_change(CLI::App& ctl, const char* name, const char* what) {
  CtlCommand added = add_ctl_command(ctl, name, what);
  add_reason(*added.command, added.kept->options.reason)->required();
  return added;
}

void add_ctl_process(CLI::App& ctl, int& status) {
  const auto info = add_ctl_command(ctl, "info", "What runs there: roles, addresses, version");
  info.command->callback([kept = info.kept, &status] {
    if (const auto target = kept->where.target(status)) {
      status = ctl_info(kept->options, *target, terminal());
    }
  });

  const auto health = add_ctl_command(ctl, "health", "Whether it serves; exit status 1 when not");
  auto role = std::make_shared<std::string>();
  health.command->add_option("ROLE", *role, "Of this role; of the process when none is named");
  health.command->callback([kept = health.kept, role, &status] {
    if (const auto target = kept->where.target(status)) {
      status = ctl_health(kept->options, *role, *target, terminal());
    }
  });

  const auto drain =
      add_ctl_change(ctl, "drain", "Takes no new mail, ends what is under way, exits");
  auto leave = std::make_shared<bool>(false);
  drain.command->add_flag("--leave", *leave, "Gives its partitions back for good (scale-in)");
  drain.command->callback([kept = drain.kept, leave, &status] {
    if (const auto target = kept->where.target(status)) {
      status = ctl_drain(kept->options, *leave, *target, terminal());
    }
  });

  const auto reload = add_ctl_change(ctl, "reload", "Loads configuration and control data again");
  reload.command->callback([kept = reload.kept, &status] {
    if (const auto target = kept->where.target(status)) {
      status = ctl_reload(kept->options, *target, terminal());
    }
  });

  const auto level = add_ctl_command(ctl, "log-level", "Says or sets how much it logs");
  auto wanted = std::make_shared<std::string>();
  level.command->add_option("LEVEL", *wanted, "debug, info, warning, error or off")
      ->needs(add_reason(*level.command, level.kept->options.reason));
  level.command->callback([kept = level.kept, wanted, &status] {
    if (const auto target = kept->where.target(status)) {
      status = ctl_log_level(kept->options, *wanted, *target, terminal());
    }
  });
}

void add_ctl_mail(CLI::App& ctl, int& status) {
  const auto queue = add_ctl_command(ctl, "queue", "What waits, how long, and for what");
  auto query = std::make_shared<operate::QueueQuery>();
  const std::map<std::string, operate::QueueBy> by{{"lane", operate::QueueBy::kLane},
                                                   {"domain", operate::QueueBy::kDomain},
                                                   {"tenant", operate::QueueBy::kTenant},
                                                   {"site", operate::QueueBy::kSite},
                                                   {"pool", operate::QueueBy::kPool}};
  queue.command->add_option("--by", query->by, "lane, domain, tenant, site or pool")
      ->transform(CLI::CheckedTransformer(by).description(""))
      ->type_name("WHAT");
  queue.command->add_option("--rows", query->rows_max, "How many rows")
      ->check(CLI::Range(1, 1'000))
      ->capture_default_str();
  queue.command->callback([kept = queue.kept, query, &status] {
    if (const auto target = kept->where.target(status)) {
      status = ctl_queue(kept->options, *query, *target, system_clock(), terminal());
    }
  });
}

void add_ctl_top(CLI::App& ctl, int& status) {
  const auto top = add_ctl_command(ctl, "top", "A live screen; one table when it is no terminal");
  auto options = std::make_shared<TopOptions>();
  auto interval = std::make_shared<double>(2);
  top.command->add_option("--interval", *interval, "Seconds between two looks")
      ->check(CLI::Range(0.2, 3600.0))
      ->capture_default_str();
  top.command->callback([kept = top.kept, options, interval, &status] {
    const auto target = kept->where.target(status);
    if (!target) return;
    options->interval = std::chrono::milliseconds(static_cast<std::int64_t>(*interval * 1000));
    options->json = kept->options.json;
    options->lines = terminal_lines();
    status = ctl_top(*options, *target, system_clock(), terminal());
  });
}

void add_filter(CLI::App& command, FilterOptions& filter) {
  command.add_option("--tenant", filter.tenant, "Of this tenant")->type_name("NAME");
  command.add_option("--tag,--campaign", filter.tag, "With this tag (a campaign)")
      ->type_name("TAG");
  command.add_option("--domain", filter.domain, "To this domain")->type_name("DOMAIN");
  command.add_option("--site", filter.site, "To this site, as `queue` shows it")->type_name("SITE");
  command.add_option("--pool", filter.pool, "Of this pool")->type_name("NAME");
  command.add_option("--class", filter.of_class, "bulk or urgent")->type_name("CLASS");
  command.add_option("--message", filter.message, "Of this message")->type_name("ID");
}

// suspend, cancel and retry.
void add_ctl_order(CLI::App& ctl, const char* name, const char* what, commands::Kind kind,
                   int& status) {
  const auto command = add_ctl_change(ctl, name, what);
  auto order = std::make_shared<OrderOptions>();
  order->kind = kind;
  add_filter(*command.command, order->filter);
  if (kind == commands::Kind::kSuspend) {
    command.command->add_option("--source", order->filter.source, "From this source; others go on")
        ->type_name("NAME");
    command.command->add_option("--until", order->until, "Its end: a time (RFC 3339) or in 20m")
        ->type_name("TIME");
  }
  if (kind == commands::Kind::kCancel) {
    command.command
        ->add_option("--until", order->until,
                     "Mail accepted until then, too: a time (RFC 3339) or in 20m")
        ->type_name("TIME");
    command.command->add_flag("--yes", order->yes,
                              "Does it; without, says only what it would touch");
  }
  command.command->callback([kept = command.kept, order, &status] {
    if (const auto target = kept->where.target(status)) {
      status = ctl_order(kept->options, *order, *target, system_clock(), terminal());
    }
  });
}

void add_ctl_commands(CLI::App& ctl, int& status) {
  add_ctl_order(ctl, "suspend", "What fits is not attempted until this is undone, or ends",
                commands::Kind::kSuspend, status);
  add_ctl_order(ctl, "cancel", "What fits and was accepted before ends as cancelled",
                commands::Kind::kCancel, status);
  add_ctl_order(ctl, "retry", "What fits and waits for its due time is tried again now",
                commands::Kind::kRetry, status);

  auto* commands = ctl.add_subcommand("commands", "What was ordered: suspend, cancel, retry");
  commands->require_subcommand(1);
  const auto list = add_ctl_command(*commands, "list", "Those in force, the newest first");
  auto all = std::make_shared<bool>(false);
  list.command->add_flag("--all", *all, "Those that are over, too, for a week");
  list.command->callback([kept = list.kept, all, &status] {
    if (const auto target = kept->where.target(status)) {
      status = ctl_commands_list(kept->options, *all, *target, system_clock(), terminal());
    }
  });
  const auto undo = add_ctl_change(*commands, "undo", "Ends one: what it suspended goes on");
  auto id = std::make_shared<std::string>();
  undo.command->add_option("ID", *id, "As `commands list` shows it")->required();
  undo.command->callback([kept = undo.kept, id, &status] {
    if (const auto target = kept->where.target(status)) {
      status = ctl_commands_undo(kept->options, *id, *target, terminal());
    }
  });
}

void add_ctl_deliveries(CLI::App& ctl, int& status) {
  auto* deliveries = ctl.add_subcommand("deliveries", "Queued mail, delivery by delivery");
  deliveries->require_subcommand(1);
  const auto list = add_ctl_command(*deliveries, "list", "Those that fit, the oldest first");
  auto filter = std::make_shared<FilterOptions>();
  auto rows = std::make_shared<std::uint32_t>(100);
  add_filter(*list.command, *filter);
  list.command->add_option("--rows", *rows, "How many rows")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  list.command->callback([kept = list.kept, filter, rows, &status] {
    if (const auto target = kept->where.target(status)) {
      status =
          ctl_deliveries_list(kept->options, *filter, *rows, *target, system_clock(), terminal());
    }
  });
  auto id = std::make_shared<std::string>();
  const auto show = add_ctl_command(*deliveries, "show", "One: attempts, last reply, next due");
  show.command->add_option("DELIVERY", *id, "As `deliveries list` shows it")->required();
  show.command->callback([kept = show.kept, id, &status] {
    if (const auto target = kept->where.target(status)) {
      status = ctl_deliveries_show(kept->options, *id, *target, terminal());
    }
  });
  const auto trace =
      add_ctl_command(ctl, "trace", "What became of a message: its events, in order");
  trace.command->add_option("MESSAGE", *id, "As in the reply \"queued as\"")->required();
  trace.command->callback([kept = trace.kept, id, &status] {
    if (const auto target = kept->where.target(status)) {
      status = ctl_trace(kept->options, *id, *target, terminal());
    }
  });
}

// `ctl dead` alone lists, too.
void add_ctl_dead(CLI::App& ctl, int& status) {
  const auto dead = add_ctl_command(ctl, "dead", "Records that could not be handled, and why");
  auto rows = std::make_shared<std::uint32_t>(100);
  const auto add_rows = [rows](CLI::App& command) {
    command.add_option("--rows", *rows, "How many rows")
        ->check(CLI::Range(1, 10'000))
        ->capture_default_str();
  };
  add_rows(*dead.command);
  dead.command->callback([command = dead.command, kept = dead.kept, rows, &status] {
    if (!command->get_subcommands().empty()) return;
    if (const auto target = kept->where.target(status)) {
      status = ctl_dead_list(kept->options, *rows, *target, terminal());
    }
  });

  const auto list = add_ctl_command(*dead.command, "list", "All of them, the oldest first");
  add_rows(*list.command);
  list.command->callback([kept = list.kept, rows, &status] {
    if (const auto target = kept->where.target(status)) {
      status = ctl_dead_list(kept->options, *rows, *target, terminal());
    }
  });

  auto key = std::make_shared<std::string>();
  const auto add_key = [key](CLI::App& command) {
    command.add_option("KEY", *key, "As `dead list` shows it")->required();
  };
  const auto show = add_ctl_command(*dead.command, "show", "One of them, with whose mail it is");
  add_key(*show.command);
  auto octets = std::make_shared<bool>(false);
  show.command->add_flag("--hex", *octets, "Its first octets, too");
  show.command->callback([kept = show.kept, key, octets, &status] {
    if (const auto target = kept->where.target(status)) {
      status = ctl_dead_show(kept->options, *key, *octets, *target, terminal());
    }
  });

  const auto retry = add_ctl_change(*dead.command, "retry", "Back to where it came from");
  add_key(*retry.command);
  retry.command->callback([kept = retry.kept, key, &status] {
    if (const auto target = kept->where.target(status)) {
      status = ctl_dead_retry(kept->options, *key, *target, terminal());
    }
  });

  const auto drop =
      add_ctl_change(*dead.command, "drop", "Gives it up: its recipients end as cancelled");
  add_key(*drop.command);
  auto force = std::make_shared<bool>(false);
  drop.command->add_flag("--force", *force, "Also when it cannot be told whose mail it is");
  drop.command->callback([kept = drop.kept, key, force, &status] {
    if (const auto target = kept->where.target(status)) {
      status = ctl_dead_drop(kept->options, *key, *force, *target, terminal());
    }
  });
}

// `ctl held` alone lists, too.
void add_ctl_held(CLI::App& ctl, int& status) {
  const auto held =
      add_ctl_command(ctl, "held", "Recipients of unknown outcome that wait for a decision");
  auto rows = std::make_shared<std::uint32_t>(100);
  const auto add_list = [rows, &status](const auto& to) {
    to.command->add_option("--rows", *rows, "How many rows")
        ->check(CLI::Range(1, 10'000))
        ->capture_default_str();
    to.command->callback([command = to.command, kept = to.kept, rows, &status] {
      if (!command->get_subcommands().empty()) return;
      if (const auto target = kept->where.target(status)) {
        status = ctl_held_list(kept->options, *rows, *target, terminal());
      }
    });
  };
  add_list(held);
  add_list(add_ctl_command(*held.command, "list", "All of them, the oldest first"));

  auto delivery = std::make_shared<std::string>();
  const auto add_decision = [&](const char* name, const char* what,
                                accounting::HeldDecision decision) {
    const auto decide = add_ctl_change(*held.command, name, what);
    decide.command->add_option("DELIVERY", *delivery, "As `held list` shows it")->required();
    decide.command->callback([kept = decide.kept, delivery, decision, &status] {
      if (const auto target = kept->where.target(status)) {
        status = ctl_held_decide(kept->options, *delivery, decision, *target, terminal());
      }
    });
  };
  add_decision("retry", "They are tried again at once", accounting::HeldDecision::kRetry);
  add_decision("delivered", "They end as delivered", accounting::HeldDecision::kDelivered);
  add_decision("failed", "They end as bounced", accounting::HeldDecision::kFailed);
}

void add_ctl_control(CLI::App& ctl, int& status) {
  struct Kept {
    Where where;
    ControlOptions options;
  };
  const auto add = [&](const char* name, const char* what, bool changes, auto run) {
    auto* command = ctl.add_subcommand(name, what);
    auto kept = std::make_shared<Kept>();
    if (changes) add_reason(*command, kept->options.reason)->required();
    kept->where.add_file_or_address(*command);
    command->add_option("-f,--file", kept->options.file, "Control file")
        ->required()
        ->type_name("FILE");
    command->add_flag(
        "--prune", kept->options.prune,
        "Tenants, sources and pools that the file does not have go, of the kinds it has");
    command->add_flag("--json", kept->options.json, "The answer as one JSON object");
    command->callback([kept, run, &status] {
      if (const auto target = kept->where.target(status)) {
        status = run(kept->options, *target, terminal());
      }
    });
  };
  add("apply", "Makes the control data what a file says", true, ctl_apply);
  add("diff", "What apply would change; exit status 1 when something", false, ctl_diff);

  const auto get = add_ctl_command(ctl, "get", "The control data in force, as a file for apply");
  get.command->callback([kept = get.kept, &status] {
    if (const auto target = kept->where.target(status)) {
      status = ctl_get(kept->options, *target, terminal());
    }
  });
}

void add_ctl_cluster(CLI::App& ctl, int& status) {
  const auto nodes = add_ctl_command(ctl, "nodes", "The processes of the cluster");
  nodes.command->callback([kept = nodes.kept, &status] {
    if (const auto target = kept->where.target(status)) {
      status = ctl_nodes(kept->options, *target, system_clock(), terminal());
    }
  });

  auto* node = ctl.add_subcommand("node", "One process of the cluster");
  node->require_subcommand(1);
  const auto evict = add_ctl_change(
      *node, "evict", "Puts a node that is gone out of its groups: others get its partitions now");
  auto name = std::make_shared<std::string>();
  evict.command->add_option("NODE", *name, "As `nodes` shows it")->required();
  evict.command->callback([kept = evict.kept, name, &status] {
    if (const auto target = kept->where.target(status)) {
      status = ctl_node_evict(kept->options, *name, *target, terminal());
    }
  });

  const auto topics = add_ctl_command(ctl, "topics", "Topics and tables, and who reads them");
  topics.command->callback([kept = topics.kept, &status] {
    if (const auto target = kept->where.target(status)) {
      status = ctl_topics(kept->options, *target, terminal());
    }
  });

  const auto lag = add_ctl_command(ctl, "lag", "What is not finished, by group and partition");
  auto all = std::make_shared<bool>(false);
  lag.command->add_flag("--all", *all, "Partitions without lag too");
  lag.command->callback([kept = lag.kept, all, &status] {
    if (const auto target = kept->where.target(status)) {
      status = ctl_lag(kept->options, *all, *target, system_clock(), terminal());
    }
  });

  struct Kept {
    Where where;
    AuditLogOptions options;
  };
  auto* audit_log = ctl.add_subcommand("audit-log", "Administrative changes, the newest first");
  auto kept = std::make_shared<Kept>();
  kept->where.add_file_or_address(*audit_log);
  audit_log->add_option("--since", kept->options.since, "A time (RFC 3339) or an age (20m)")
      ->type_name("TIME");
  audit_log->add_option("--rows", kept->options.rows_max, "How many entries")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  audit_log->add_flag("--json", kept->options.json, "The answer as one JSON object");
  audit_log->callback([kept, &status] {
    if (const auto target = kept->where.target(status)) {
      status = ctl_audit_log(kept->options, *target, system_clock(), terminal());
    }
  });
}

void add_ctl_log(CLI::App& ctl, int& status) {
  auto* log = ctl.add_subcommand("log", "The embedded log's files, while no process runs");
  log->require_subcommand(1);
  auto* repair = log->add_subcommand(
      "repair", "Makes a damaged log open again; what cannot be read goes to `dead`");
  auto kept = std::make_shared<Command<CtlOptions>>();
  kept->where.add_file(*repair);
  repair->add_flag("--json", kept->options.json, "What was found, as one JSON object");
  repair->callback([kept, &status] {
    if (const auto target = kept->where.target(status)) {
      status = log_repair(kept->options.json, *target, system_clock(), terminal());
    }
  });
}

}  // namespace

void add_commands(CLI::App& app, int& status) {
  add_events(app, status);
  add_audit(app, status);
  add_capture(app, status);
  auto* ctl = app.add_subcommand("ctl", "Asks a running process, or tells it something");
  ctl->require_subcommand(1);
  add_ctl_process(*ctl, status);
  add_ctl_mail(*ctl, status);
  add_ctl_top(*ctl, status);
  add_ctl_deliveries(*ctl, status);
  add_ctl_commands(*ctl, status);
  add_ctl_dead(*ctl, status);
  add_ctl_held(*ctl, status);
  add_ctl_control(*ctl, status);
  add_ctl_cluster(*ctl, status);
  add_ctl_log(*ctl, status);
}

}  // namespace godwit::cli::admin
