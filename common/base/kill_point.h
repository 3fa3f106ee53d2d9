#pragma once

#include <string_view>

namespace godwit {

// A build for tests (GODWIT_TEST_HOOKS, the preset `test`) can be told to die at a named point:
//
//     GODWIT_KILL_AT=<name>        the process kills itself there, by SIGKILL: nothing cleans up
//     GODWIT_KILL_AT=<name>:<n>    at the nth passage
//
// Names      <module>.<what has happened>:
//              ingress.stored      a message is in the log, its 250 not sent
//              sender.answered     the host has answered, nothing of it is committed
//              kafka.writes_sent   a group's transaction has its records and positions, its end is not asked for
//              kafka.committed     it has ended, the local copy of a table does not show it
//              kafka.rebuilding    each record that is read for a copy of a partition that was taken
//              log.replaying       each batch that the embedded log replays into its tables
// Errors     a variable that is not of this form aborts at the first point; a name that nobody passes does nothing
// Cost       in other builds KILL_POINT is nothing at all, and its name is not in the executable
// Threads    any
void kill_point(std::string_view name);

}  // namespace godwit

#ifdef GODWIT_TEST_HOOKS
#define KILL_POINT(name) ::godwit::kill_point(name)
#else
#define KILL_POINT(name) static_cast<void>(0)
#endif
