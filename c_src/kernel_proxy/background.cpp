#include "kernel_proxy/background.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <csignal>
#include <cstdio>
#include <exception>
#include <pthread.h>
#include <thread>

namespace cordon::proxy {
namespace {

struct Background {
    explicit Background(const char* name) : work(io.get_executor()) {
        // Signals are the VM's business: our thread starts with all of them blocked.
        sigset_t all;
        sigset_t before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        std::thread thread([this] { run(); });
        pthread_setname_np(thread.native_handle(), name);
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
        thread.detach(); // it ends with the VM
    }

    void run() {
        for (;;) {
            try {
                io.run();
            } catch (const std::exception& error) {
                std::fprintf(stderr, "cordon: %s\n", error.what());
            }
        }
    }

    boost::asio::io_context io{1};
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work;
};

} // namespace

boost::asio::io_context& control_thread() {
    static auto* thread = new Background("cordon_control");
    return thread->io;
}

boost::asio::io_context& upcall_thread() {
    static auto* thread = new Background("cordon_upcalls");
    return thread->io;
}

boost::asio::io_context& housekeeping_thread() {
    static auto* thread = new Background("cordon_keeping");
    return thread->io;
}

} // namespace cordon::proxy
