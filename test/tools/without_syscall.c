/* Runs a program on what looks like a machine that lacks a system call:
 *
 *     without_syscall memfd_create PROGRAM ARGUMENT...
 *     without_syscall shared_futex PROGRAM ARGUMENT...
 *
 * The call gives ENOSYS, in the program and all that it starts. shared_futex is the waking of
 * futexes that are shared among processes; those of one process stay, for nothing runs without. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define UNLESS_EQUAL_ALLOW(value)                                                                  \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 1, 0), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define ENOSYS_NOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS)

int main(int argc, char** argv) {
    struct sock_filter memfd[] = {LOAD(nr), UNLESS_EQUAL_ALLOW(SYS_memfd_create), ENOSYS_NOW};
    struct sock_filter futex[] = {LOAD(nr), UNLESS_EQUAL_ALLOW(SYS_futex), LOAD(args[1]),
                                  UNLESS_EQUAL_ALLOW(FUTEX_WAKE), ENOSYS_NOW};
    struct sock_fprog filter = {sizeof memfd / sizeof *memfd, memfd};
    if (argc < 3) {
        fprintf(stderr, "usage: without_syscall memfd_create|shared_futex PROGRAM ARGUMENT...\n");
        return 2;
    }
    if (strcmp(argv[1], "shared_futex") == 0)
        filter = (struct sock_fprog){sizeof futex / sizeof *futex, futex};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) {
        perror("seccomp");
        return 1;
    }
    execvp(argv[2], argv + 2);
    perror(argv[2]);
    return 1;
}
