#include "cli/run/process.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <system_error>
#include <utility>

#include "bouncer/role.h"
#include "cli/admin/address_file.h"
#include "cli/run/capture_pages.h"
#include "cli/run/control_data.h"
#include "cli/run/log_options.h"
#include "cli/run/return_keys.h"
#include "cli/version.h"
#include "common/admin/client.h"
#include "common/admin/errc.h"
#include "common/config/print.h"
#include "common/log/embedded.h"
#include "common/log/kafka/kafka.h"
#include "common/net/unbound_resolver.h"
#include "common/observe/log.h"
#include "common/text/idna.h"
#include "ingress/role.h"
#include "router/role.h"
#include "sender/role.h"

namespace godwit::cli::run {
namespace {

constexpr observe::Logger kLog{"process"};
constexpr std::chrono::seconds kGiveBackMax{30};  // partitions, to the group

const observe::CounterDefinition kCrashes{
    "godwit_poison_crashes_total",
    "Records that were in hand when the process before this one died."};

std::string host_name() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0) return "localhost";
  return name.data();
}

observe::Level level_of(LogLevel level) {
  return observe::level_from_name(config::Scalar<LogLevel>::render(level))
      .value_or(observe::Level::kInfo);
}

// What a reload reads.
std::vector<std::filesystem::path> files_of(const std::filesystem::path& config_file,
                                            const Config& config) {
  const ingress::TlsConfig& tls = config.ingress.tls;
  const godwit::admin::TlsConfig& admin = config.admin.tls;
  std::vector files = {config_file,       config.control.file, tls.certificate, tls.key,
                       admin.certificate, admin.key,           admin.client_ca};
  for (const ingress::CertificateConfig& other : tls.others) {
    files.push_back(other.certificate);
    files.push_back(other.key);
  }
  return files;
}

// A configured address, which has to be an IP address to be listened on.
Result<net::Address> listen_address(const config::HostPort& listen, std::string_view key) {
  if (const auto address = net::Address::from_text(listen.to_text())) return *address;
  return fail(std::make_error_code(std::errc::invalid_argument),
              std::string(key) + ": " + listen.to_text() + " is not an IP address and a port");
}

}  // namespace

const std::vector<std::string>& role_names() {
  static const std::vector<std::string> names{"bouncer", "ingress", "router", "sender"};
  return names;
}

Process::Process(RunOptions options, Config config, role::Signals& signals)
    : options_(std::move(options)),
      config_(std::move(config)),
      signals_(signals),
      node_(!options_.node.empty()  ? options_.node
            : !config_.node.empty() ? config_.node
                                    : host_name()),
      mounted_(files_of(options_.config_file, config_)),
      startup_(health_.component("process")) {}

Process::~Process() {
  end();
}

Result<void> Process::start() {
  std::error_code error;
  std::filesystem::create_directories(config_.data_dir, error);
  if (error) return fail(error, "data_dir " + config_.data_dir.string());

  shards_ = std::make_unique<async::Shards>(config_.threads, clock_);
  shards_->start();
  pulse_ = std::make_unique<Pulse>(*shards_, health_, metrics_);
  // Before the log is opened: a long recovery is not ready, but alive. When another process has the
  // data directory it has the port too; then the directory is what to tell about.
  Result<void> observing = start_observe();
  constexpr std::size_t kBlockingQueueMax = 1024;
  pool_ = std::make_unique<async::BlockingPool>("blocking", shards_->size() + 2, kBlockingQueueMax);
  startup_->problem("the log is being opened");
  StartPatience brokers = start_patience();
  TRY_VOID(brokers.until_answered([this] { return open_log(); }));
  TRY_VOID(std::move(observing));
  TRY_VOID(brokers.until_answered([this] { return load_control(); }));
  TRY(resolver_,
      net::UnboundResolver::create({.servers = config_.dns.servers,
                                    .trust_anchor_file = config_.dns.trust_anchor.string(),
                                    .validate = config_.dns.validate,
                                    .timeout = config_.dns.timeout}));
  measured_resolver_ = std::make_unique<net::MeasuredResolver>(*resolver_, clock_, metrics_);
  TRY(const std::optional<net::Address> capture, start_capture());
  TRY(registry_,
      brokers.until_answered([this] { return godwit::admin::Registry::open(*log_, clock_); }));
  TRY(commands_, brokers.until_answered(
                     [this] { return godwit::commands::CommandBook::open(*log_, clock_, node_); }));
  TRY_VOID(refuse_a_namesake());
  TRY_VOID(start_roles(capture));
  TRY_VOID(start_http());
  TRY_VOID(start_admin());
  startup_->ok();
  return {};
}

Result<void> Process::start_observe() {
  TRY(const net::Address address, listen_address(config_.observe.listen, "observe.listen"));
  auto routes = observe_routes(
      metrics_, [this] { return health_.not_live(clock_.instant()); },
      [this] { return not_ready(); });
  auto server = http::Server::open(*shards_, address, std::move(routes));
  if (!server) return fail(std::move(server).error().within("observe.listen"));
  observe_server_ = *std::move(server);
  observe_server_->start();
  return {};
}

StartPatience Process::start_patience() {
  const bool kafka = config_.log.kind == LogKind::kKafka;
  return {clock_, kafka ? config_.log.kafka.startup_timeout : std::chrono::milliseconds(0),
          [this](std::string_view problem) { return told_to_end(problem); }};
}

bool Process::told_to_end(std::string_view problem) {
  constexpr auto kLookAgain = std::chrono::milliseconds(20);
  startup_->problem(std::string(problem));
  return signals_.wait(kLookAgain) == role::Signals::Signal::kTerminate;
}

Result<void> Process::open_log() {
  auto counters = std::make_shared<log::Counters>();
  TRY_VOID(check_made_segments(config_));
  const bool kafka = config_.log.kind == LogKind::kKafka;
  const auto open_embedded = [&] {
    log::EmbeddedConfig embedded =
        embedded_config(config_, counters, [this]() -> poison::Slot& { return archiving_hand(); });
    embedded.metrics = &metrics_;
    return log::open_embedded(embedded, clock_);
  };
  auto opened =
      kafka ? log::open_kafka(kafka_options(config_, node_, metrics_), clock_) : open_embedded();
  if (!opened) {
    const bool repairable = !kafka && opened.error().code == log::Errc::kCorrupt;
    return fail(std::move(opened).error().within(
        repairable ? "log (`godwit ctl log repair` keeps what can be read)" : "log"));
  }
  log_ = *std::move(opened);
  std::call_once(poison_once_, [this] { open_poison(); });
  process_metrics_ = std::make_unique<ProcessMetrics>(
      metrics_, kVersion, config::Scalar<LogKind>::render(config_.log.kind), config_.data_dir,
      *log_, kafka ? nullptr : std::move(counters));
  startup_->problem("starting");
  return {};
}

poison::Slot& Process::archiving_hand() {
  std::call_once(poison_once_, [this] { open_poison(); });
  return poison_->at(shards_->size());
}

// With the log's lock on the directory held, which keeps other processes away: after it was opened,
// or while it is, when a segment is archived then. A slot for each shard, and one for the archive.
void Process::open_poison() {
  poison_ =
      std::make_unique<poison::Slots>(config_.data_dir / poison::kFileName, shards_->size() + 1);
  if (!poison_->problem().empty())
    kLog.warning("slots of records in hand", {{"problem", poison_->problem()}});
  metrics_.counter(kCrashes).add(poison_->counted().size());
  for (const poison::Suspect& suspect : poison_->counted()) {
    const log::RecordPosition& record = suspect.work.record;
    kLog.warning("a record was in hand at a crash", {{"topic", log::topic_name(record.where.topic)},
                                                     {"partition", record.where.partition},
                                                     {"offset", record.offset},
                                                     {"step", poison::step_name(suspect.work.step)},
                                                     {"crashes", suspect.crashes}});
  }
}

Result<void> Process::load_control() {
  trail_ = std::make_unique<godwit::admin::AuditTrail>(*log_, clock_, node_);
  TRY(control_, open_control(config_, {*log_, clock_, node_, *trail_},
                             [this](std::string_view problem) { return told_to_end(problem); }));
  startup_->problem("starting");
  return {};
}

// Two processes of one name would take each other's partitions for ever. One that was killed has left the same row: it
// does not answer.
Result<void> Process::refuse_a_namesake() {
  constexpr std::chrono::milliseconds kTablePatience{5'000};
  constexpr std::chrono::milliseconds kAnswerPatience{2'000};
  if (config_.log.kind != LogKind::kKafka) return {};
  godwit::admin::NodeRow self{.node = node_};
  for (const std::string& role : options_.roles) self.roles.push_back({role, {}});
  const auto row = registry_->namesake(self, kTablePatience);
  if (!row) return {};
  godwit::admin::Client client({.address = row->admin,
                                .token = config_.admin.client_token(),
                                .tls = config_.admin.client_tls(),
                                .deadline = kAnswerPatience});
  const auto other = client.info();
  if (!other || other->node != node_ || to_unix_ms(other->started) != to_unix_ms(row->started))
    return {};
  return fail(std::make_error_code(std::errc::file_exists),
              "node: a process with the name " + node_ + " and the same roles runs at " +
                  row->admin + "; each needs a name of its own");
}

Result<std::optional<net::Address>> Process::start_capture() {
  const auto leads_there = [](const sender::RouteConfig& route) { return route.to == "capture"; };
  if (!has_role("sender") || std::ranges::none_of(config_.sender.routes, leads_there))
    return std::nullopt;
  TRY(capture_store_,
      capture::Store::open(config_.capture_directory(), {.count_max = config_.capture.mails,
                                                         .bytes_max = config_.capture.bytes}));
  capture_server_ =
      std::make_unique<capture::CaptureServer>(*shards_, *pool_, *capture_store_, clock_);
  TRY(const net::Address address, capture_server_->start());
  return address;
}

Result<control::ReturnPath> Process::load_return_path() const {
  control::ReturnPath out;
  if (!config_.bounce.domain.empty())
    out.domain = text::to_ascii_domain(config_.bounce.domain).value_or(std::string{});
  out.always = config_.bounce.return_path;
  const std::filesystem::path& named = config_.bounce.key_file;
  TRY(report::ReturnKeys keys, named.empty() ? own_return_keys(config_.data_dir / kReturnKeysName)
                                             : read_return_keys(named));
  out.keys = std::make_shared<const report::ReturnKeys>(std::move(keys));
  return out;
}

Result<void> Process::start_roles(std::optional<net::Address> capture) {
  watched_log_ = std::make_unique<godwit::admin::WatchedLog>(*log_);
  if (config_.log.kind == LogKind::kEmbedded)
    lag_ = std::make_unique<LogLag>(metrics_, *log_, *watched_log_, clock_);
  const role::RoleContext context{.shards = *shards_,
                                  .pool = *pool_,
                                  .log = *watched_log_,
                                  .control = *control_,
                                  .resolver = *measured_resolver_,
                                  .clock = clock_,
                                  .metrics = metrics_,
                                  .health = health_,
                                  .poison = *poison_,
                                  .node = node_,
                                  .data_dir = config_.data_dir,
                                  .commands = *commands_};
  TRY(const control::ReturnPath return_path, load_return_path());
  // Whoever reads from a topic before whoever writes to it.
  if (has_role("sender")) {
    auto sender = sender::make_sender(context, config_.sender, capture, return_path);
    queues_.push_back(sender.get());
    deliveries_.push_back(sender.get());
    roles_.add(std::move(sender));
  }
  if (has_role("router")) {
    roles_.add(router::make_router(context, config_.router, config_.sender.static_routes()));
  }
  if (has_role("bouncer")) roles_.add(bouncer::make_bouncer(context, return_path));
  if (has_role("ingress")) roles_.add(ingress::make_ingress(context, config_.ingress, return_path));
  TRY_VOID(roles_.start());
  roles_started_ = true;
  return {};
}

Result<void> Process::start_http() {
  if (!has_role("ingress") || config_.ingress.http.listen.empty()) return {};
  TRY(const net::Address address,
      listen_address(config_.ingress.http.listen, "ingress.http.listen"));
  CapturePages pages{.directory = config_.capture_directory(),
                     .cluster = config_.cluster,
                     .version = std::string(kVersion),
                     .landing = [this] {
                       std::vector<capture::LandingEntry> entries;
                       for (const role::NamedAddress& named : roles_.addresses()) {
                         entries.push_back({named.name, named.address, "", ""});
                       }
                       entries.push_back({"captured mail", "", "", "/capture"});
                       return entries;
                     }};
  auto server = http::Server::open(*shards_, address, capture_routes(*pool_, std::move(pages)));
  if (!server) return fail(std::move(server).error().within("ingress.http.listen"));
  http_server_ = *std::move(server);
  http_server_->start();
  return {};
}

Result<void> Process::start_admin() {
  records_ = std::make_unique<godwit::admin::LogRecords>(*log_, true);
  dead_desk_ = std::make_unique<godwit::admin::DeadDesk>(*log_, clock_, node_);
  held_desk_ = std::make_unique<godwit::admin::HeldDesk>(*log_);
  auto server = godwit::admin::Server::start(config_.admin.server(), {.process = this,
                                                                      .records = records_.get(),
                                                                      .queues = queues_,
                                                                      .deliveries = deliveries_,
                                                                      .commands = commands_.get(),
                                                                      .control = control_.get(),
                                                                      .dead = dead_desk_.get(),
                                                                      .held = held_desk_.get(),
                                                                      .registry = registry_.get(),
                                                                      .trail = trail_.get()});
  if (!server) return fail(std::move(server).error().within("admin.listen"));
  admin_server_ = *std::move(server);
  // With port 0 the commands of this machine find it here.
  return cli::admin::write_address_file(config_.data_dir, admin_server_->address());
}

Troubles Process::not_ready() const {
  Troubles troubles = health_.not_ready();
  if (!roles_started_) return troubles;
  for (role::Lifecycle::Trouble& trouble : roles_.troubles()) {
    troubles.push_back({std::move(trouble.role), std::move(trouble.problem)});
  }
  if (log::Status status = log_->status(); !status.writable) {
    troubles.push_back({"log", std::move(status.problem)});
  }
  return troubles;
}

void Process::publish_health() {
  const Troubles troubles = not_ready();
  process_metrics_->ready(troubles.empty());
  for (const std::string& role : options_.roles) {
    admin_server_->set_serving(role, std::ranges::none_of(troubles, [&](const auto& trouble) {
                                 return trouble.name == role;
                               }));
  }
  admin_server_->set_serving("", troubles.empty());
}

bool Process::wait_ready() {
  constexpr auto kLookAgain = std::chrono::milliseconds(20);
  constexpr auto kSayAgain = std::chrono::seconds(10);
  Instant say_at = clock_.instant() + kSayAgain;
  while (true) {
    if (log_has_ended()) return false;
    const Troubles troubles = not_ready();
    if (troubles.empty()) break;
    if (clock_.instant() >= say_at) {
      for (const auto& trouble : troubles) {
        kLog.warning("not ready yet", {{"component", trouble.name}, {"problem", trouble.problem}});
      }
      say_at = clock_.instant() + kSayAgain;
    }
    const auto signal = signals_.wait(kLookAgain);
    if (signal == role::Signals::Signal::kTerminate) return false;
    if (signal == role::Signals::Signal::kReload) answer_reloads();
  }
  publish_health();
  registry_->beat(node_row());
  return true;
}

std::string Process::ready_line() const {
  std::string line = "ready";
  const auto add = [&line](std::string_view name, std::string_view address) {
    line.append(" ").append(name).append("=").append(address);
  };
  for (const role::NamedAddress& named : roles_.addresses()) add(named.name, named.address);
  if (http_server_) add("http", http_server_->local().to_text());
  add("admin", admin_server_->address());
  add("observe", observe_server_->local().to_text());
  return line;
}

void Process::serve() {
  constexpr auto kHealthInterval = std::chrono::seconds(1);
  while (true) {
    const auto signal = signals_.wait(kHealthInterval);
    if (signal == role::Signals::Signal::kTerminate) return;
    const bool mounted = mounted_.changed();
    if (mounted) kLog.info("a mounted folder changed");
    if (mounted || signal == role::Signals::Signal::kReload) answer_reloads();
    if (log_has_ended()) return;
    publish_health();
    registry_->beat(node_row());
    if (lag_) lag_->look();
  }
}

bool Process::log_has_ended() {
  const log::Status status = log_->status();
  if (!status.ended) return false;
  kLog.error("has to end", {{"problem", status.problem}});
  failed_ = true;
  return true;
}

std::chrono::milliseconds Process::end_bound() const {
  return config_.drain_timeout + kGiveBackMax;
}

void Process::end() {
  if (std::exchange(ended_, true)) return;
  health_.drain();
  draining_ = true;
  if (admin_server_) {
    publish_health();
    registry_->beat(node_row());
  }
  answer_reloads();  // nobody is left waiting
  roles_.end(config_.drain_timeout);
  if (admin_server_) registry_->say_goodbye(node_row());
  roles_started_ = false;
  if (admin_server_) {
    cli::admin::remove_address_file(config_.data_dir);
    admin_server_->stop();
  }
  if (http_server_) http_server_->stop(clock_.instant() + std::chrono::seconds(1));
  if (capture_server_) capture_server_->stop();
  if (pool_) pool_->stop();
  dead_desk_.reset();  // tables are closed before the log
  held_desk_.reset();
  registry_.reset();
  commands_.reset();
  if (log_) log_->close();
  if (observe_server_) observe_server_->stop(clock_.instant() + std::chrono::seconds(1));
  measured_resolver_.reset();
  resolver_.reset();
  pulse_.reset();
  if (shards_) shards_->stop();
}

godwit::admin::NodeInfo Process::info() {
  godwit::admin::NodeInfo info{.node = node_,
                               .version = std::string(kVersion),
                               .cluster = config_.cluster,
                               .started = started_at_,
                               .now = clock_.now(),
                               .draining = draining_,
                               .pid = static_cast<std::uint32_t>(getpid())};
  const Troubles troubles = not_ready();
  for (const std::string& role : options_.roles) {
    const auto trouble = std::ranges::find(troubles, role, &observe::Health::Trouble::name);
    info.roles.push_back({role, trouble == troubles.end() ? std::string() : trouble->problem});
  }
  for (const role::NamedAddress& named : roles_.addresses()) {
    info.addresses.push_back(named.name + " " + named.address);
  }
  return info;
}

godwit::admin::NodeRow Process::node_row() const {
  godwit::admin::NodeRow row{.node = node_,
                             .software = std::string(kVersion),
                             .admin = admin_server_->address(),
                             .observe = observe_server_->local().to_text(),
                             .started = started_at_,
                             .pid = static_cast<std::uint32_t>(getpid()),
                             .draining = draining_,
                             .owned = watched_log_->owned()};
  const Troubles troubles = not_ready();
  process_metrics_->ready(troubles.empty());
  for (const std::string& role : options_.roles) {
    const auto trouble = std::ranges::find(troubles, role, &observe::Health::Trouble::name);
    row.roles.push_back({role, trouble == troubles.end() ? std::string() : trouble->problem});
  }
  return row;
}

void Process::drain(bool leave) {
  if (leave) log_->leave_on_stop();
  signals_.raise(role::Signals::Signal::kTerminate);
}

Result<std::vector<std::string>> Process::reload() {
  std::future<Result<Changes>> done;
  {
    const std::lock_guard lock(reloads_mutex_);
    if (draining_) return fail(godwit::admin::Errc::kRefused, "the process is draining");
    done = reloads_.emplace_back().get_future();
  }
  signals_.raise(role::Signals::Signal::kReload);
  return done.get();
}

void Process::answer_reloads() {
  std::vector<std::promise<Result<Changes>>> waiting;
  {
    const std::lock_guard lock(reloads_mutex_);
    waiting.swap(reloads_);
  }
  Result<Changes> result =
      draining_ ? fail(godwit::admin::Errc::kRefused, "the process is draining") : reload_now();
  for (std::promise<Result<Changes>>& promise : waiting) promise.set_value(result);
}

Result<Process::Changes> Process::reload_now() {
  const auto refuse = [this](std::string problem) -> std::unexpected<Error> {
    process_metrics_->reload_failed();
    kLog.error("reload refused; what was in force stays", {{"problem", problem}});
    return fail(godwit::admin::Errc::kInvalid, std::move(problem));
  };
  Config fresh;
  const config::Outcome outcome = read_config(options_.config_file, fresh);
  if (!outcome.ok()) return refuse(outcome.to_string());
  // The server of administration reads its files by itself; what is wrong with them is said here.
  if (const Result<void> served = godwit::admin::Server::check(config_.admin.server()); !served)
    return refuse("admin: " + served.error().to_string());
  if (const Result<void> control = control_->reload(); !control)
    return refuse(control.error().to_string());

  Changes changes;
  config::Fields before;
  config::Fields after;
  describe(before, config_);
  describe(after, fresh);
  for (const config::Change& change : config::differences(before, after)) {
    std::string text = change.key + ": " + change.before + " -> " + change.after;
    // Beyond these two the configuration is read at the start; the control file is what changes in
    // operation.
    const bool applied = change.key == "observe.log_level" || change.key == "drain_timeout";
    if (!applied) text += " (needs a restart)";
    kLog.info("configuration changed", {{"change", text}});
    changes.push_back(std::move(text));
  }
  if (config_.observe.log_level != fresh.observe.log_level)
    observe::set_level(level_of(fresh.observe.log_level));
  config_.observe.log_level = fresh.observe.log_level;
  config_.drain_timeout = fresh.drain_timeout;

  std::string failures;
  for (const role::Lifecycle::Trouble& trouble : roles_.reload()) {
    failures += trouble.role + ": " + trouble.problem + "\n";
  }
  if (!failures.empty()) return refuse(std::move(failures));
  changes.push_back("control data version " + std::to_string(control_->current()->version));
  process_metrics_->reloaded();
  kLog.info("reloaded", {{"control_version", control_->current()->version}});
  return changes;
}

std::string Process::log_level() {
  return std::string(observe::level_name(observe::level()));
}

Result<void> Process::set_log_level(std::string_view name) {
  const auto level = observe::level_from_name(name);
  if (!level)
    return fail(godwit::admin::Errc::kInvalid,
                "the log level " + std::string(name) + " is not known");
  observe::set_level(*level);
  kLog.info("log level set", {{"level", name}});
  return {};
}

}  // namespace godwit::cli::run
