#include "tests/simulation/runner.h"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <utility>
#include <vector>

#include "common/base/check.h"
#include "common/net/tls.h"
#include "common/observe/log.h"
#include "tests/simulation/seeds.h"

namespace godwit::simulation {
namespace {

constexpr std::uint64_t kSeedsInOne = 20;  // of one child process
constexpr std::uint64_t kRepeated = 20;

// FNV-1a over the lines of a trace.
class Digest {
 public:
  void add(std::string_view line) {
    for (const char c : line) value_ = (value_ ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    value_ = (value_ ^ '\n') * 0x100000001b3;
  }
  [[nodiscard]] std::uint64_t value() const { return value_; }

 private:
  std::uint64_t value_ = 0xcbf29ce484222325;
};

// What a child says of one seed: a line of text.
struct Said {
  std::uint64_t seed = 0;
  Outcome outcome;
  std::uint64_t digest = 0;
};

std::string to_line(const Said& said) {
  std::string broken = said.outcome.broken;
  std::ranges::replace(broken, '\n', ' ');
  const Laws::Counts& counts = said.outcome.counts;
  return fmt::format(
      "{} {} {} {} {} {} {} {} {} {}\n", said.seed, said.digest, counts.promised, counts.copies,
      counts.second_copies, counts.attempts, said.outcome.steps, said.outcome.deaths,
      std::chrono::floor<std::chrono::milliseconds>(said.outcome.elapsed).count(), broken);
}

std::optional<Said> from_line(const std::string& line) {
  Said said;
  long long ms = 0;
  int read = 0;
  Laws::Counts& counts = said.outcome.counts;
  if (std::sscanf(line.c_str(), "%lu %lu %zu %zu %zu %zu %lu %lu %lld %n", &said.seed, &said.digest,
                  &counts.promised, &counts.copies, &counts.second_copies, &counts.attempts,
                  &said.outcome.steps, &said.outcome.deaths, &ms, &read) != 9) {
    return std::nullopt;
  }
  said.outcome.elapsed = std::chrono::milliseconds(ms);
  said.outcome.broken = line.substr(static_cast<std::size_t>(read));
  return said;
}

// A process that runs some seeds, one after the other, and says what became of them.
class Child {
 public:
  // Stops at the first that is broken, if `until_broken`. `traced`: for the digest.
  Child(Options options, std::uint64_t seeds, bool traced, bool until_broken)
      : first_(options.seed), seeds_(seeds) {
    int ends[2];
    CHECK(::pipe(ends) == 0, "pipe: {}", errno);
    pid_ = ::fork();
    CHECK(pid_ >= 0, "fork: {}", errno);
    if (pid_ == 0) {
      ::close(ends[0]);
      run(std::move(options), seeds, traced, until_broken, ends[1]);
    }
    ::close(ends[1]);
    from_ = ::fdopen(ends[0], "r");
    CHECK(from_ != nullptr, "fdopen: {}", errno);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // Waits for its end.
  [[nodiscard]] std::vector<Said> result(bool until_broken) {
    std::vector<Said> all;
    char* line = nullptr;
    std::size_t size = 0;
    for (ssize_t got; (got = ::getline(&line, &size, from_)) > 0;) {
      std::string text(line, static_cast<std::size_t>(got));
      if (text.ends_with('\n')) text.pop_back();
      if (auto said = from_line(text)) all.push_back(*std::move(said));
    }
    std::free(line);
    std::fclose(from_);
    int status = 0;
    ::waitpid(pid_, &status, 0);
    const bool ended_early = until_broken && !all.empty() && !all.back().outcome.broken.empty();
    if (all.size() < seeds_ && !ended_early) {
      Said& dead = all.emplace_back();
      dead.seed = first_ + all.size() - 1;
      dead.outcome.broken = fmt::format("the simulation's process died, status {:#x}", status);
    }
    return all;
  }

 private:
  [[noreturn]] static void run(Options options, std::uint64_t seeds, bool traced, bool until_broken,
                               int to) {
    for (std::uint64_t i = 0; i < seeds; ++i, ++options.seed) {
      Digest digest;
      options.say = nullptr;
      if (traced) options.say = [&digest](std::string_view line) { digest.add(line); };
      Said said{options.seed, simulate(options), 0};
      said.digest = digest.value();
      const std::string line = to_line(said);
      CHECK(::write(to, line.data(), line.size()) == static_cast<ssize_t>(line.size()));
      if (until_broken && !said.outcome.broken.empty()) break;
    }
    std::_Exit(EXIT_SUCCESS);
  }

  const std::uint64_t first_;
  const std::uint64_t seeds_;
  pid_t pid_ = -1;
  std::FILE* from_ = nullptr;
};

// The seeds in the order of their batches, `jobs` at a time.
template <class Each>
void for_seeds(Options options, std::uint64_t seeds, std::size_t jobs, bool until_broken,
               const Each& each) {
  std::vector<std::unique_ptr<Child>> at_work;
  bool broken = false;
  while ((seeds > 0 && !(broken && until_broken)) || !at_work.empty()) {
    while (seeds > 0 && at_work.size() < jobs && !(broken && until_broken)) {
      const std::uint64_t some = std::min(seeds, kSeedsInOne);
      at_work.push_back(std::make_unique<Child>(options, some, false, until_broken));
      options.seed += some;
      seeds -= some;
    }
    if (at_work.empty()) break;
    for (const Said& said : at_work.front()->result(until_broken)) {
      broken = broken || !said.outcome.broken.empty();
      each(said);
    }
    at_work.erase(at_work.begin());
  }
}

std::uint64_t digest_of(Options options, std::uint64_t seed) {
  options.seed = seed;
  const std::vector<Said> said = Child(std::move(options), 1, true, false).result(false);
  return said.front().digest;
}

// The first seed that is broken with the mutant and not without it.
std::optional<Said> find_by(Options mutated, std::size_t jobs) {
  std::uint64_t left = kMutantSeeds;
  while (left > 0) {
    std::optional<Said> found;
    for_seeds(mutated, left, jobs, true, [&](const Said& said) {
      if (!found && !said.outcome.broken.empty()) found = said;
    });
    if (!found) return std::nullopt;
    Options sound = mutated;
    sound.mutant = Mutant::kNone;
    sound.seed = found->seed;
    if (Child(sound, 1, false, false).result(false).front().outcome.broken.empty()) return found;
    left -= found->seed + 1 - mutated.seed;
    mutated.seed = found->seed + 1;
  }
  return std::nullopt;
}

bool tell(std::string_view name, const std::string& why) {
  if (why.empty()) {
    fmt::print("passed {}\n", name);
  } else {
    fmt::print("failed {}: {}\n", name, why);
  }
  std::fflush(stdout);
  return why.empty();
}

}  // namespace

Roots::Roots() {
  std::string name = (std::filesystem::temp_directory_path() / "godwit-simulation-XXXXXX").string();
  CHECK(::mkdtemp(name.data()) != nullptr, "{}: {}", name, errno);
  directory_ = name;
  const auto context = net::TlsServerContext::self_signed("simulation");
  CHECK(context.has_value(), "{}", context.error().to_string());
  std::ofstream(file()) << (*context)->certificate_pem();
}

Roots::~Roots() {
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

Broken run_seeds(const Options& options, std::uint64_t seeds, std::size_t jobs) {
  Broken broken;
  Laws::Counts counts;
  std::uint64_t steps = 0;
  std::uint64_t deaths = 0;
  Duration elapsed{};
  const Instant began = std::chrono::steady_clock::now();
  for_seeds(options, seeds, jobs, false, [&](const Said& said) {
    counts.promised += said.outcome.counts.promised;
    counts.copies += said.outcome.counts.copies;
    counts.second_copies += said.outcome.counts.second_copies;
    counts.attempts += said.outcome.counts.attempts;
    steps += said.outcome.steps;
    deaths += said.outcome.deaths;
    elapsed += said.outcome.elapsed;
    if (said.outcome.broken.empty()) return;
    broken[said.seed] = said.outcome.broken;
    fmt::print("seed {}: {}\n", said.seed, said.outcome.broken);
    std::fflush(stdout);
  });
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  fmt::print(
      "{} seeds, {} broken, in {:.1f} s: {} recipients, {} attempts, {} copies ({} "
      "second ones), {} "
      "deaths, {} steps, {} virtual hours\n",
      seeds, broken.size(), took.count(), counts.promised, counts.attempts, counts.copies,
      counts.second_copies, deaths, steps, std::chrono::floor<std::chrono::hours>(elapsed).count());
  return broken;
}

bool run_traced(const Options& options, bool logs) {
  Options traced = options;
  traced.say = [](std::string_view line) { fmt::print("{}\n", line); };
  std::optional<observe::LogCapture> capture;
  if (logs) {
    capture.emplace(
        [](std::string_view line) {
          // Without the time, which is that of the machine.
          fmt::print("{:>15} {}\n", "", line.substr(std::min(line.find(',') + 1, line.size())));
        },
        observe::Level::kInfo);
  }
  const Outcome outcome = simulate(traced);
  fmt::print("seed {}: {}\n", options.seed,
             outcome.broken.empty() ? "no law was broken" : outcome.broken);
  std::fflush(stdout);
  // The world is not destroyed, and neither is what it refers to.
  std::_Exit(outcome.broken.empty() ? EXIT_SUCCESS : EXIT_FAILURE);
}

bool run_check(const Options& options, std::uint64_t seeds, std::size_t jobs) {
  bool good = true;
  const Broken broken = run_seeds(options, seeds, jobs);
  good = tell(fmt::format("seeds_{}_to_{}", options.seed, options.seed + seeds - 1),
              broken.empty() ? "" : fmt::format("{} broken", broken.size())) &&
         good;
  for (const NamedSeed& named : kNamedSeeds) {
    Options one = options;
    one.seed = named.seed;
    const auto said = Child(one, 1, false, false).result(false);
    good = tell(fmt::format("seed_{}", named.seed), said.front().outcome.broken) && good;
  }
  for (std::uint64_t seed = options.seed; seed < options.seed + kRepeated; ++seed) {
    const bool same = digest_of(options, seed) == digest_of(options, seed);
    good =
        tell(fmt::format("repeats_{}", seed), same ? "" : "another trace the second time") && good;
  }
  for (const Mutant mutant : all_mutants()) {
    Options mutated = options;
    mutated.mutant = mutant;
    const std::optional<Said> found = find_by(mutated, jobs);
    if (found) {
      fmt::print("   mutant {}: seed {}: {:.150}\n", mutant_name(mutant), found->seed,
                 found->outcome.broken);
    }
    good = tell(fmt::format("mutant_{}", mutant_name(mutant)),
                found ? "" : fmt::format("no law noticed in {} seeds", kMutantSeeds)) &&
           good;
  }
  return good;
}

}  // namespace godwit::simulation
