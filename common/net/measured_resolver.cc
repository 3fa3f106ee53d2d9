#include "common/net/measured_resolver.h"

#include <utility>

#include "common/async/asio.h"

namespace godwit::net {
namespace {

const observe::CounterDefinition kQuestions{
    "godwit_dns_questions_total",
    "Questions to the DNS that ended, those answered from the cache too.",
    {"type", "outcome"}};
const observe::HistogramDefinition kSeconds{"godwit_dns_question_seconds",
                                            "From a question to its answer, whatever it was.",
                                            observe::kLatencyBounds,
                                            {"type"}};
const observe::GaugeDefinition kUnderWay{"godwit_dns_questions_under_way",
                                         "Questions that wait for their answer."};

constexpr std::array<std::string_view, 5> kTypeNames{"mx", "a", "aaaa", "txt", "tlsa"};

// One question, for as long as it waits: also when nobody waits for it any more.
class UnderWay {
 public:
  explicit UnderWay(observe::Gauge& gauge) : gauge_(gauge) { gauge_.add(1); }
  ~UnderWay() { gauge_.subtract(1); }
  UnderWay(const UnderWay&) = delete;
  UnderWay& operator=(const UnderWay&) = delete;

 private:
  observe::Gauge& gauge_;
};

std::string_view outcome_name(DnsOutcome outcome) {
  switch (outcome) {
    case DnsOutcome::kFound: return "found";
    case DnsOutcome::kNxDomain: return "nxdomain";
    case DnsOutcome::kNoData: return "nodata";
    case DnsOutcome::kServFail: return "servfail";
    case DnsOutcome::kTimeout: return "timeout";
    case DnsOutcome::kBogus: return "bogus";
    case DnsOutcome::kStopped: return "stopped";
  }
  return "";
}

}  // namespace

MeasuredResolver::MeasuredResolver(Resolver& other, const Clock& clock, observe::Metrics& metrics)
    : other_(other), clock_(clock), under_way_(metrics.gauge(kUnderWay)) {
  static_assert(kTypeNames.size() == kTypes);
  for (std::size_t type = 0; type < kTypes; ++type) {
    seconds_[type] = &metrics.histogram(kSeconds, {kTypeNames[type]});
    for (std::size_t outcome = 0; outcome < kOutcomes; ++outcome) {
      questions_[type][outcome] = &metrics.counter(
          kQuestions, {kTypeNames[type], outcome_name(static_cast<DnsOutcome>(outcome))});
    }
  }
}

template <class Record>
async::Task<DnsAnswer<Record>> MeasuredResolver::measure(Type type,
                                                         async::Task<DnsAnswer<Record>> question) {
  const Instant began = clock_.instant();
  const UnderWay under_way(under_way_);
  DnsAnswer<Record> answer = co_await std::move(question);
  seconds_.at(type)->observe(clock_.instant() - began);
  questions_.at(type).at(static_cast<std::size_t>(answer.outcome))->add();
  co_return answer;
}

async::Task<DnsAnswer<MxRecord>> MeasuredResolver::mx(std::string domain) {
  return measure(kMx, other_.mx(std::move(domain)));
}
async::Task<DnsAnswer<IpAddress>> MeasuredResolver::addresses(std::string host, Family family) {
  return measure(type_of(family), other_.addresses(std::move(host), family));
}
async::Task<DnsAnswer<std::string>> MeasuredResolver::txt(std::string name) {
  return measure(kTxt, other_.txt(std::move(name)));
}
async::Task<DnsAnswer<TlsaRecord>> MeasuredResolver::tlsa(std::string name) {
  return measure(kTlsa, other_.tlsa(std::move(name)));
}
async::Task<DnsAnswer<MxRecord>> MeasuredResolver::mx_until(std::string domain,
                                                            async::StopSignal& stop) {
  return measure(kMx, other_.mx_until(std::move(domain), stop));
}
async::Task<DnsAnswer<IpAddress>> MeasuredResolver::addresses_until(std::string host, Family family,
                                                                    async::StopSignal& stop) {
  return measure(type_of(family), other_.addresses_until(std::move(host), family, stop));
}
async::Task<DnsAnswer<std::string>> MeasuredResolver::txt_until(std::string name,
                                                                async::StopSignal& stop) {
  return measure(kTxt, other_.txt_until(std::move(name), stop));
}
async::Task<DnsAnswer<TlsaRecord>> MeasuredResolver::tlsa_until(std::string name,
                                                                async::StopSignal& stop) {
  return measure(kTlsa, other_.tlsa_until(std::move(name), stop));
}

}  // namespace godwit::net
