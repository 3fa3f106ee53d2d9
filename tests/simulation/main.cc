#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include "common/observe/log.h"
#include "tests/simulation/runner.h"
#include "tests/simulation/seeds.h"

// The cluster in one thread and in virtual time. README.md says how to read what it prints.
int main(int argc, char** argv) {
  using namespace godwit;
  using namespace godwit::simulation;

  Options options;
  std::uint64_t seeds = 1;
  std::size_t jobs = 2;
  std::string mutant = "none";
  bool trace = false;
  bool logs = false;
  bool check = false;
  CLI::App app{"Simulates a cluster and looks whether the laws hold", "simulation"};
  app.add_option("--seed", options.seed, "the first seed")->capture_default_str();
  app.add_option("--seeds", seeds, "how many, from --seed on")->capture_default_str();
  app.add_option("--jobs", jobs, "processes at work")
      ->capture_default_str()
      ->check(CLI::Range(1, 64));
  std::vector<std::string> mutants{"none"};
  for (const Mutant one : all_mutants()) mutants.emplace_back(mutant_name(one));
  app.add_option("--mutant", mutant, "the rule to break")
      ->capture_default_str()
      ->check(CLI::IsMember(mutants));
  app.add_flag("--trace", trace, "print what happens in the first seed");
  app.add_flag("--logs", logs, "with what the nodes log; implies --trace");
  app.add_flag("--check", check,
               "what a change must pass: seeds, named seeds, repeated ones, and each mutant");
  CLI11_PARSE(app, argc, argv);

  observe::set_level(observe::Level::kOff);
  for (const Mutant one : all_mutants()) {
    if (mutant == mutant_name(one)) options.mutant = one;
  }
  const Roots roots;
  options.tls_ca_file = roots.file();
  options.directory = roots.directory();
  bool good = false;
  if (check) {
    good = run_check(options, seeds, jobs);
  } else if (trace || logs) {
    good = run_traced(options, logs);
  } else {
    good = run_seeds(options, seeds, jobs).empty();
  }
  std::fflush(stdout);
  return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
