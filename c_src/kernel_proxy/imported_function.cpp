#include "kernel_proxy/imported_function.hpp"

#include <atomic>
#include <cstdint>
#include <cstring>
#include <dlfcn.h>
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

namespace cordon::proxy {
namespace {

#if defined(__x86_64__)
constexpr auto kJumpSlot = R_X86_64_JUMP_SLOT;
constexpr auto kGlobalData = R_X86_64_GLOB_DAT;
#elif defined(__aarch64__)
constexpr auto kJumpSlot = R_AARCH64_JUMP_SLOT;
constexpr auto kGlobalData = R_AARCH64_GLOB_DAT;
#endif

// What the dynamic linker knows of the program; see elf(5).
struct Program {
    std::uintptr_t base = 0;
    std::uintptr_t end = 0;
    std::uintptr_t read_only = 0; // made so after relocation (PT_GNU_RELRO)
    std::uintptr_t read_only_end = 0;
    const ElfW(Dyn) * dynamic = nullptr;

    // Some C libraries relocate these entries in place, others don't.
    std::uintptr_t address(std::uintptr_t value) const {
        return value < base ? base + value : value;
    }
    std::uintptr_t entry(ElfW(Sxword) tag) const {
        for (const ElfW(Dyn)* at = dynamic; at != nullptr && at->d_tag != DT_NULL; ++at)
            if (at->d_tag == tag)
                return at->d_un.d_val;
        return 0;
    }
};

// The first object that is told of is the program itself.
int read_program(dl_phdr_info* info, std::size_t, void* argument) {
    Program& program = *static_cast<Program*>(argument);
    program.base = info->dlpi_addr;
    for (int i = 0; i < info->dlpi_phnum; ++i) {
        const ElfW(Phdr)& header = info->dlpi_phdr[i];
        const std::uintptr_t begin = program.base + header.p_vaddr;
        if (header.p_type == PT_LOAD)
            program.end = begin + header.p_memsz;
        if (header.p_type == PT_DYNAMIC)
            program.dynamic = reinterpret_cast<const ElfW(Dyn)*>(begin);
        if (header.p_type == PT_GNU_RELRO) {
            program.read_only = begin;
            program.read_only_end = begin + header.p_memsz;
        }
    }
    return 1;
}

std::atomic<Function>* find_slot(const Program& program, const char* name) {
    const auto* symbols =
        reinterpret_cast<const ElfW(Sym)*>(program.address(program.entry(DT_SYMTAB)));
    const auto* names = reinterpret_cast<const char*>(program.address(program.entry(DT_STRTAB)));
    if (symbols == nullptr || names == nullptr)
        return nullptr;
    const struct {
        std::uintptr_t table, bytes;
    } relocations[] = {{program.entry(DT_JMPREL), program.entry(DT_PLTRELSZ)},
                       {program.entry(DT_RELA), program.entry(DT_RELASZ)}};
    for (const auto& [table, bytes] : relocations) {
        if (table == 0)
            continue;
        const auto* rela = reinterpret_cast<const ElfW(Rela)*>(program.address(table));
        for (std::size_t i = 0; i < bytes / sizeof *rela; ++i) {
            const auto type = ELF64_R_TYPE(rela[i].r_info);
            if ((type == kJumpSlot || type == kGlobalData) &&
                std::strcmp(names + symbols[ELF64_R_SYM(rela[i].r_info)].st_name, name) == 0)
                return reinterpret_cast<std::atomic<Function>*>(program.base + rela[i].r_offset);
        }
    }
    return nullptr;
}

} // namespace

Function replace_imported_function(const char* name, Function replacement) {
    Program program;
    dl_iterate_phdr(&read_program, &program);
    if (program.dynamic == nullptr)
        return nullptr;
    std::atomic<Function>* slot = find_slot(program, name);
    if (slot == nullptr)
        return nullptr;
    const auto at = reinterpret_cast<std::uintptr_t>(slot);
    const bool read_only = at >= program.read_only && at < program.read_only_end;
    const auto page = static_cast<std::uintptr_t>(getpagesize());
    auto* start = reinterpret_cast<void*>(at / page * page);
    if (read_only && mprotect(start, page, PROT_READ | PROT_WRITE) != 0)
        return nullptr;
    const Function before = slot->exchange(replacement, std::memory_order_acq_rel);
    if (read_only)
        mprotect(start, page, PROT_READ);
    // A slot that was never used leads into the program itself, to what would fill it in over our
    // replacement.
    const auto address = reinterpret_cast<std::uintptr_t>(before);
    if (address >= program.base && address < program.end)
        return reinterpret_cast<Function>(dlsym(RTLD_DEFAULT, name));
    return before;
}

} // namespace cordon::proxy
