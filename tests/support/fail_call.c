// A library to load before a program (LD_PRELOAD): it lets one call that the program makes fail, and no other.
//
// Calls count by the directory that their file lies in and by their kind: the k-th read below a source, say, whatever
// thread makes it. A tracer could not tell so: strace counts for each thread alone. Where a call fails it has not
// happened; a short transfer moves half of what was asked for. Calls of the loader and within the C library are left
// alone. From the environment:
//   FAIL_CALL_ROOTS  "source=/a/b:out=/a/c": names of directories; no directory may lie in another
//   FAIL_CALL_AT     "out.write.3.28": the call counted 3 (from 0) fails with errno 28; 0: a short transfer
//   FAIL_CALL_LOG    file that gets a line for each call below a root, "out write /a/c/x", and "failed" before the
//                    one that failed
// Kinds: open create list stat read write sync link unlink resize mkdir.
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { kPathMax = 8192, kRootMax = 8 };

struct Root {
  char name[32];
  char path[kPathMax];
};

static struct Root roots[kRootMax];
static size_t root_count;
static char at_what[64];  // "out.write"; empty: nothing fails
static unsigned long at_index;
static int at_errno;
static int log_fd = -1;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static unsigned long seen_count;  // of at_what

// The real function of this name. Another thread may look it up at the same time: both find the same.
#define REAL(type, name)                                 \
  static type real_##name;                               \
  if (real_##name == NULL) real_##name = (type)dlsym(RTLD_NEXT, #name)

typedef long (*SyscallFn)(long, long, long, long, long, long, long);

static long real_call(long number, long a, long b, long c, long d, long e, long f) {
  REAL(SyscallFn, syscall);
  return real_syscall(number, a, b, c, d, e, f);
}

__attribute__((constructor)) static void begin(void) {
  const char* const all = getenv("FAIL_CALL_ROOTS");
  char text[kPathMax];
  snprintf(text, sizeof text, "%s", all != NULL ? all : "");
  char* rest = NULL;
  for (char* part = strtok_r(text, ":", &rest); part != NULL && root_count < kRootMax;
       part = strtok_r(NULL, ":", &rest)) {
    char* const equals = strchr(part, '=');
    if (equals == NULL) continue;
    *equals = '\0';
    snprintf(roots[root_count].name, sizeof roots[0].name, "%s", part);
    snprintf(roots[root_count].path, sizeof roots[0].path, "%s", equals + 1);
    ++root_count;
  }
  const char* const at = getenv("FAIL_CALL_AT");
  char side[32];
  char kind[32];
  if (at != NULL && sscanf(at, "%31[a-z].%31[a-z].%lu.%d", side, kind, &at_index, &at_errno) == 4) {
    snprintf(at_what, sizeof at_what, "%.30s.%.30s", side, kind);
  }
  const char* const log = getenv("FAIL_CALL_LOG");
  if (log != NULL) {
    log_fd = (int)real_call(SYS_openat, AT_FDCWD, (long)log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644, 0, 0);
  }
}

static const struct Root* root_of(const char* path) {
  for (size_t i = 0; i < root_count; ++i) {
    const size_t length = strlen(roots[i].path);
    if (strncmp(path, roots[i].path, length) == 0 && (path[length] == '/' || path[length] == '\0')) return &roots[i];
  }
  return NULL;
}

// The name of an open file into `target`; empty where it has none.
static void path_of_fd(int fd, char* target) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const long length = real_call(SYS_readlinkat, AT_FDCWD, (long)link, (long)target, kPathMax - 1, 0, 0);
  target[length > 0 ? length : 0] = '\0';
}

static void path_at(int directory_fd, const char* path, char* target) {
  if (path[0] == '/') {
    snprintf(target, kPathMax, "%s", path);
    return;
  }
  char directory[kPathMax] = "";
  if (directory_fd != AT_FDCWD) {
    path_of_fd(directory_fd, directory);
  } else if (real_call(SYS_getcwd, (long)directory, sizeof directory, 0, 0, 0, 0) < 0) {
    directory[0] = '\0';
  }
  if (path[0] == '\0') {
    snprintf(target, kPathMax, "%s", directory);
  } else {
    snprintf(target, kPathMax, "%.4000s/%.4000s", directory, path);
  }
}

// Counts a call; true where it is the one to fail.
static int is_met(const char* kind, const char* path) {
  const struct Root* const root = root_of(path);
  if (root == NULL) return 0;
  char what[64];
  snprintf(what, sizeof what, "%.30s.%.30s", root->name, kind);
  pthread_mutex_lock(&mutex);
  const int fails = strcmp(what, at_what) == 0 && seen_count++ == at_index;
  pthread_mutex_unlock(&mutex);
  if (log_fd >= 0) {
    char line[kPathMax + 128];
    const int length = snprintf(line, sizeof line, "%s%s %s %.8000s\n", fails ? "failed " : "", root->name, kind, path);
    real_call(SYS_write, log_fd, (long)line, length, 0, 0, 0);
  }
  return fails;
}

static int meets_path(const char* kind, int directory_fd, const char* path) {
  if (root_count == 0 || path == NULL) return 0;
  const int saved_errno = errno;
  char full[kPathMax];
  path_at(directory_fd, path, full);
  const int fails = is_met(kind, full);
  errno = fails ? at_errno : saved_errno;
  return fails;
}

static int meets_fd(const char* kind, int fd) { return meets_path(kind, fd, ""); }

// Of a transfer of `size` bytes: those that may be moved now; -1: it fails.
static ssize_t allowed_bytes(const char* kind, int fd, size_t size) {
  if (!meets_fd(kind, fd)) return (ssize_t)size;
  if (at_errno != 0) return -1;
  return (ssize_t)(size > 1 ? size / 2 : size);
}

static const char* kind_of_open(int flags) {
  return (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE ? "create" : "open";
}

int fail_open(const char* path, int flags, ...) __asm__("open");
int fail_open(const char* path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  const long mode = va_arg(list, int);
  va_end(list);
  if (meets_path(kind_of_open(flags), AT_FDCWD, path)) return -1;
  return (int)real_call(SYS_openat, AT_FDCWD, (long)path, flags, mode, 0, 0);
}
int fail_open64(const char* path, int flags, ...) __asm__("open64") __attribute__((alias("open")));

int fail_openat(int directory_fd, const char* path, int flags, ...) __asm__("openat");
int fail_openat(int directory_fd, const char* path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  const long mode = va_arg(list, int);
  va_end(list);
  if (meets_path(kind_of_open(flags), directory_fd, path)) return -1;
  return (int)real_call(SYS_openat, directory_fd, (long)path, flags, mode, 0, 0);
}
int fail_openat64(int directory_fd, const char* path, int flags, ...) __asm__("openat64")
    __attribute__((alias("openat")));

long fail_syscall(long number, ...) __asm__("syscall");
long fail_syscall(long number, ...) {
  long a[6];
  va_list list;
  va_start(list, number);
  for (int i = 0; i < 6; ++i) a[i] = va_arg(list, long);
  va_end(list);
  if (number == SYS_openat2) {
    const struct open_how* const how = (const struct open_how*)a[2];
    if (meets_path(kind_of_open((int)how->flags), (int)a[0], (const char*)a[1])) return -1;
  }
  return real_call(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

typedef FILE* (*FopenFn)(const char*, const char*);
FILE* fail_fopen(const char* path, const char* mode) __asm__("fopen");
FILE* fail_fopen(const char* path, const char* mode) {
  if (meets_path(mode[0] == 'r' ? "open" : "create", AT_FDCWD, path)) return NULL;
  REAL(FopenFn, fopen);
  return real_fopen(path, mode);
}
FILE* fail_fopen64(const char* path, const char* mode) __asm__("fopen64") __attribute__((alias("fopen")));

typedef DIR* (*OpendirFn)(const char*);
DIR* fail_opendir(const char* path) __asm__("opendir");
DIR* fail_opendir(const char* path) {
  if (meets_path("list", AT_FDCWD, path)) return NULL;
  REAL(OpendirFn, opendir);
  return real_opendir(path);
}

// A function that is just a system call; with `other` for 64-bit offsets, which is the same.
#define CALL(type, name, parameters, meets, ...)  \
  type fail_##name parameters __asm__(#name);     \
  type fail_##name parameters {                   \
    if (meets) return -1;                         \
    return (type)real_call(__VA_ARGS__);          \
  }
#define CALL_AND(other, type, name, parameters, meets, ...)  \
  CALL(type, name, parameters, meets, __VA_ARGS__)           \
  type fail_##other parameters __asm__(#other) __attribute__((alias(#name)))

CALL(int, fsync, (int fd), meets_fd("sync", fd), SYS_fsync, fd, 0, 0, 0, 0, 0)
CALL(int, fdatasync, (int fd), meets_fd("sync", fd), SYS_fdatasync, fd, 0, 0, 0, 0, 0)
CALL(int, syncfs, (int fd), meets_fd("sync", fd), SYS_syncfs, fd, 0, 0, 0, 0, 0)
CALL(int, mkdir, (const char* path, mode_t mode), meets_path("mkdir", AT_FDCWD, path), SYS_mkdirat, AT_FDCWD,
     (long)path, mode, 0, 0, 0)
CALL(int, mkdirat, (int fd, const char* path, mode_t mode), meets_path("mkdir", fd, path), SYS_mkdirat, fd, (long)path,
     mode, 0, 0, 0)
CALL(int, unlink, (const char* path), meets_path("unlink", AT_FDCWD, path), SYS_unlinkat, AT_FDCWD, (long)path, 0, 0,
     0, 0)
CALL(int, rmdir, (const char* path), meets_path("unlink", AT_FDCWD, path), SYS_unlinkat, AT_FDCWD, (long)path,
     AT_REMOVEDIR, 0, 0, 0)
CALL(int, unlinkat, (int fd, const char* path, int flags), meets_path("unlink", fd, path), SYS_unlinkat, fd,
     (long)path, flags, 0, 0, 0)
CALL(int, linkat, (int from, const char* path, int to, const char* name, int flags), meets_path("link", to, name),
     SYS_linkat, from, (long)path, to, (long)name, flags, 0)
CALL(int, rename, (const char* path, const char* name), meets_path("link", AT_FDCWD, name), SYS_renameat2, AT_FDCWD,
     (long)path, AT_FDCWD, (long)name, 0, 0)
CALL(int, renameat, (int from, const char* path, int to, const char* name), meets_path("link", to, name),
     SYS_renameat2, from, (long)path, to, (long)name, 0, 0)
CALL(int, renameat2, (int from, const char* path, int to, const char* name, unsigned flags),
     meets_path("link", to, name), SYS_renameat2, from, (long)path, to, (long)name, flags, 0)
CALL(int, symlink, (const char* target, const char* name), meets_path("link", AT_FDCWD, name), SYS_symlinkat,
     (long)target, AT_FDCWD, (long)name, 0, 0, 0)
CALL(int, symlinkat, (const char* target, int fd, const char* name), meets_path("link", fd, name), SYS_symlinkat,
     (long)target, fd, (long)name, 0, 0, 0)
CALL(int, fchmod, (int fd, mode_t mode), meets_fd("resize", fd), SYS_fchmod, fd, mode, 0, 0, 0, 0)
CALL_AND(ftruncate64, int, ftruncate, (int fd, off_t length), meets_fd("resize", fd), SYS_ftruncate, fd, length, 0, 0,
         0, 0);
CALL_AND(fallocate64, int, fallocate, (int fd, int mode, off_t offset, off_t length), meets_fd("resize", fd),
         SYS_fallocate, fd, mode, offset, length, 0, 0);
CALL(ssize_t, getdents64, (int fd, void* target, size_t size), meets_fd("list", fd), SYS_getdents64, fd, (long)target,
     (long)size, 0, 0, 0)
CALL_AND(stat64, int, stat, (const char* path, void* target), meets_path("stat", AT_FDCWD, path), SYS_newfstatat,
         AT_FDCWD, (long)path, (long)target, 0, 0, 0);
CALL_AND(lstat64, int, lstat, (const char* path, void* target), meets_path("stat", AT_FDCWD, path), SYS_newfstatat,
         AT_FDCWD, (long)path, (long)target, AT_SYMLINK_NOFOLLOW, 0, 0);
CALL_AND(fstat64, int, fstat, (int fd, void* target), meets_fd("stat", fd), SYS_fstat, fd, (long)target, 0, 0, 0, 0);
CALL_AND(fstatat64, int, fstatat, (int fd, const char* path, void* target, int flags), meets_path("stat", fd, path),
         SYS_newfstatat, fd, (long)path, (long)target, flags, 0, 0);
CALL(int, statx, (int fd, const char* path, int flags, unsigned mask, void* target), meets_path("stat", fd, path),
     SYS_statx, fd, (long)path, flags, mask, (long)target, 0)

int fail_posix_fallocate(int fd, off_t offset, off_t length) __asm__("posix_fallocate");
int fail_posix_fallocate(int fd, off_t offset, off_t length) {
  const int saved_errno = errno;
  const int failed = fail_fallocate(fd, 0, offset, length) != 0 ? errno : 0;
  errno = saved_errno;
  return failed;
}
int fail_posix_fallocate64(int fd, off_t offset, off_t length) __asm__("posix_fallocate64")
    __attribute__((alias("posix_fallocate")));

// A transfer of which only a part may be moved.
#define TRANSFER(name, parameters, kind, number, fd, buffer, size, ...)                \
  ssize_t fail_##name parameters __asm__(#name);                                       \
  ssize_t fail_##name parameters {                                                     \
    const ssize_t allowed = allowed_bytes(kind, fd, size);                             \
    if (allowed < 0) return -1;                                                        \
    return real_call(number, fd, (long)(buffer), allowed, __VA_ARGS__);                \
  }

TRANSFER(read, (int fd, void* target, size_t size), "read", SYS_read, fd, target, size, 0, 0, 0)
TRANSFER(write, (int fd, const void* source, size_t size), "write", SYS_write, fd, source, size, 0, 0, 0)
TRANSFER(pread, (int fd, void* target, size_t size, off_t offset), "read", SYS_pread64, fd, target, size, offset, 0, 0)
TRANSFER(pwrite, (int fd, const void* source, size_t size, off_t offset), "write", SYS_pwrite64, fd, source, size,
         offset, 0, 0)
ssize_t fail_pread64(int fd, void* target, size_t size, off_t offset) __asm__("pread64")
    __attribute__((alias("pread")));
ssize_t fail_pwrite64(int fd, const void* source, size_t size, off_t offset) __asm__("pwrite64")
    __attribute__((alias("pwrite")));

// Of several buffers the first alone may be cut.
static long transfer_vector(const char* kind, long number, int fd, const struct iovec* vector, int count, long offset,
                            int flags) {
  struct iovec first = count > 0 ? vector[0] : (struct iovec){NULL, 0};
  const ssize_t allowed = allowed_bytes(kind, fd, first.iov_len);
  if (allowed < 0) return -1;
  const int is_cut = (size_t)allowed < first.iov_len;
  first.iov_len = (size_t)allowed;
  return real_call(number, fd, (long)(is_cut ? &first : vector), is_cut ? 1 : count, offset, 0, flags);
}

ssize_t fail_readv(int fd, const struct iovec* vector, int count) __asm__("readv");
ssize_t fail_readv(int fd, const struct iovec* vector, int count) {
  return transfer_vector("read", SYS_readv, fd, vector, count, 0, 0);
}
ssize_t fail_writev(int fd, const struct iovec* vector, int count) __asm__("writev");
ssize_t fail_writev(int fd, const struct iovec* vector, int count) {
  return transfer_vector("write", SYS_writev, fd, vector, count, 0, 0);
}
ssize_t fail_preadv2(int fd, const struct iovec* vector, int count, off_t offset, int flags) __asm__("preadv2");
ssize_t fail_preadv2(int fd, const struct iovec* vector, int count, off_t offset, int flags) {
  return transfer_vector("read", SYS_preadv2, fd, vector, count, offset, flags);
}
ssize_t fail_preadv64v2(int fd, const struct iovec* vector, int count, off_t offset, int flags) __asm__("preadv64v2")
    __attribute__((alias("preadv2")));
