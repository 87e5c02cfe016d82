// Processes: this one is not gone; one that ended is; of others nobody can tell.
#include "io/process_identity.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <string>

namespace piecework::io {
namespace {

TEST(ProcessIdentity, AProcessThatEndedIsGone) {
  const std::string mine = process_identity();
  EXPECT_EQ(mine, process_identity());
  EXPECT_FALSE(is_surely_gone(mine));
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const std::string identity = process_identity();
    const bool is_written = ::write(ends[1], identity.data(), identity.size()) > 0;
    ::pause();
    ::_exit(is_written ? 0 : 1);
  }
  std::string theirs(512, '\0');
  theirs.resize(static_cast<size_t>(::read(ends[0], theirs.data(), theirs.size())));
  EXPECT_NE(theirs, mine);
  EXPECT_FALSE(is_surely_gone(theirs));
  ::kill(child, SIGKILL);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(is_surely_gone(theirs));
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST(ProcessIdentity, OfOthersNobodyCanTell) {
  const std::string mine = process_identity();
  const size_t boot = mine.find('/') + 1;
  std::string other_boot = mine;
  other_boot[boot] = other_boot[boot] == '0' ? '1' : '0';
  for (const std::string& identity :
       {std::string(), std::string("x"), std::string("a/b/c/d/e"), std::string("////"), other_boot, mine + "/x"}) {
    EXPECT_FALSE(is_surely_gone(identity)) << identity;
  }
  // The same process id, started at another time: the one before has ended.
  EXPECT_TRUE(is_surely_gone(mine.substr(0, mine.rfind('/')) + "/1"));
}

}  // namespace
}  // namespace piecework::io
