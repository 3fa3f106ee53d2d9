#include "common/net/unbound_resolver.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unbound.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <deque>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>
#include <utility>

#include "common/async/completion.h"
#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/net/dns_wire.h"
#include "common/net/errc.h"
#include "common/net/socket.h"

namespace godwit::net {
namespace {

// Record types and the class, RFC 1035 s3.2, RFC 3596, RFC 6698.
enum Type : int { kA = 1, kMx = 15, kTxt = 16, kAaaa = 28, kTlsa = 52 };
constexpr int kClassInternet = 1;
constexpr int kRcodeNxDomain = 3;

constexpr const char* kInstalledAnchor = "/usr/share/dns/root.key";

struct ContextFree {
  void operator()(ub_ctx* context) const { ub_ctx_delete(context); }
};
using Context = std::unique_ptr<ub_ctx, ContextFree>;

// An answer before its record data is taken apart.
struct RawAnswer {
  DnsOutcome outcome = DnsOutcome::kServFail;
  bool secure = false;
  std::chrono::seconds ttl{0};
  std::string canonical{};
  std::string why{};
  std::vector<std::string> data{};
};

RawAnswer failed(DnsOutcome outcome, std::string why) {
  return {.outcome = outcome, .why = std::move(why)};
}

RawAnswer raw_answer_of(int error, const ub_result* result) {
  if (error != 0 || result == nullptr) return failed(DnsOutcome::kServFail, ub_strerror(error));
  RawAnswer answer;
  answer.secure = result->secure != 0;
  answer.ttl = std::chrono::seconds(std::max(result->ttl, 0));
  const char* canonical = result->canonname != nullptr ? result->canonname : result->qname;
  if (canonical != nullptr) answer.canonical = dns_question_name(canonical).value_or("");
  if (result->bogus != 0) {
    answer.outcome = DnsOutcome::kBogus;
    answer.secure = false;
    answer.why = result->why_bogus != nullptr ? result->why_bogus : "bogus";
  } else if (result->nxdomain != 0 || result->rcode == kRcodeNxDomain) {
    answer.outcome = DnsOutcome::kNxDomain;
  } else if (result->rcode != 0) {
    answer.outcome = DnsOutcome::kServFail;
    answer.why = "rcode " + std::to_string(result->rcode);
  } else if (result->havedata == 0) {
    answer.outcome = DnsOutcome::kNoData;
  } else {
    answer.outcome = DnsOutcome::kFound;
    for (int i = 0; result->data[i] != nullptr; ++i) {
      answer.data.emplace_back(result->data[i], static_cast<std::size_t>(result->len[i]));
    }
  }
  return answer;
}

// Takes the records apart with `parse`; what is malformed is left out, and an answer of which
// nothing is left cannot be used.
template <class Record, class Parse>
DnsAnswer<Record> answer_of(RawAnswer raw, Parse parse) {
  DnsAnswer<Record> answer{.outcome = raw.outcome,
                           .secure = raw.secure,
                           .ttl = raw.ttl,
                           .canonical = std::move(raw.canonical),
                           .why = std::move(raw.why)};
  if (!answer.found()) return answer;
  for (const std::string& data : raw.data) {
    if (std::optional<Record> record = parse(data)) answer.records.push_back(*std::move(record));
  }
  if (answer.records.empty()) {
    answer.outcome = DnsOutcome::kServFail;
    answer.why = "no record that can be used";
  }
  return answer;
}

Result<void> option(ub_ctx* context, const char* name, const char* value) {
  const int error = ub_ctx_set_option(context, name, value);
  if (error != 0)
    return fail(Errc::kInvalid, std::string(name) + " " + value + ": " + ub_strerror(error));
  return {};
}

Result<void> add_servers(ub_ctx* context, const std::vector<std::string>& servers) {
  for (const std::string& server : servers) {
    if (const int error = ub_ctx_set_fwd(context, server.c_str()); error != 0) {
      return fail(Errc::kInvalid, "DNS server " + server + ": " + ub_strerror(error));
    }
  }
  // Without the file the C library asks this machine too: resolv.conf(5).
  if (servers.empty() && ub_ctx_resolvconf(context, nullptr) != 0)
    ub_ctx_set_fwd(context, "127.0.0.1");
  return {};
}

Result<void> add_anchor(ub_ctx* context, const UnboundOptions& options) {
  std::string file = options.trust_anchor_file;
  if (file.empty() && std::filesystem::exists(kInstalledAnchor)) file = kInstalledAnchor;
  if (!options.validate || file.empty()) return option(context, "module-config:", "iterator");
  if (::access(file.c_str(), R_OK) != 0) return fail(system_error(errno, "trust anchor " + file));
  TRY_VOID(option(context, "module-config:", "validator iterator"));
  if (const int error = ub_ctx_add_ta_file(context, file.c_str()); error != 0) {
    return fail(Errc::kInvalid, "trust anchor " + file + ": " + ub_strerror(error));
  }
  return {};
}

Result<Context> make_context(const UnboundOptions& options) {
  Context context(ub_ctx_create());
  if (context == nullptr) return fail(Errc::kResources, "libunbound");
  ub_ctx_debugout(context.get(), nullptr);  // it would write to standard error
  constexpr std::pair<const char*, const char*> kSettings[] = {
      {"do-not-query-localhost:", "no"},  // a forwarder on this machine is the usual case
      {"edns-buffer-size:", "1232"},       {"cache-max-ttl:", "86400"},
      {"msg-cache-size:", "32m"},          {"rrset-cache-size:", "64m"},
      {"num-queries-per-thread:", "4096"},
  };
  for (const auto& [name, value] : kSettings) TRY_VOID(option(context.get(), name, value));
  TRY_VOID(add_servers(context.get(), options.servers));
  TRY_VOID(add_anchor(context.get(), options));
  if (ub_ctx_async(context.get(), 1) != 0) return fail(Errc::kResources, "libunbound's thread");
  // libunbound answers "test." itself (RFC 6761 s6.2); who runs a server for it means it. Ends the
  // configuration: later settings would be refused.
  if (const int error = ub_ctx_zone_remove(context.get(), "test."); error != 0) {
    return fail(Errc::kInvalid, std::string("libunbound: ") + ub_strerror(error));
  }
  return context;
}

}  // namespace

struct UnboundResolver::Impl {
  using Done = std::move_only_function<void(RawAnswer)>;

  // One question under way. After its time it is answered (done is empty then), but stays until
  // libunbound lets go of it.
  struct Question {
    Impl* impl;
    std::uint64_t id;
    Done done;
  };

  explicit Impl(UnboundOptions resolver_options, Context made)
      : options(std::move(resolver_options)),
        context(std::move(made)),
        wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
        pump([this] { pump_loop(); }) {}

  ~Impl() {
    stopping = true;
    wake_pump();
    pump.join();
    context.reset();  // ends libunbound's thread; questions that are left are not answered
  }

  // `stop` may be null, here and below.
  async::Task<DnsAnswer<MxRecord>> mx(std::string domain, async::StopSignal* stop);
  template <class Record, class FromWire>
  async::Task<DnsAnswer<Record>> records(std::string name, Type type, FromWire from_wire,
                                         async::StopSignal* stop) {
    co_return answer_of<Record>(co_await ask(std::move(name), type, stop), from_wire);
  }
  async::Task<RawAnswer> ask(std::string name, Type type, async::StopSignal* stop);
  // The question's id; 0 when it was refused, and answered so.
  std::uint64_t start(const std::string& name, Type type, Done done);
  static void answered(void* question, int error, ub_result* result);
  // Takes the callback of a question out; empty when it was answered before.
  Done take(std::uint64_t id, bool forget);

  void wake_pump() const;
  void pump_loop();
  // Answers what has been under way too long; returns when to look again.
  std::optional<Instant> expire();

  const UnboundOptions options;
  Context context;
  Fd wake;
  std::atomic<bool> stopping = false;
  std::mutex mutex;
  std::uint64_t next_id = 1;
  std::unordered_map<std::uint64_t, Question> questions;  // libunbound holds pointers to the values
  std::deque<std::pair<std::uint64_t, Instant>> deadlines;  // in order: all have the same time
  std::thread pump;                                         // last: it uses all of the above
};

async::Task<RawAnswer> UnboundResolver::Impl::ask(std::string name, Type type,
                                                  async::StopSignal* stop) {
  constexpr const char* kWhyStopped = "told to stop";
  const std::optional<std::string> question = dns_question_name(name);
  if (!question) co_return failed(DnsOutcome::kNxDomain, "not a name the DNS can have");
  if (stop != nullptr && stop->requested()) co_return failed(DnsOutcome::kStopped, kWhyStopped);
  std::uint64_t id = 0;
  std::optional<async::StopSignal::Callback> on_stop;
  if (stop != nullptr) {
    on_stop.emplace(*stop, [this, &id] {
      // Libunbound goes on: its answer serves the cache.
      if (Done done = take(id, false)) done(failed(DnsOutcome::kStopped, kWhyStopped));
    });
  }
  co_return co_await async::completion<RawAnswer>(
      [&](Done done) { id = start(*question, type, std::move(done)); });
}

std::uint64_t UnboundResolver::Impl::start(const std::string& name, Type type, Done done) {
  Question* question = nullptr;
  bool watch = false;
  {
    const std::lock_guard lock(mutex);
    if (questions.size() < options.questions_max) {
      const std::uint64_t id = next_id++;
      question = &questions.emplace(id, Question{this, id, std::move(done)}).first->second;
      watch = deadlines.empty();
      deadlines.emplace_back(id, system_clock().instant() + options.timeout);
    }
  }
  if (question == nullptr) {
    done(failed(DnsOutcome::kServFail, "too many questions at once"));
    return 0;
  }
  if (watch) wake_pump();
  const std::uint64_t id = question->id;
  const int error = ub_resolve_async(context.get(), name.c_str(), type, kClassInternet, question,
                                     answered, nullptr);
  if (error != 0) {
    if (Done refused = take(id, true)) refused(failed(DnsOutcome::kServFail, ub_strerror(error)));
  }
  return id;
}

void UnboundResolver::Impl::answered(void* question, int error, ub_result* result) {
  const auto* asked = static_cast<const Question*>(question);
  Impl& impl = *asked->impl;
  if (Done done = impl.take(asked->id, true)) done(raw_answer_of(error, result));
  ub_resolve_free(result);
}

UnboundResolver::Impl::Done UnboundResolver::Impl::take(std::uint64_t id, bool forget) {
  const std::lock_guard lock(mutex);
  const auto found = questions.find(id);
  if (found == questions.end()) return nullptr;
  Done done = std::exchange(found->second.done, nullptr);
  if (forget) questions.erase(found);
  return done;
}

void UnboundResolver::Impl::wake_pump() const {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(wake.get(), &one, sizeof one);
}

void UnboundResolver::Impl::pump_loop() {
  pthread_setname_np(pthread_self(), "dns");
  while (!stopping) {
    int wait_ms = -1;
    if (const std::optional<Instant> next = expire()) {
      const auto left =
          std::chrono::ceil<std::chrono::milliseconds>(*next - system_clock().instant());
      wait_ms = static_cast<int>(std::max<std::int64_t>(left.count(), 0));
    }
    pollfd ready[] = {{ub_fd(context.get()), POLLIN, 0}, {wake.get(), POLLIN, 0}};
    ::poll(ready, std::size(ready), wait_ms);
    if (ready[1].revents != 0) {
      std::uint64_t count = 0;
      [[maybe_unused]] const ssize_t taken = ::read(wake.get(), &count, sizeof count);
    }
    if (ready[0].revents != 0) ub_process(context.get());
  }
}

std::optional<Instant> UnboundResolver::Impl::expire() {
  const Instant now = system_clock().instant();
  while (true) {
    std::uint64_t late = 0;
    {
      const std::lock_guard lock(mutex);
      // Those answered meanwhile are still in the list; they are passed over when their time comes.
      while (!deadlines.empty() && !questions.contains(deadlines.front().first))
        deadlines.pop_front();
      if (deadlines.empty()) return std::nullopt;
      if (deadlines.front().second > now) return deadlines.front().second;
      late = deadlines.front().first;
      deadlines.pop_front();
    }
    if (Done done = take(late, false)) done(failed(DnsOutcome::kTimeout, "no answer in time"));
  }
}

async::Task<DnsAnswer<MxRecord>> UnboundResolver::Impl::mx(std::string domain,
                                                           async::StopSignal* stop) {
  auto answer = answer_of<MxRecord>(co_await ask(std::move(domain), kMx, stop), mx_from_wire);
  std::ranges::sort(answer.records);
  co_return answer;
}

UnboundResolver::UnboundResolver(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
UnboundResolver::~UnboundResolver() = default;

Result<std::unique_ptr<UnboundResolver>> UnboundResolver::create(UnboundOptions options) {
  TRY(Context context, make_context(options));
  auto impl = std::make_unique<Impl>(std::move(options), std::move(context));
  return std::unique_ptr<UnboundResolver>(new UnboundResolver(std::move(impl)));
}

async::Task<DnsAnswer<MxRecord>> UnboundResolver::mx(std::string domain) {
  return impl_->mx(std::move(domain), nullptr);
}

async::Task<DnsAnswer<MxRecord>> UnboundResolver::mx_until(std::string domain,
                                                           async::StopSignal& stop) {
  return impl_->mx(std::move(domain), &stop);
}

async::Task<DnsAnswer<IpAddress>> UnboundResolver::addresses(std::string host, Family family) {
  return impl_->records<IpAddress>(std::move(host), family == Family::kIpv4 ? kA : kAaaa,
                                   IpAddress::from_octets, nullptr);
}

async::Task<DnsAnswer<IpAddress>> UnboundResolver::addresses_until(std::string host, Family family,
                                                                   async::StopSignal& stop) {
  return impl_->records<IpAddress>(std::move(host), family == Family::kIpv4 ? kA : kAaaa,
                                   IpAddress::from_octets, &stop);
}

async::Task<DnsAnswer<std::string>> UnboundResolver::txt(std::string name) {
  return impl_->records<std::string>(std::move(name), kTxt, txt_from_wire, nullptr);
}

async::Task<DnsAnswer<std::string>> UnboundResolver::txt_until(std::string name,
                                                               async::StopSignal& stop) {
  return impl_->records<std::string>(std::move(name), kTxt, txt_from_wire, &stop);
}

async::Task<DnsAnswer<TlsaRecord>> UnboundResolver::tlsa(std::string name) {
  return impl_->records<TlsaRecord>(std::move(name), kTlsa, tlsa_from_wire, nullptr);
}

async::Task<DnsAnswer<TlsaRecord>> UnboundResolver::tlsa_until(std::string name,
                                                               async::StopSignal& stop) {
  return impl_->records<TlsaRecord>(std::move(name), kTlsa, tlsa_from_wire, &stop);
}

}  // namespace godwit::net
