#include "tests/durability/customer.h"

#include <fmt/format.h>

#include <chrono>
#include <future>
#include <memory>
#include <thread>
#include <utility>

#include "common/base/check.h"
#include "common/record/records.h"
#include "ingress/intake.h"
#include "tests/durability/digest.h"

namespace godwit::durability {
namespace {

using ingress::testing::TestClient;

// Recipients the destination has not taken yet, at most, of those that it would take at once.
constexpr std::int64_t kUnderWayMax = 20;
constexpr std::chrono::milliseconds kLook{20};  // the power may go while nobody takes anything
constexpr std::chrono::seconds kPatience{120};
// Some are due while this life lasts, some in the next, some later: a life is an hour.
constexpr std::chrono::minutes kDueLatest{150};
// Calendar time runs with the mail, not with the machine that tests.
constexpr std::chrono::milliseconds kBetweenMessages{100};
constexpr std::uint64_t kSegmentsLiveMax = 20;
constexpr std::size_t kLargeBytes = log::kRecordBytesMax + 1;
constexpr std::uint64_t kOneIsLargeOf = 40;

constexpr std::string_view kUrgentField = "X-Godwit-Class: urgent\r\n";
constexpr std::string_view kLine =
    "All work and no play makes a dull mail server; so say we all.\r\n";

}  // namespace

void Promises::add(const std::vector<std::string>& recipients, const Messages& messages) {
  const std::lock_guard lock(mutex_);
  recipients_.insert(recipients.begin(), recipients.end());
  messages_.total += messages.total;
  messages_.scheduled += messages.scheduled;
  messages_.urgent += messages.urgent;
  messages_.large += messages.large;
}

std::set<std::string> Promises::all() const {
  const std::lock_guard lock(mutex_);
  return recipients_;
}

Promises::Messages Promises::messages() const {
  const std::lock_guard lock(mutex_);
  return messages_;
}

Customer::Customer(World world, std::string name, std::uint64_t seed)
    : world_(world),
      name_(std::move(name)),
      random_(seed),
      taken_before_(world.destination.prompt_total()) {}

void Customer::run(const std::function<bool()>& enough) {
  TestClient client(world_.pipeline.address());
  (void)client.reply();
  (void)client.ask("EHLO customer.example");
  const auto producer = world_.pipeline.log().producer();
  while (!world_.power.gone() && complaints_.empty() && !enough()) {
    const Mail mail = compose();
    if (mail.scheduled) {
      write(*producer, mail);
    } else {
      send(client, mail);
    }
    wait_for_destination();
    wait_for_segments();
  }
}

Customer::Mail Customer::compose() {
  Mail mail;
  ++messages_;
  mail.urgent = random_.below(8) == 0;
  mail.scheduled = random_.below(10) == 0;
  for (std::uint64_t left = 1 + random_.below(3); left > 0; --left) {
    mail.recipients.push_back(recipient(!mail.scheduled));
    if (is_prompt(mail.recipients.back())) ++mail.prompt;
  }
  mail.large = random_.below(kOneIsLargeOf) == 0;
  // A few are larger, so that segments fill; what may be parked in great numbers is small.
  const std::size_t size = mail.large              ? kLargeBytes + random_.below(kLargeBytes / 4)
                           : random_.below(8) == 0 ? 20'000 + random_.below(20'000)
                                                   : random_.below(3'000);
  std::string text;
  while (text.size() < size) text += kLine;
  mail.content =
      fmt::format("From: sender@customer.example\r\nSubject: {} {}\r\n{}{}\r\n\r\n{}", name_,
                  messages_, mail.urgent ? kUrgentField : "", digest_field(text), text);
  return mail;
}

std::string Customer::recipient(bool prompt) {
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
  return fmt::format("{}.{}.{}.{}@{}", fate_name(fate),
                     prompt && fate == Fate::kTaken && !slow ? kPromptly : "later", name_,
                     ++recipients_, domain);
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

// As ingress does it: the body is acknowledged before the record that names it.
void Customer::write(log::Producer& producer, const Mail& mail) {
  ingress::Intake intake;
  intake.id = MessageId::generate(world_.clock, random_);
  intake.time = world_.clock.now();
  intake.topic = mail.urgent ? log::Topic::kAcceptedUrgent : log::Topic::kAccepted;
  intake.tenant = TenantName("default");
  intake.origin.listener = "relay";
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
  std::vector<log::Offset> body;
  if (records.needs_body()) {
    const auto chunks = append(producer, records.body());
    if (!chunks) return;
    body = chunks->offsets;
  }
  std::vector<log::Append> appends = *records.records(body);
  const Timestamp due =
      world_.clock.now() + std::chrono::minutes(random_.below(kDueLatest.count()));
  for (log::Append& append : appends) {
    record::Message message = *record::decode_message(append.value);
    if (mail.scheduled) message.head.set_due_unix_ms(to_unix_ms(due));
    if (mail.urgent) message.head.set_class_(v1::URGENT);
    append.value = *record::encode(message);
  }
  if (append(producer, std::move(appends))) acknowledged(mail);
}

Result<log::Written> Customer::append(log::Producer& producer, std::vector<log::Append> records) {
  auto written = std::make_shared<std::promise<Result<log::Written>>>();
  auto answer = written->get_future();
  producer.append(std::move(records), [written](Result<log::Written> result) {
    written->set_value(std::move(result));
  });
  if (answer.wait_for(kPatience) == std::future_status::ready) return answer.get();
  complaints_.push_back("the log does not answer");
  return fail(log::Errc::kUnknown);
}

void Customer::acknowledged(const Mail& mail) {
  world_.promises.add(mail.recipients, {.total = 1,
                                        .scheduled = mail.scheduled ? 1U : 0U,
                                        .urgent = mail.urgent ? 1U : 0U,
                                        .large = mail.large ? 1U : 0U});
  world_.prompt += mail.prompt;
  world_.clock.advance(kBetweenMessages);
  world_.power.reached(PowerCut::Moment::kAcknowledgement);
}

// So many and no more, however slow the machine that tests: each is to be used again, and again.
void Customer::wait_for_segments() {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (!world_.power.gone() && world_.pipeline.counters().segments_live > kSegmentsLiveMax) {
    if (std::chrono::steady_clock::now() > end) {
      complaints_.push_back("segments are not made free");
      return;
    }
    std::this_thread::sleep_for(kLook);
    world_.clock.advance(kBetweenMessages);
  }
}

void Customer::wait_for_destination() {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (!world_.power.gone()) {
    const std::int64_t wanted = world_.prompt - kUnderWayMax;
    const auto taken = static_cast<std::int64_t>(world_.destination.prompt_total() - taken_before_);
    if (taken >= wanted) return;
    if (std::chrono::steady_clock::now() > end) {
      complaints_.push_back(fmt::format("mail stands still: {} taken, {} wanted", taken, wanted));
      return;
    }
    world_.destination.wait_prompt(taken_before_ + static_cast<std::size_t>(wanted), kLook);
  }
}

}  // namespace godwit::durability
