#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/base/check.h"
#include "common/base/ids.h"

namespace godwit::sender {

// What waits for one source at one site: urgent mail first, and within a class every tenant in
// turn.
//
// Deficit round robin: at its turn a tenant may spend `quantum` (what it does not spend stays with
// it while it has mail waiting), an item costs what push() said. So a tenant with a million
// campaign mails and one with three share the lane's rate equally until the three are gone.
//
// Limits    none of its own: the window and the lane's share bound what is pushed
// Threads   belongs to one shard
// Source    Shreedhar and Varghese, "Efficient Fair Queuing Using Deficit Round Robin" (1996)
template <class Item>
class TenantQueue {
 public:
  explicit TenantQueue(std::uint32_t quantum = 4) : quantum_(quantum) {}

  // `cost` > 0: 1 for a usual message, more for one that keeps a connection longer.
  void push(const TenantName& tenant, bool urgent, std::uint32_t cost, Item item) {
    flow_of(tenant, urgent).items.push_back({cost, std::move(item)});
    ++size_;
    ++classes_[urgent ? 0 : 1].size;
  }
  // Back to where it came from: it is the next of its tenant, and the tenant gets the turn back.
  void push_front(const TenantName& tenant, bool urgent, std::uint32_t cost, Item item) {
    Class& of = classes_[urgent ? 0 : 1];
    Flow& flow = flow_of(tenant, urgent);
    flow.items.push_front({cost, std::move(item)});
    flow.deficit += cost;
    of.turns.splice(of.turns.begin(), of.turns, flow.turn);
    ++size_;
    ++of.size;
  }

  // The next item; nothing when empty.
  [[nodiscard]] std::optional<Item> pop() {
    for (Class& of : classes_) {
      while (!of.turns.empty()) {
        Flow& flow = of.flows.find(of.turns.front())->second;
        if (flow.deficit < flow.items.front().cost) {
          // Its turn begins, or ends: the next tenant's. Every round adds to the deficit, so this
          // ends.
          flow.deficit += quantum_;
          if (of.turns.size() > 1) {
            of.turns.splice(of.turns.end(), of.turns, of.turns.begin());
          }
          continue;
        }
        flow.deficit -= flow.items.front().cost;
        Item item = std::move(flow.items.front().item);
        flow.items.pop_front();
        --size_;
        --of.size;
        rest_if_empty(of, flow);
        return item;
      }
    }
    return std::nullopt;
  }

  // The youngest item of the tenant with the most mail of that class waiting: what is set aside
  // first when there is too much.
  [[nodiscard]] std::optional<Item> pop_youngest(bool urgent) {
    Class& of = classes_[urgent ? 0 : 1];
    Flow* longest = nullptr;
    for (auto& [name, flow] : of.flows) {
      if (flow.items.empty()) continue;
      if (longest == nullptr || flow.items.size() > longest->items.size()) longest = &flow;
    }
    if (longest == nullptr) return std::nullopt;
    Item item = std::move(longest->items.back().item);
    longest->items.pop_back();
    --size_;
    --of.size;
    rest_if_empty(of, *longest);
    return item;
  }

  // Those that fit, in no particular order.
  template <class Fits>
  [[nodiscard]] std::vector<Item> take_if(const Fits& fits) {
    std::vector<Item> taken;
    for (Class& of : classes_) {
      for (auto turn = of.turns.begin(); turn != of.turns.end();) {
        Flow& flow = of.flows.find(*turn++)->second;
        std::deque<Entry> left;
        for (Entry& entry : flow.items) {
          if (fits(entry.item)) {
            taken.push_back(std::move(entry.item));
            --size_;
            --of.size;
          } else {
            left.push_back(std::move(entry));
          }
        }
        flow.items = std::move(left);
        rest_if_empty(of, flow);
      }
    }
    return taken;
  }

  // In no particular order.
  template <class Visit>
  void visit(const Visit& visit) const {
    for (const Class& of : classes_) {
      for (const auto& [tenant, flow] : of.flows) {
        for (const Entry& entry : flow.items) visit(entry.item);
      }
    }
  }

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::size_t size(bool urgent) const { return classes_[urgent ? 0 : 1].size; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] bool has_urgent() const { return !classes_[0].turns.empty(); }

 private:
  struct Entry {
    std::uint32_t cost;
    Item item;
  };
  struct Flow {
    std::deque<Entry> items;
    std::uint64_t deficit = 0;
    std::list<TenantName>::iterator turn;
  };
  struct Class {
    std::unordered_map<TenantName, Flow> flows;
    std::list<TenantName> turns;    // every flow with items once, the front has the turn
    std::list<TenantName> resting;  // flows without items, the latest in front
    std::size_t size = 0;           // items of all flows
  };
  // Tenants whose mail comes and goes one by one find their flow again.
  static constexpr std::size_t kRestingMax = 16;

  Flow& flow_of(const TenantName& tenant, bool urgent) {
    Class& of = classes_[urgent ? 0 : 1];
    const auto [at, added] = of.flows.try_emplace(tenant);
    Flow& flow = at->second;
    if (added) {
      flow.turn = of.turns.insert(of.turns.end(), tenant);
    } else if (flow.items.empty()) {
      of.turns.splice(of.turns.end(), of.resting, flow.turn);
    }
    return flow;
  }
  // A tenant that has nothing waiting saves nothing up.
  void rest_if_empty(Class& of, Flow& flow) {
    if (!flow.items.empty()) return;
    flow.deficit = 0;
    of.resting.splice(of.resting.begin(), of.turns, flow.turn);
    if (of.resting.size() <= kRestingMax) return;
    of.flows.erase(of.resting.back());
    of.resting.pop_back();
  }

  std::uint32_t quantum_;
  Class classes_[2];  // urgent, bulk
  std::size_t size_ = 0;
};

}  // namespace godwit::sender
