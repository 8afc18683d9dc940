/* older_kernel FEATURE,... PROGRAM ARGUMENT...: runs a program as if the kernel lacked something.
 *   landlock   no Landlock
 *   domain     Landlock tells of itself but can't be entered
 *   listener   no seccomp notifications (older than 5.0, or somebody else listens)
 *   seccomp    no seccomp filters at all
 *   userns     no user namespaces, as many containers have it */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define FAIL(error) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (error))
#define ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define UNLESS(value, skip) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, skip)
#define UNLESS_SET(bits, skip) BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, bits, 0, skip)

static int load(struct sock_filter* program, size_t bytes) {
    struct sock_fprog filter = {(unsigned short)(bytes / sizeof *program), program};
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter);
}

int main(int argc, char** argv) {
    struct sock_filter landlock[] = {LOAD(nr), UNLESS(444, 1), FAIL(ENOSYS), ALLOW};
    struct sock_filter listener[] = {LOAD(nr),      UNLESS(SYS_seccomp, 5),
                                     LOAD(args[0]), UNLESS(SECCOMP_SET_MODE_FILTER, 3),
                                     LOAD(args[1]), UNLESS_SET(SECCOMP_FILTER_FLAG_NEW_LISTENER, 1),
                                     FAIL(EBUSY),   ALLOW};
    struct sock_filter seccomp[] = {LOAD(nr), UNLESS(SYS_seccomp, 1), FAIL(EINVAL), ALLOW};
    struct sock_filter domain[] = {LOAD(nr), UNLESS(446, 1), FAIL(EPERM), ALLOW};
    struct sock_filter userns[] = {LOAD(nr),      UNLESS(SYS_unshare, 3),
                                   LOAD(args[0]), UNLESS_SET(CLONE_NEWUSER, 1),
                                   FAIL(EPERM),   ALLOW};
    if (argc < 3 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return 2;
    if (strstr(argv[1], "landlock") != NULL && load(landlock, sizeof landlock) != 0)
        return 2;
    if (strstr(argv[1], "domain") != NULL && load(domain, sizeof domain) != 0)
        return 2;
    if (strstr(argv[1], "listener") != NULL && load(listener, sizeof listener) != 0)
        return 2;
    if (strstr(argv[1], "seccomp") != NULL && load(seccomp, sizeof seccomp) != 0)
        return 2;
    if (strstr(argv[1], "userns") != NULL && load(userns, sizeof userns) != 0)
        return 2;
    execvp(argv[2], argv + 2);
    perror(argv[2]);
    return 1;
}
