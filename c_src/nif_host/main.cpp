// nif_host: the program of the keeper and of the hosts that it forks.
#include "generated/cordon_build_id.hpp"
#include "nif_host/keeper.hpp"

#include <cstdio>
#include <cstring>

namespace {

constexpr char kUsage[] =
    "usage: nif_host --keeper     be the keeper of an Erlang VM (started by cordon, control socket "
    "on fd 3)\n"
    "       nif_host --version    print the build id, which must equal the one of cordon_nif.so\n"
    "       nif_host --api        print every enif_* that cordon has, and since which API version\n"
    "       nif_host --help\n";

constexpr char kApi[] =
#define ENIF(name, since, kind) #name " " since "\n"
#include "nif_host/enif/api_table.def"
    ;

} // namespace

int main(int argc, char** argv) {
    if (argc == 2 && std::strcmp(argv[1], "--keeper") == 0)
        return cordon::host::run_keeper(3);
    if (argc == 2 && std::strcmp(argv[1], "--version") == 0) {
        std::printf("%s\n", cordon::kBuildId);
        return 0;
    }
    if (argc == 2 && std::strcmp(argv[1], "--api") == 0) {
        std::fputs(kApi, stdout);
        return 0;
    }
    const bool help = argc == 2 && std::strcmp(argv[1], "--help") == 0;
    std::fputs(kUsage, help ? stdout : stderr);
    return help ? 0 : 2;
}
