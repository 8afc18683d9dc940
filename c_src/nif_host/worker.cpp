#include "nif_host/worker.hpp"

#include "compat_ipc/futex.hpp"
#include "nif_host/callback_thread.hpp"
#include "nif_host/chunk_windows.hpp"
#include "nif_host/crash_handler.hpp"
#include "nif_host/enif/env.hpp"
#include "nif_host/enif/resource.hpp"
#include "nif_host/event_reader.hpp"
#include "nif_host/host_context.hpp"
#include "nif_host/lifetime_check.hpp"
#include "nif_host/loader.hpp"
#include "nif_host/request_wait.hpp"
#include "nif_host/upcall_client.hpp"

#include <array>
#include <atomic>
#include <cstdio>
#include <pthread.h>
#include <unistd.h>

namespace cordon::host {
namespace {

using ipc::RequestKind;
using ipc::ResponseStatus;

// How long a call waits for destructors of what was released before it.
constexpr std::chrono::milliseconds kCallbackWait{10};
// Below the time that the BEAM waits for an unload.
constexpr std::chrono::milliseconds kUnloadWait{4'000};

// Never called for an instance that is gone: it isn't unloaded before.
void unload_callback_thread(std::uint64_t instance_id, void (*on_begun)()) {
    Instance* instance = find_instance(static_cast<std::uint32_t>(instance_id));
    on_begun();
    instance->on_unload_thread(instance->priv_data);
    instance->callback_thread_told.store(Instance::Told::Yes, std::memory_order_release);
}

bool callback_thread_told(Instance& instance) {
    if (instance.on_unload_thread == nullptr)
        return true;
    auto expected = Instance::Told::No;
    if (instance.callback_thread_told.compare_exchange_strong(expected, Instance::Told::Soon))
        defer_callback({unload_callback_thread, instance.id});
    return instance.callback_thread_told.load(std::memory_order_acquire) == Instance::Told::Yes;
}

class Worker {
  public:
    explicit Worker(std::uint32_t slot)
        : slot_(slot), request_(context().request(slot)), response_(context().response(slot)),
          wait_(slot), env_(env_create(EnvKind::Call, nullptr)),
          load_env_(env_create(EnvKind::Load, nullptr)) {}

    [[noreturn]] void run();
    std::uint32_t slot() const { return slot_; }
    void exchange();
    [[noreturn]] void answer_unsupported(const char* function);

  private:
    void serve_call();
    void serve_load(bool upgrade);
    void serve_unload();
    void serve_callback(void (*Instance::*callback)(void*));
    void continue_chain();
    void run_step(Word result);
    Instance* instance_of_call();
    void begin(ErlNifEnv* env, Instance* instance);
    const Word* arguments(ErlNifEnv* env) const;
    void renew(ErlNifEnv*& env, EnvKind kind);
    void respond(ResponseStatus status, Word term);
    void clean_up();

    const std::uint32_t slot_;
    const ipc::RequestHalf& request_;
    ipc::ResponseHalf& response_;
    RequestWait wait_;
    ErlNifEnv* env_;      // of calls
    ErlNifEnv* load_env_; // of load, upgrade, unload
    std::uint32_t seq_ = 0;
    Scheduled scheduled_{};
    struct {
        Instance* instance = nullptr;
        std::uint32_t destroyed = 0; // instances_destroyed() when it was found
    } last_;                         // of the last call: mostly that of the next one too
    bool dirty_ = false;             // the environments hold something since the last clean-up
};

thread_local Worker* this_worker = nullptr;

Word result_code(int code) {
    return term::make_small(code);
}

std::uint32_t options_of(const Instance& instance) {
    using Answer = ipc::LoadAnswer;
    return (instance.delays_halt ? Answer::kDelayHalt : 0) |
           (instance.on_halt != nullptr ? Answer::kOnHalt : 0) |
           (instance.on_unload_thread != nullptr ? Answer::kOnUnloadThread : 0);
}

void Worker::run() {
    this_worker = this;
    for (;;) {
        seq_ = wait_.next(seq_);
        if (dirty_)
            clean_up(); // a Call that follows implies Done
        switch (ipc::kind_of(seq_)) {
        case RequestKind::Call:
            serve_call();
            break;
        case RequestKind::Load:
            serve_load(false);
            break;
        case RequestKind::Upgrade:
            serve_load(true);
            break;
        case RequestKind::Unload:
            serve_unload();
            break;
        case RequestKind::OnHalt:
            serve_callback(&Instance::on_halt);
            break;
        case RequestKind::UnloadThread:
            serve_callback(&Instance::on_unload_thread);
            break;
        case RequestKind::Continue:
            continue_chain();
            break;
        case RequestKind::Abandon:
            clean_up();
            break;
        case RequestKind::None:
        case RequestKind::Answer:
        case RequestKind::Done:
            break;
        }
    }
}

void Worker::begin(ErlNifEnv* env, Instance* instance) {
    await_chunks(request_.chunks);
    await_callbacks(request_.event_mark, kCallbackWait);
    env_set_call(env, instance, request_.caller, request_.thread_type);
}

const Word* Worker::arguments(ErlNifEnv* env) const {
    const Word* words = request_.argc <= ipc::kInlineArguments
                            ? request_.args.data()
                            : reinterpret_cast<const Word*>(request_.args_address);
    if (!lifetimes_checked())
        return words;
    // The BEAM segment is used again by the next call: to find a late use, all is in `env`.
    Word* copies = env_words(env, request_.argc + 1U);
    for (std::uint32_t i = 0; i < request_.argc; ++i)
        copies[i] = copy_keeping_sharing(env, words[i]);
    return copies;
}

// Without the lock of find_instance.
Instance* Worker::instance_of_call() {
    const std::uint32_t destroyed = instances_destroyed();
    if (last_.instance == nullptr || last_.destroyed != destroyed ||
        last_.instance->id != request_.instance)
        last_ = {find_instance(request_.instance), destroyed};
    return last_.instance;
}

void Worker::serve_call() {
    Instance* instance = instance_of_call();
    if (instance == nullptr || request_.function >= instance->functions.size())
        end_host(ipc::EndKind::Exit, 1); // the BEAM side never asks for that
    begin(env_, instance);
    run_step(instance->functions[request_.function].fptr(env_, static_cast<int>(request_.argc),
                                                         arguments(env_)));
}

void Worker::continue_chain() {
    env_set_call(env_, instance_of_call(), request_.caller, request_.thread_type);
    run_step(scheduled_.function(env_, scheduled_.argc, scheduled_.argv));
}

// Looks at what a function of the library has returned; runs the next steps of its chain here as
// long as nobody has to be told.
void Worker::run_step(Word result) {
    while (env_take_scheduled(env_, &scheduled_)) {
        // A dirty step's successor runs on a normal scheduler again: the BEAM has to move.
        const bool stays = scheduled_.flags == 0 && !env_timeslice_used(env_) &&
                           request_.thread_type == ERL_NIF_THR_NORMAL_SCHEDULER;
        if (!stays) {
            respond(ResponseStatus::Reschedule, term::make_small(scheduled_.flags));
            dirty_ = false; // the environment lives on until the chain's next step
            return;
        }
        result = scheduled_.function(env_, scheduled_.argc, scheduled_.argv);
    }
    if (const Word reason = env_exception(env_); reason != 0)
        respond(ResponseStatus::Raise, reason);
    else
        respond(ResponseStatus::Ok, result);
}

void Worker::serve_load(bool upgrade) {
    Instance* instance = create_instance(request_.instance, request_.function);
    if (instance == nullptr)
        end_host(ipc::EndKind::Exit, 1);
    begin(load_env_, instance);
    const Word info = arguments(load_env_)[0];
    const ErlNifEntry& entry = *instance->entry;
    int code = 0;
    instance->loading = true;
    if (upgrade) {
        Instance* old = find_instance(request_.old_instance);
        void* old_private_data = old != nullptr ? old->priv_data : nullptr;
        if (entry.upgrade != nullptr)
            code = entry.upgrade(load_env_, &instance->priv_data, &old_private_data, info);
        if (old != nullptr && code == 0) // a failed upgrade leaves the old instance what it has
            old->priv_data = old_private_data;
    } else if (entry.load != nullptr) {
        types_unlink_module(instance); // an instance that was purged may live on in resources
        code = entry.load(load_env_, &instance->priv_data, info);
    }
    instance->loading = false;
    const std::uint32_t options = options_of(*instance);
    if (code == 0) {
        types_commit(load_env_);
    } else {
        types_rollback(load_env_);
        destroy_instance(instance);
    }
    respond(ResponseStatus::Ok, term::make_small(ipc::LoadAnswer{code, options}.to_small()));
    clean_up();
}

// Of enif_set_option. They get no environment, only the private data.
void Worker::serve_callback(void (*Instance::*callback)(void*)) {
    if (Instance* instance = find_instance(request_.instance);
        instance != nullptr && instance->*callback != nullptr) {
        begin(load_env_, instance);
        (instance->*callback)(instance->priv_data);
    }
    respond(ResponseStatus::Ok, result_code(0));
}

void Worker::serve_unload() {
    Instance* instance = find_instance(request_.instance);
    if (instance != nullptr) {
        // The VM unloads when the last resource is destroyed, so all destructors come first.
        await_callbacks(request_.event_mark, kUnloadWait);
        if (types_hold(instance) || !callback_thread_told(*instance)) {
            respond(ResponseStatus::Ok, result_code(ipc::kStillInUse));
            return;
        }
        begin(load_env_, instance);
        if (instance->entry->unload != nullptr)
            instance->entry->unload(load_env_, instance->priv_data);
        types_forget_instance(instance);
        destroy_instance(instance);
    }
    respond(ResponseStatus::Ok, result_code(0));
    clean_up();
}

void Worker::respond(ResponseStatus status, Word term) {
    const bool keeps = !term::is_immediate(term) && status != ResponseStatus::Reschedule;
    response_.status = status;
    response_.term = term;
    response_.needs_done = keeps ? 1 : 0;
    const bool has_ended = !keeps && status != ResponseStatus::Reschedule;
    if (has_ended && lifetimes_checked())
        clean_up(); // before another worker may serve a call that uses what ends here
    // Partner: the BEAM's acquire load while it waits for the call.
    response_.seq.store(seq_, std::memory_order_release);
    ipc::wake_if_waiting(response_.seq, request_.waiting);
    dirty_ = true;
    if (has_ended)
        clean_up();
}

// The VM has imported the result (or will never): what it took of our resources is in the event
// ring by now, so the environment's references may go.
void Worker::clean_up() {
    if (lifetimes_checked() || !env_is_clean(env_) || !env_is_clean(load_env_)) {
        consume_events();
        renew(env_, EnvKind::Call);
        renew(load_env_, EnvKind::Load);
    }
    dirty_ = false;
}

// When lifetimes are checked, not even the pointer to the environment stays valid.
void Worker::renew(ErlNifEnv*& env, EnvKind kind) {
    if (lifetimes_checked()) {
        env_destroy(env, Ending::Return);
        env = env_create(kind, nullptr);
    } else {
        env_reset(env, Ending::Return);
    }
}

void Worker::exchange() {
    response_.seq.store(seq_, std::memory_order_release);
    ipc::wake_if_waiting(response_.seq, request_.waiting);
    seq_ = wait_.next(seq_);
    await_chunks(request_.chunks);
}

void Worker::answer_unsupported(const char* function) {
    const UpcallText text(function);
    response_.term = upcall(ipc::Upcall::MakeAtom, {text.address(), text.bytes()});
    response_.status = ResponseStatus::Unsupported;
    response_.needs_done = 0;
    exchange(); // the BEAM takes the answer, then kills this host; nothing comes back
    end_host(ipc::EndKind::Unsupported, 0);
}

void* run_worker(void* slot) {
    install_alternate_stack();
    Worker(static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(slot))).run();
}

std::array<bool, ipc::kCallSlots> started{}; // control thread only

} // namespace

void start_worker(std::uint32_t slot) {
    if (slot >= ipc::kCallSlots || started[slot])
        return;
    started[slot] = true;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, context().stack_bytes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_t thread;
    const int error = pthread_create(&thread, &attributes, run_worker,
                                     reinterpret_cast<void*>(std::uintptr_t{slot}));
    pthread_attr_destroy(&attributes);
    if (error != 0) {
        std::fprintf(stderr, "nif_host: cannot create a thread for a call (error %d)\n", error);
        end_host(ipc::EndKind::Exit, 1);
    }
}

void exchange_on_current_slot() {
    this_worker->exchange();
}

int current_slot() {
    return this_worker == nullptr ? -1 : static_cast<int>(this_worker->slot());
}

void end_unsupported(const char* function) {
    std::fprintf(stderr, "cordon: the library called %s, which isolated libraries can't use\n",
                 function);
    if (this_worker != nullptr)
        this_worker->answer_unsupported(function);
    end_host(ipc::EndKind::Unsupported, 0);
}

} // namespace cordon::host
