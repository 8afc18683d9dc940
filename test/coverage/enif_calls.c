/* Counts which functions of the NIF API a library calls; linked into each fixture, whose own code
 * stays as it is. When the environment names a file (CORDON_ENIF_CALLS), the slots through which
 * the library calls enif_* are led over trampolines, and each of these sets a byte of that file:
 * one row of bytes for calls in the VM, one for calls in hosts, one for what the VM exports. The
 * file is mapped shared, so a crash loses nothing. enif_calls.erl is what reads it.
 *
 * dlsym is led over a function of ours too, so what is looked up by name is counted as well.
 * Without the environment variable, and on machines but x86-64, nothing is done. */
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef __x86_64__

#define HIDDEN __attribute__((visibility("hidden"), used))

static const char* const names[] = {
#define ENIF(name, since, kind) #name,
#include "nif_host/enif/api_table.def"
#undef ENIF
};
enum { kNames = sizeof names / sizeof names[0], kTrampoline = 32 };

/* Until a file is there, and after it has gone, calls are noted here. */
static unsigned char nowhere[kNames];

HIDDEN unsigned char* cordon_calls_row = nowhere;
HIDDEN void* cordon_calls_target[kNames];

/* One trampoline for each name: note the call, go on to the function with everything as it was.
 * r11 is nobody's at this point (System V ABI), not even that of a variadic function. */
extern const char cordon_calls_trampolines[] __attribute__((visibility("hidden")));
__asm__(".pushsection .text\n"
        ".hidden cordon_calls_trampolines\n"
        ".balign 32\n"
        "cordon_calls_trampolines:\n"
        ".set index, 0\n"
        ".rept 180\n"
        "    mov cordon_calls_row(%rip), %r11\n"
        "    movb $1, index(%r11)\n"
        "    jmp *cordon_calls_target + 8 * index(%rip)\n"
        "    .balign 32\n"
        "    .set index, index + 1\n"
        ".endr\n"
        ".popsection\n");
_Static_assert(kNames == 180, "as many trampolines as names");

static const void* through_trampoline(const char* name, void* function) {
    if (strncmp(name, "enif_", 5) == 0 && function != NULL) {
        for (int i = 0; i < kNames; i++) {
            if (strcmp(name, names[i]) == 0) {
                cordon_calls_target[i] = function;
                return cordon_calls_trampolines + (size_t)i * kTrampoline;
            }
        }
    }
    return function;
}

/* The slot for dlsym is redirected too, also for us. */
static void* (*real_dlsym)(void*, const char*);

static void* counting_dlsym(void* handle, const char* name) {
    void* found = real_dlsym(handle, name);
    return (void*)through_trampoline(name, found);
}

/* The slots lie where the dynamic linker has written for the last time. */
static void write_slot(void** slot, const void* value) {
    const uintptr_t page_size = (uintptr_t)sysconf(_SC_PAGESIZE);
    void* page = (void*)((uintptr_t)slot & ~(page_size - 1));
    if (mprotect(page, page_size, PROT_READ | PROT_WRITE) == 0) {
        *slot = (void*)value;
    }
}

struct tables {
    const Elf64_Rela* rela;
    size_t rela_size;
    const Elf64_Rela* plt;
    size_t plt_size;
    const Elf64_Sym* symbols;
    const char* strings;
};

static void redirect(const struct tables* tables, const Elf64_Rela* rela, size_t size,
                     uintptr_t base) {
    for (size_t i = 0; i < size / sizeof *rela; i++) {
        const unsigned long type = ELF64_R_TYPE(rela[i].r_info);
        if (type != R_X86_64_JUMP_SLOT && type != R_X86_64_GLOB_DAT && type != R_X86_64_64) {
            continue;
        }
        const char* name = tables->strings + tables->symbols[ELF64_R_SYM(rela[i].r_info)].st_name;
        void** slot = (void**)(base + rela[i].r_offset);
        if (strcmp(name, "dlsym") == 0) {
            write_slot(slot, (const void*)counting_dlsym);
        } else if (strncmp(name, "enif_", 5) == 0) {
            write_slot(slot, through_trampoline(name, *slot));
        }
    }
}

/* The address of a table, which the dynamic linker may or may not have moved by the base already.
 */
static const void* table(const ElfW(Dyn) * entry, uintptr_t base) {
    return (const void*)(entry->d_un.d_ptr < base ? base + entry->d_un.d_ptr : entry->d_un.d_ptr);
}

extern const Elf64_Ehdr __ehdr_start __attribute__((visibility("hidden")));
extern ElfW(Dyn) _DYNAMIC[] __attribute__((visibility("hidden")));

static void redirect_all(void) {
    const uintptr_t base = (uintptr_t)&__ehdr_start;
    struct tables tables = {0};
    for (const ElfW(Dyn)* entry = _DYNAMIC; entry->d_tag != DT_NULL; entry++) {
        switch (entry->d_tag) {
        case DT_RELA:
            tables.rela = table(entry, base);
            break;
        case DT_RELASZ:
            tables.rela_size = entry->d_un.d_val;
            break;
        case DT_JMPREL:
            tables.plt = table(entry, base);
            break;
        case DT_PLTRELSZ:
            tables.plt_size = entry->d_un.d_val;
            break;
        case DT_SYMTAB:
            tables.symbols = table(entry, base);
            break;
        case DT_STRTAB:
            tables.strings = table(entry, base);
            break;
        default:
            break;
        }
    }
    redirect(&tables, tables.rela, tables.rela_size, base);
    redirect(&tables, tables.plt, tables.plt_size, base);
}

enum { kInVm, kInHost, kExported, kRows };

/* First of all constructors, for those of the library may call. */
__attribute__((constructor(101))) static void begin(void) {
    const char* path = getenv("CORDON_ENIF_CALLS");
    if (path == NULL) {
        return;
    }
    const int saved_errno = errno;
    const int fd = open(path, O_RDWR | O_CLOEXEC);
    unsigned char* rows = MAP_FAILED;
    if (fd >= 0) {
        rows = mmap(NULL, (size_t)kRows * kNames, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        close(fd);
    }
    if (rows != MAP_FAILED) {
        const int in_host = strcmp(program_invocation_short_name, "nif_host") == 0;
        for (int i = 0; i < kNames && !in_host; i++) {
            rows[kExported * kNames + i] = dlsym(RTLD_DEFAULT, names[i]) != NULL;
        }
        cordon_calls_row = rows + (in_host ? kInHost : kInVm) * kNames;
        real_dlsym = dlsym;
        redirect_all();
    }
    errno = saved_errno;
}

/* Last of all destructors. */
__attribute__((destructor(101))) static void end(void) {
    unsigned char* row = cordon_calls_row;
    if (row != nowhere) {
        cordon_calls_row = nowhere;
        const uintptr_t page_size = (uintptr_t)sysconf(_SC_PAGESIZE);
        munmap((void*)((uintptr_t)row & ~(page_size - 1)), (size_t)kRows * kNames);
    }
}

#endif
