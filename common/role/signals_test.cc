#include "common/role/signals.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

namespace godwit::role {
namespace {

constexpr std::chrono::milliseconds kLong = std::chrono::seconds(30);

// Signals are the process's: each story is told by a child, whose status is the result.
int status_of_child(int (*story)()) {
  const pid_t child = fork();
  if (child == 0) _exit(story());
  int status = 0;
  waitpid(child, &status, 0);
  return status;
}

TEST(Signals, ArriveInWaitOnceEach) {
  const int status = status_of_child([] {
    Signals signals;
    if (signals.wait(std::chrono::milliseconds(0))) return 1;
    kill(getpid(), SIGHUP);
    if (signals.wait(kLong) != Signals::Signal::kReload) return 2;
    kill(getpid(), SIGTERM);
    if (signals.wait(kLong) != Signals::Signal::kTerminate) return 3;
    signals.raise(Signals::Signal::kTerminate);  // as often as one likes
    signals.raise(Signals::Signal::kReload);
    if (signals.wait(kLong) != Signals::Signal::kTerminate) return 4;
    if (signals.wait(kLong) != Signals::Signal::kReload) return 5;
    kill(getpid(), SIGPIPE);
    return 0;
  });
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(Signals, TheSecondTerminateEndsTheProcessAtOnce) {
  const int status = status_of_child([] {
    Signals signals;
    kill(getpid(), SIGTERM);
    if (signals.wait(kLong) != Signals::Signal::kTerminate) return 1;
    kill(getpid(), SIGTERM);
    pause();
    return 2;
  });
  ASSERT_TRUE(WIFSIGNALED(status)) << WEXITSTATUS(status);
  EXPECT_EQ(WTERMSIG(status), SIGTERM);
}

}  // namespace
}  // namespace godwit::role
