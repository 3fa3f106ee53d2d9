#include "common/log/kafka/member.h"

#include <librdkafka/rdkafka.h>

#include <utility>

#include "common/log/errc.h"
#include "common/observe/log.h"

namespace godwit::log {
namespace {

using namespace std::chrono_literals;

constexpr observe::Logger kLog{"kafka"};

constexpr int kPollMs = 200;
constexpr int kPollSoonMs = 10;

using Queue = std::unique_ptr<rd_kafka_queue_t, decltype(&rd_kafka_queue_destroy)>;

void wake(rd_kafka_t* handle) {
  const Queue queue(rd_kafka_queue_get_consumer(handle), rd_kafka_queue_destroy);
  if (queue) rd_kafka_queue_yield(queue.get());
}

}  // namespace

class GroupMember::Events final : public ClientEvents {
 public:
  explicit Events(GroupMember& member) : member_(member) {}
  void on_rebalance(bool assigned, rd_kafka_topic_partition_list_s& partitions) override {
    member_.rebalance(assigned, partitions);
  }

 private:
  GroupMember& member_;
};

GroupMember::GroupMember(Spec spec, std::string topic)
    : spec_(std::move(spec)), topic_(std::move(topic)), events_(std::make_unique<Events>(*this)) {}

GroupMember::~GroupMember() {
  stop();
}

Result<std::unique_ptr<GroupMember>> GroupMember::join(const KafkaOptions& options,
                                                       const TopicNames& names, Spec spec) {
  std::string topic = names.of(spec.subscribed);
  std::unique_ptr<GroupMember> member(new GroupMember(std::move(spec), std::move(topic)));
  ClientConfig config(options, member->spec_.group, *member->events_);
  config.set("group.id", names.prefix() + member->spec_.group)
      .set("group.instance.id", options.node)
      .set("partition.assignment.strategy", "cooperative-sticky")
      .set("session.timeout.ms", options.session_timeout)
      .set("heartbeat.interval.ms", options.heartbeat_interval())
      .set("max.poll.interval.ms", options.max_poll_interval)
      .set("enable.auto.commit", "false")
      .set("enable.auto.offset.store", "false");
  TRY(member->handle_, std::move(config).make_consumer(true));
  TRY_VOID(member->subscribe());
  member->thread_ = std::thread([at = member.get()] { at->work(); });
  return member;
}

Result<void> GroupMember::subscribe() {
  const PartitionList topics = make_list();
  rd_kafka_topic_partition_list_add(topics.get(), topic_.c_str(), RD_KAFKA_PARTITION_UA);
  const auto code = rd_kafka_subscribe(handle_.get(), topics.get());
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return fail(Errc::kUnavailable, rd_kafka_err2str(code));
  return {};
}

void GroupMember::work() {
  using Message = std::unique_ptr<rd_kafka_message_t, decltype(&rd_kafka_message_destroy)>;
  while (!stopping_) {
    const bool soon = !leaving_ && spec_.tick();
    const Message message(rd_kafka_consumer_poll(handle_.get(), soon ? kPollSoonMs : kPollMs),
                          rd_kafka_message_destroy);
    if (!message || message->err == RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    if (message->err == RD_KAFKA_RESP_ERR__FATAL) {
      char text[512];
      rd_kafka_fatal_error(handle_.get(), text, sizeof text);
      kLog.error("a member of a group failed", {{"group", spec_.group}, {"problem", text}});
      spec_.failed(text);
    } else {
      kLog.debug("a member of a group",
                 {{"group", spec_.group}, {"problem", rd_kafka_message_errstr(message.get())}});
    }
  }
  rd_kafka_consumer_close(handle_.get());
}

void GroupMember::rebalance(bool assigned, const rd_kafka_topic_partition_list_s& partitions) {
  std::vector<PartitionId> numbers;
  for (int i = 0; i < partitions.cnt; ++i) {
    numbers.push_back(static_cast<PartitionId>(partitions.elems[i].partition));
  }
  if (!assigned) {
    if (stopping_ || leaving_) return release();
    const bool lost = assignment_lost();
    if (lost) comes_anew_ = true;
    return spec_.revoked(numbers, lost);
  }
  // Who is given nothing is new: of those who are there nobody's last partition is taken.
  if (std::exchange(comes_anew_, false) && !numbers.empty()) join_again();
  const PartitionList nothing = make_list();
  const KafkaError error(rd_kafka_incremental_assign(handle_.get(), nothing.get()));
  if (error) kLog.warning("assignment", {{"problem", rd_kafka_error_string(error.get())}});
  if (!stopping_ && !leaving_) spec_.assigned(numbers);
}

// Before an assignment is answered: librdkafka keeps a subscription that comes then, and joins with
// it afterwards, though it is the same one. It says then that it has what it was given, so that to
// the broker it is not the question that it has answered already, and every member is asked.
void GroupMember::join_again() {
  const std::lock_guard lock(subscription_);
  if (stopping_ || leaving_) return;
  if (auto asked = subscribe(); !asked) {
    kLog.warning("a member of a group", {{"group", spec_.group}, {"problem", asked.error()}});
  }
}

void GroupMember::release() {
  const PartitionList nothing = make_list();
  const KafkaError error(rd_kafka_incremental_unassign(handle_.get(), nothing.get()));
  if (error) kLog.warning("assignment", {{"problem", rd_kafka_error_string(error.get())}});
}

bool GroupMember::assignment_lost() const {
  return rd_kafka_assignment_lost(handle_.get()) != 0;
}

bool GroupMember::is_member() const {
  char* id = rd_kafka_memberid(handle_.get());
  const bool is = id != nullptr && *id != 0;
  if (id != nullptr) rd_kafka_mem_free(handle_.get(), id);
  return is;
}

// A static member that is closed keeps its place, and one that unsubscribed before gives it back. It
// has done so when it has no member id any more.
void GroupMember::leave(Instant deadline) {
  leaving_ = true;
  wake(handle_.get());
  {
    const std::lock_guard lock(subscription_);
    rd_kafka_unsubscribe(handle_.get());
  }
  while (is_member() && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(10ms);
  }
}

void GroupMember::stop() {
  if (!thread_.joinable()) return;
  stopping_ = true;
  wake(handle_.get());
  thread_.join();
}

}  // namespace godwit::log
