#include "tests/durability/customer.h"

#include <fmt/format.h>

#include <chrono>
#include <future>
#include <memory>
#include <utility>

#include "common/base/check.h"
#include "common/record/records.h"
#include "ingress/intake.h"

namespace godwit::durability {
namespace {

using ingress::testing::TestClient;

// Recipients the destination has not taken yet, at most, of those that it would take at once.
constexpr std::int64_t kUnderWayMax = 150;
constexpr std::chrono::milliseconds kLook{20};  // the power may go while nobody takes anything
constexpr std::chrono::seconds kPatience{60};
// Some are due while this life lasts, some in the next, some later: a life is an hour.
constexpr std::chrono::minutes kDueLatest{150};

constexpr std::string_view kLine =
    "All work and no play makes a dull mail server; so say we all.\r\n";

}  // namespace

void Promises::add(const std::vector<std::string>& recipients) {
  ++messages_total_;
  const std::lock_guard lock(mutex_);
  recipients_.insert(recipients.begin(), recipients.end());
}

std::set<std::string> Promises::all() const {
  const std::lock_guard lock(mutex_);
  return recipients_;
}

Customer::Customer(World world, std::string name, std::uint64_t seed)
    : world_(world),
      name_(std::move(name)),
      random_(seed),
      taken_before_(world.destination.taken_total()) {}

void Customer::run(const std::function<bool()>& enough) {
  TestClient client(world_.pipeline.address());
  (void)client.reply();
  (void)client.ask("EHLO customer.example");
  const auto producer = world_.pipeline.log().producer();
  while (!world_.power.gone() && complaints_.empty() && !enough()) {
    const Mail mail = compose();
    if (random_.below(10) == 0) {
      schedule(*producer, mail);
    } else {
      send(client, mail);
    }
    wait_for_destination();
  }
}

Customer::Mail Customer::compose() {
  Mail mail;
  ++messages_;
  for (std::uint64_t left = 1 + random_.below(3); left > 0; --left) {
    mail.recipients.push_back(recipient(mail.prompt));
  }
  mail.content =
      fmt::format("From: sender@customer.example\r\nSubject: {} {}\r\n\r\n", name_, messages_);
  // A few are large, so that segments fill; what may be parked in great numbers is small.
  const std::size_t size =
      random_.below(8) == 0 ? 20'000 + random_.below(20'000) : random_.below(3'000);
  while (mail.content.size() < size) mail.content += kLine;
  return mail;
}

std::string Customer::recipient(std::int64_t& prompt) {
  Fate fate = Fate::kTaken;
  switch (random_.below(100)) {
    case 0: fate = Fate::kNever; break;
    case 1: fate = Fate::kRefused; break;
    case 2:
    case 3:
    case 4:
    case 5:
    case 6:
    case 7:
    case 8:
    case 9:
    case 10:
    case 11: fate = Fate::kDeferred; break;
    default: break;
  }
  const bool slow = random_.below(8) == 0;
  const std::string domain =
      slow ? std::string(kSlowDomain) : fmt::format("d{}.example", random_.below(6));
  if (fate == Fate::kTaken && !slow) ++prompt;
  return fmt::format("{}.{}.{}@{}", fate_name(fate), name_, ++recipients_, domain);
}

void Customer::send(TestClient& client, const Mail& mail) {
  std::string commands = "MAIL FROM:<sender@customer.example>\r\n";
  for (const std::string& recipient : mail.recipients) {
    commands += "RCPT TO:<" + recipient + ">\r\n";
  }
  client.send(commands + "DATA\r\n");
  std::string reply;
  for (std::size_t i = 0; i < mail.recipients.size() + 2; ++i) reply = client.reply();
  if (reply.starts_with("354 ")) {
    client.send(mail.content + ".\r\n");
    reply = client.reply();
  }
  if (reply.starts_with("250 2.0.0 Ok: queued as ")) return acknowledged(mail);
  // Refused for the moment, or by a machine without power; nothing else may happen to mail that is in order.
  if (reply.starts_with('4') || world_.power.gone()) return;
  complaints_.push_back("ingress said: " + reply);
}

void Customer::schedule(log::Producer& producer, const Mail& mail) {
  ingress::Intake intake;
  intake.id = MessageId::generate(world_.clock, random_);
  intake.time = world_.clock.now();
  intake.tenant = TenantName("default");
  intake.origin.set_listener("relay");
  intake.envelope.sender = *smtp::Address::parse("sender@customer.example");
  for (const std::string& recipient : mail.recipients) {
    intake.envelope.recipients.push_back(
        {.address = *smtp::Address::parse(recipient), .parameters = {}});
  }
  intake.content = Rope(Bytes::copy_of(mail.content));
  intake.size_unstuffed = mail.content.size();
  const log::Log& log = world_.pipeline.log();
  const ingress::IntakeRecords records(intake,
                                       [&](log::Topic topic) { return log.partitions(topic); });
  std::vector<log::Append> appends = *records.records(std::nullopt);
  const Timestamp due =
      world_.clock.now() + std::chrono::minutes(random_.below(kDueLatest.count()));
  for (log::Append& append : appends) {
    record::Message message = *record::decode_message(append.value);
    message.head.set_due_unix_ms(to_unix_ms(due));
    append.value = *record::encode(message);
  }
  auto written = std::make_shared<std::promise<bool>>();
  auto answer = written->get_future();
  producer.append(std::move(appends), [written](const Result<log::Written>& result) {
    written->set_value(result.has_value());
  });
  if (answer.wait_for(kPatience) != std::future_status::ready) {
    complaints_.push_back("the log does not answer");
  } else if (answer.get()) {
    Mail later = mail;
    later.prompt = 0;
    world_.promises.add_scheduled();
    acknowledged(later);
  }
}

void Customer::acknowledged(const Mail& mail) {
  world_.promises.add(mail.recipients);
  world_.prompt += mail.prompt;
  world_.power.reached(PowerCut::Moment::kAcknowledgement);
}

void Customer::wait_for_destination() {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (!world_.power.gone()) {
    const std::int64_t wanted = world_.prompt - kUnderWayMax;
    const auto taken = static_cast<std::int64_t>(world_.destination.taken_total() - taken_before_);
    if (taken >= wanted) return;
    if (std::chrono::steady_clock::now() > end) {
      complaints_.push_back(fmt::format("mail stands still: {} taken, {} wanted", taken, wanted));
      return;
    }
    world_.destination.wait_taken(taken_before_ + static_cast<std::size_t>(wanted), kLook);
  }
}

}  // namespace godwit::durability
