#include "tests/simulation/node.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/async/blocking_pool.h"
#include "common/base/check.h"
#include "common/observe/health.h"
#include "common/observe/metrics.h"
#include "common/poison/fake_death.h"
#include "common/poison/slots.h"
#include "router/role.h"
#include "sender/role.h"
#include "tests/simulation/laws.h"
#include "tests/simulation/simulated_log.h"

namespace godwit::simulation {

using namespace std::chrono_literals;

namespace {

// The schedule of days, in minutes: what is proven about one holds for the other.
sender::Config sender_config(const Settings& settings) {
  sender::Config config;
  config.retry = {.first = 20s,
                  .factor = 2,
                  .max = 3min,
                  .age = settings.age,
                  .after_unknown = Laws::kAfterUnknown};
  config.timeouts = {.connect = 5s,
                     .banner = 20s,
                     .ehlo = 20s,
                     .mail = 20s,
                     .rcpt = 20s,
                     .data = 20s,
                     .block = 20s,
                     .dot = 60s,
                     .quit = 1s};
  config.drain_wait = settings.drain_wait;
  config.tls_ca_file = settings.tls_ca_file.string();
  config.delay_notice = settings.age / 4;
  return config;
}

std::uint64_t lives = 0;

}  // namespace

struct Node::Life {
  Life(Cluster& cluster, MailHosts& hosts, Dns& dns, const Settings& settings,
       const std::string& node, Disk& disk, std::unique_ptr<poison::Slots> hands)
      : process(cluster, node, ++lives, disk),
        view(settings.control.view(process)),
        wires(hosts.connector(process)),
        log(process),
        slots(std::move(hands)),
        context{.shards = process.shards,
                .pool = pool,
                .log = log,
                .control = *view,
                .resolver = dns,
                .clock = cluster.world.clock(),
                .metrics = metrics,
                .health = health,
                .poison = *slots,
                .node = process.name(),
                .data_dir = {},
                .connector = *wires} {
    const sender::Config config = sender_config(settings);
    router = router::make_router(context, {}, config.static_routes());
    sender = sender::make_sender(context, config);
  }

  Process process;
  std::unique_ptr<control::View> view;
  std::unique_ptr<net::Connector> wires;
  SimulatedLog log;
  std::unique_ptr<poison::Slots> slots;
  async::BlockingPool pool{"simulation", 0, 0};
  observe::Metrics metrics;
  observe::Health health;
  role::RoleContext context;
  std::unique_ptr<role::Role> router;
  std::unique_ptr<sender::Sender> sender;
};

Node::Node(Cluster& cluster, MailHosts& hosts, Dns& dns, const Settings& settings, std::string name)
    : cluster_(cluster), hosts_(hosts), dns_(dns), settings_(settings), name_(std::move(name)) {}

void Node::start() {
  if (alive()) return;
  auto slots = settings_.directory.empty() ? std::make_unique<poison::Slots>(1)
                                           : std::make_unique<poison::Slots>(slots_file(), 1);
  life_ = new Life(cluster_, hosts_, dns_, settings_, name_, disk_, std::move(slots));
  cluster_.laws.began(life_->process.life, life_->process.name());
  cluster_.world.say(life_->process.name(), "starts");
  for (role::Role* role : {life_->router.get(), static_cast<role::Role*>(life_->sender.get())}) {
    const auto started = role->start();
    CHECK(started.has_value(), "{}", started.error().to_string());
  }
}

void Node::end(std::string_view how) {
  Process& process = life_->process;
  cluster_.world.say(process.name(), how);
  process.alive = false;
  cluster_.laws.died(process.life);
  hosts_.killed(process.life);
  life_ = nullptr;
  paused_ = false;
  kill_in_ = 0;
}

void Node::kill() {
  if (!alive()) return;
  disk_.crash();
  end("is killed");
}

void Node::pause() {
  if (!alive() || paused_) return;
  cluster_.world.say(life_->process.name(), "is paused");
  cluster_.laws.stood_still(life_->process.life);
  paused_ = true;
  life_->process.paused = true;
}

void Node::resume() {
  if (!alive() || !paused_) return;
  cluster_.world.say(life_->process.name(), "goes on");
  cluster_.laws.stood_still(life_->process.life);
  paused_ = false;
  life_->process.paused = false;
}

void Node::die_of(const poison::Work& work, std::uint64_t times) {
  if (!alive()) return;
  cluster_.world.say(
      life_->process.name(),
      fmt::format("dies {} times of {}/{}/{}", times, log::topic_name(work.record.where.topic),
                  work.record.where.partition, work.record.offset));
  kill();
  for (std::uint64_t i = 0; i < times; ++i) poison::fake_death(slots_file(), {work});
}

void Node::finish(bool leave) {
  if (!alive()) return;
  cluster_.world.say(life_->process.name(), leave ? "is to leave" : "is to end");
  life_->log.finish(leave, [this, leaving = life_] {
    if (life_ != leaving) return;
    disk_.close(cluster_.world.clock().now());
    end("ends");
  });
}

void Node::cut(Duration time) {
  if (!alive()) return;
  cluster_.world.say(life_->process.name(), "has no way to the brokers");
  cluster_.laws.cut_off(life_->process.life);
  life_->process.cut_until = std::max(life_->process.cut_until, cluster_.world.now() + time);
}

void Node::lose_answers(unsigned percent) {
  if (!alive()) return;
  if (percent > 0) cluster_.laws.cut_off(life_->process.life);
  life_->process.losses_percent = percent;
}

bool Node::step() {
  if (!runs()) return false;
  if (!life_->process.step()) return false;
  if (kill_in_ > 0 && --kill_in_ == 0) kill();
  return true;
}

Instant Node::next() const {
  if (!runs()) return Instant::max();
  return life_->process.next();
}

void Node::wake_if_due() {
  if (runs()) life_->process.wake_if_due();
}

}  // namespace godwit::simulation
