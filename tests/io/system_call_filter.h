// Makes one system call of this process fail, or kill it, by a seccomp filter: real kernels, real errno, no mocks.
//
// Filters cannot be taken off again. Use them in a child process: EXPECT_EXIT({ filter(...); ...; _exit(0); }, ...).
#pragma once

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>

#include "kernels/base/check.h"

namespace piecework::testing {

// From here on `system_call_number` does `action`: SECCOMP_RET_ERRNO | errno, or SECCOMP_RET_KILL_PROCESS.
// Covers threads started later.
inline void filter_system_call(uint32_t system_call_number, uint32_t action) {
  struct sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, system_call_number, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, action),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {sizeof code / sizeof code[0], code};
  PIECEWORK_CHECK(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  PIECEWORK_CHECK(::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0);
}

inline void fail_system_call(uint32_t system_call_number, int sys_errno) {
  filter_system_call(system_call_number, SECCOMP_RET_ERRNO | static_cast<uint32_t>(sys_errno));
}

// The process ends at that call, as by SIGKILL: no destructor runs, nothing is cleaned up. (It dies of SIGSYS.)
inline void die_at_system_call(uint32_t system_call_number) {
  filter_system_call(system_call_number, SECCOMP_RET_KILL_PROCESS);
}

}  // namespace piecework::testing
