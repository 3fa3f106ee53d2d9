#include "cli/bench/commands.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <cstdio>
#include <fstream>
#include <memory>
#include <optional>
#include <sstream>
#include <thread>

#include "cli/bench/report.h"
#include "cli/bench/sink.h"
#include "cli/bench/source.h"
#include "common/config/scalar.h"

namespace godwit::cli::bench {
namespace {

constexpr int kDone = 0;
constexpr int kUsage = 2;
constexpr int kCouldNotRun = 3;

const std::map<std::string, TlsMode> kTlsModes = {
    {"none", TlsMode::kNone}, {"starttls", TlsMode::kStartTls}, {"implicit", TlsMode::kImplicit}};
const std::map<std::string, Pipelining> kPipelinings = {{"none", Pipelining::kNone},
                                                        {"envelope", Pipelining::kEnvelope},
                                                        {"ahead", Pipelining::kAhead}};

// Options of values that CLI11 does not know; a wrong one is a usage error with the reason.
void add_address(CLI::App& app, const std::string& name, net::Address& value,
                 const std::string& help) {
  app.add_option_function<std::string>(
         name,
         [&value](const std::string& text) {
           const std::optional<net::Address> address = net::Address::from_text(text);
           if (!address)
             throw CLI::ValidationError(text + " is not an address with a port, as 127.0.0.1:2525");
           value = *address;
         },
         help)
      ->type_name("ADDRESS:PORT");
}

void add_duration(CLI::App& app, const std::string& name, std::chrono::milliseconds& value,
                  const std::string& help) {
  app.add_option_function<std::string>(
         name,
         [&value](const std::string& text) {
           const auto parsed = config::parse_duration(text);
           if (!parsed) throw CLI::ValidationError(text + " is not a duration, as 10s or 500ms");
           value = *parsed;
         },
         help)
      ->type_name("DURATION");
}

void add_bytes(CLI::App& app, const std::string& name, std::uint64_t& value,
               const std::string& help) {
  app.add_option_function<std::string>(
         name,
         [&value](const std::string& text) {
           const auto parsed = config::parse_bytes(text);
           if (!parsed) throw CLI::ValidationError(text + " is not a size, as 5120 or 5KiB");
           value = *parsed;
         },
         help)
      ->type_name("BYTES");
}

// SIGTERM and SIGINT as something to wait for. Construct before threads start: they inherit the mask.
class StopSignals {
 public:
  StopSignals() {
    ::sigemptyset(&signals_);
    ::sigaddset(&signals_, SIGTERM);
    ::sigaddset(&signals_, SIGINT);
    ::pthread_sigmask(SIG_BLOCK, &signals_, &before_);
  }
  ~StopSignals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  void wait() const {
    int signal = 0;
    ::sigwait(&signals_, &signal);
  }
  // True when one came within the time.
  [[nodiscard]] bool wait_for(std::chrono::milliseconds time) const {
    const timespec limit{time.count() / 1000, time.count() % 1000 * 1'000'000};
    return ::sigtimedwait(&signals_, nullptr, &limit) > 0;
  }

 private:
  sigset_t signals_{};
  sigset_t before_{};
};

int complain(const Error& error, int status) {
  // A wrong argument's context is a whole sentence.
  const bool argument = error.code == std::errc::invalid_argument;
  fmt::print(stderr, "godwit bench: {}\n", argument ? error.context : error.to_string());
  return status;
}

// --- sink ----------------------------------------------------------------------------------------------------

struct SinkArguments {
  SinkOptions options;
  std::string script_file;
  std::vector<std::string> rules;
  bool json = false;
};

Result<void> read_script(SinkArguments& arguments) {
  if (!arguments.script_file.empty()) {
    std::ifstream file(arguments.script_file);
    std::ostringstream text;
    text << file.rdbuf();
    if (!file)
      return fail(std::make_error_code(std::errc::no_such_file_or_directory),
                  arguments.script_file);
    TRY(arguments.options.script, Script::parse(text.str(), arguments.script_file));
  }
  for (const std::string& rule : arguments.rules)
    TRY_VOID(arguments.options.script->add_rule(rule));
  return {};
}

int run_sink(SinkArguments& arguments) {
  if (Result<void> read = read_script(arguments); !read) return complain(read.error(), kUsage);
  const StopSignals signals;
  const TlsMode tls = arguments.options.tls;
  Result<std::unique_ptr<Sink>> sink = Sink::start(std::move(arguments.options));
  if (!sink) return complain(sink.error(), kCouldNotRun);
  fmt::print("{}\n", listening_json((*sink)->address(), tls));
  std::fflush(stdout);
  signals.wait();
  const Result<void> stopped = (*sink)->stop();
  const SinkCounters counters = (*sink)->counters();
  fmt::print("{}", arguments.json ? to_json(counters) + "\n" : to_table(counters));
  std::fflush(stdout);
  return stopped ? kDone : complain(stopped.error(), kCouldNotRun);
}

void add_sink(CLI::App& bench, int& status) {
  auto arguments = std::make_shared<SinkArguments>();
  SinkOptions& options = arguments->options;
  CLI::App& app =
      *bench.add_subcommand("sink", "A scripted SMTP destination that takes mail and forgets it.");
  app.footer(
      "Prints one JSON line with its address when it serves, and its counts at SIGTERM.\n"
      "The script and the ledger are described in docs/bench-tools.md.");
  add_address(app, "--listen", options.listen,
              "Where to listen; port 0 takes a free one (127.0.0.1:0)");
  app.add_option("--threads", options.threads, "Threads; 0 is one a CPU")->capture_default_str();
  app.add_option("--hostname", options.hostname, "Name in the banner and in the certificate")
      ->capture_default_str();
  app.add_option("--tls", options.tls, "none, starttls or implicit")
      ->transform(CLI::CheckedTransformer(kTlsModes))
      ->option_text("MODE");
  auto* certificate = app.add_option("--certificate", options.tls_files.certificate,
                                     "PEM file; without it a self-signed certificate is made");
  app.add_option("--key", options.tls_files.key, "PEM file")->needs(certificate);
  app.add_option("--script", arguments->script_file, "YAML file: what is offered, and rules");
  app.add_option("--rule", arguments->rules,
                 "One more rule, as '{stage: rcpt, domain: no.test, reply: 550 5.1.1 No}'");
  app.add_option("--ledger", options.ledger_file, "File that gets one JSON line for each message");
  app.add_option("--seed", options.seed, "Makes the script's chances repeatable");
  app.add_flag("--json", arguments->json, "Print the counts as JSON");
  app.callback([arguments, &status] { status = run_sink(*arguments); });
}

// --- source --------------------------------------------------------------------------------------------------

struct SourceArguments {
  SourceOptions options;
  std::string from_address;
  std::size_t domain_count = 0;
  std::string credentials;
  bool json = false;
};

Result<void> complete(SourceArguments& arguments) {
  SourceOptions& options = arguments.options;
  const auto wrong = [](std::string what) {
    return fail(std::make_error_code(std::errc::invalid_argument), std::move(what));
  };
  if (!arguments.from_address.empty()) {
    options.from_address = net::IpAddress::from_text(arguments.from_address);
    if (!options.from_address) return wrong("--from-address " + arguments.from_address);
  }
  if (!arguments.credentials.empty()) {
    const std::size_t colon = arguments.credentials.find(':');
    if (colon == std::string::npos) return wrong("--auth wants name:password");
    options.username = arguments.credentials.substr(0, colon);
    options.password = arguments.credentials.substr(colon + 1);
  }
  if (arguments.domain_count > 0) {
    const std::string base = options.domains.front();
    options.domains.clear();
    for (std::size_t i = 0; i < arguments.domain_count; ++i)
      options.domains.push_back(fmt::format("d{}.{}", i, base));
  }
  if (options.messages == 0 && options.duration.count() == 0) options.messages = 1000;
  return {};
}

int run_source(SourceArguments& arguments) {
  if (Result<void> completed = complete(arguments); !completed)
    return complain(completed.error(), kUsage);
  const StopSignals signals;
  Result<std::unique_ptr<Source>> source = Source::create(arguments.options);
  if (!source) return complain(source.error(), kCouldNotRun);
  std::atomic<bool> ended = false;
  Result<SourceReport> report;
  std::thread runner([&] {
    report = (*source)->run();
    ended = true;
  });
  for (int received = 0; !ended;) {
    if (!signals.wait_for(std::chrono::milliseconds(20))) continue;
    if (++received > 1) ::_exit(kCouldNotRun);
    (*source)->stop();
  }
  runner.join();
  if (!report) return complain(report.error(), kCouldNotRun);
  fmt::print("{}", arguments.json ? to_json(*report) + "\n" : to_table(*report));
  std::fflush(stdout);
  return report->gave_up ? kCouldNotRun : kDone;
}

void add_source(CLI::App& bench, int& status) {
  auto arguments = std::make_shared<SourceArguments>();
  SourceOptions& options = arguments->options;
  CLI::App& app = *bench.add_subcommand("source", "A multi-core SMTP load generator.");
  app.footer(
      "Ends after --messages or --duration, whichever is first (1000 messages when neither is "
      "given),\n"
      "or at SIGTERM. The report and the ledger are described in docs/bench-tools.md.");
  add_address(app, "--to", options.to, "The server");
  app.get_option("--to")->required();
  app.add_option("--from-address", arguments->from_address, "Local address of the connections");
  app.add_option("--threads", options.threads, "Threads; 0 is one a CPU")->capture_default_str();
  app.add_option("--connections", options.connections, "Connections at once")
      ->capture_default_str();
  app.add_option("--messages", options.messages, "End after so many messages");
  add_duration(app, "--duration", options.duration, "End after so much time");
  app.add_option("--messages-per-connection", options.messages_per_connection,
                 "Then a new one; 0 is no limit");
  app.add_option("--recipients", options.recipients, "Of each message")->capture_default_str();
  add_bytes(app, "--size", options.bytes, "Of each message, header and body (5KiB)");
  app.add_option("--rate", options.rate, "Messages a second at most, all connections together");
  app.add_option("--sender", options.sender, "Envelope sender")->capture_default_str();
  app.add_option("--sender-count", options.sender_count,
                 "Senders at d0, d1 ... below the domain of --sender instead, in turn");
  app.add_option("--domains", options.domains, "Recipient domains, in turn")
      ->delimiter(',')
      ->capture_default_str();
  app.add_option("--domain-count", arguments->domain_count,
                 "Use d0, d1 ... below the first of --domains instead");
  app.add_option("--helo", options.helo, "Name in EHLO")->capture_default_str();
  app.add_option(
         "--pipelining", options.pipelining,
         "none: each command waits; envelope: MAIL, RCPT and DATA go together; ahead: and the next "
         "message's behind the final dot")
      ->transform(CLI::CheckedTransformer(kPipelinings))
      ->option_text("HOW");
  app.add_option("--tls", options.tls, "none, starttls or implicit")
      ->transform(CLI::CheckedTransformer(kTlsModes))
      ->option_text("MODE");
  app.add_option("--auth", arguments->credentials, "name:password, for AUTH PLAIN");
  add_duration(app, "--reply-timeout", options.reply_timeout,
               "How long a reply is waited for (5m)");
  add_duration(app, "--patience", options.patience,
               "Give up when no connection succeeds for so long (30s)");
  app.add_option("--ledger", options.ledger_file,
                 "File that gets one JSON line for each acknowledged message");
  app.add_flag("--ledger-all", options.ledger_all, "And one for each other message that was begun");
  app.add_flag("--json", arguments->json, "Print the report as JSON");
  app.callback([arguments, &status] { status = run_source(*arguments); });
}

}  // namespace

void add_commands(CLI::App& app, int& status) {
  CLI::App& bench =
      *app.add_subcommand("bench", "Makes load, and takes it: for tests and measurements.");
  bench.require_subcommand(1);
  add_source(bench, status);
  add_sink(bench, status);
}

}  // namespace godwit::cli::bench
