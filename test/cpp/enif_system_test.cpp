// What asks the VM, threads, locks, time, I/O queues, and the table of all functions.
#include "host_fixture.hpp"
#include "nif_host/enif/thread_kind.hpp"

#include <cerrno>
#include <dlfcn.h>

namespace cordon::test {

class EnifSystem : public HostTest {};

TEST_F(EnifSystem, EveryFunctionOfTheTableIsExported) {
    int count = 0;
#define ENIF(name, since, kind)                                                                    \
    ++count;                                                                                       \
    EXPECT_NE(dlsym(RTLD_DEFAULT, #name), nullptr) << #name;
#include "nif_host/enif/api_table.def"
#undef ENIF
    EXPECT_EQ(count, 180);
    for (const char* name : {"erl_drv_mutex_lock", "erl_drv_thread_create", "driver_alloc",
                             "driver_free", "erl_errno_id"})
        EXPECT_NE(dlsym(RTLD_DEFAULT, name), nullptr) << name;
}

TEST_F(EnifSystem, SelfAndPids) {
    ErlNifPid pid;
    ASSERT_NE(enif_self(env, &pid), nullptr);
    EXPECT_EQ(pid.pid, kAlivePid);
    ErlNifEnv* independent = enif_alloc_env();
    EXPECT_EQ(enif_self(independent, &pid), nullptr);
    enif_free_env(independent);
    EXPECT_EQ(enif_get_local_pid(env, kAlivePid, &pid), 1);
    EXPECT_EQ(enif_get_local_pid(env, atom("a"), &pid), 0);
    EXPECT_EQ(enif_is_process_alive(env, &pid), 1);
    pid.pid = kDeadPid;
    EXPECT_EQ(enif_is_process_alive(env, &pid), 0);
    enif_set_pid_undefined(&pid);
    EXPECT_TRUE(enif_is_pid_undefined(&pid));
    EXPECT_EQ(pid.pid, atom("undefined"));
    EXPECT_EQ(enif_whereis_pid(env, atom("registered"), &pid), 1);
    EXPECT_EQ(pid.pid, kAlivePid);
    EXPECT_EQ(enif_whereis_pid(env, atom("nobody"), &pid), 0);
    EXPECT_EQ(enif_whereis_pid(env, integer(1), &pid), 0);
}

TEST_F(EnifSystem, Send) {
    ErlNifEnv* message_env = enif_alloc_env();
    ErlNifPid pid{kAlivePid};
    Word message = enif_make_tuple2(message_env, atom("m"), enif_make_int(message_env, 1));
    EXPECT_EQ(enif_send(env, &pid, message_env, message), 1);
    EXPECT_TRUE(host::env_is_clean(message_env)) << "cleared on success";
    pid.pid = kDeadPid;
    message = enif_make_tuple1(message_env, atom("kept"));
    EXPECT_EQ(enif_send(env, &pid, message_env, message), 0);
    EXPECT_FALSE(host::env_is_clean(message_env));
    pid.pid = kAlivePid;
    EXPECT_EQ(enif_send(env, &pid, nullptr, tuple({atom("copied")})), 1);
    EXPECT_EQ(enif_send(nullptr, &pid, message_env, message), 1);
    const auto messages = beam.take_messages();
    ASSERT_EQ(messages.size(), 3U);
    EXPECT_EQ(text(messages[0].message), "{m,1}");
    EXPECT_EQ(text(messages[1].message), "{copied}");
    EXPECT_EQ(text(messages[2].message), "{kept}");
    enif_free_env(message_env);
}

TEST_F(EnifSystem, FromManyThreadsAtOnce) {
    std::vector<std::thread> threads;
    for (int t = 0; t < 40; ++t) // more than there are channels
        threads.emplace_back([t] {
            ErlNifEnv* own = enif_alloc_env();
            for (int i = 0; i < 20; ++i) {
                enif_make_atom(own, ("thread_" + std::to_string(t) + std::to_string(i)).c_str());
                EXPECT_TRUE(enif_is_ref(own, enif_make_ref(own)));
            }
            EXPECT_EQ(enif_thread_type(), ERL_NIF_THR_UNDEFINED);
            enif_free_env(own);
        });
    for (std::thread& thread : threads)
        thread.join();
}

TEST_F(EnifSystem, ExternalFormat) {
    ErlNifBinary bin;
    ASSERT_EQ(enif_term_to_binary(env, term::kNil, &bin), 1);
    EXPECT_EQ(std::string(reinterpret_cast<char*>(bin.data), bin.size), "\x83j");
    Word word = 0;
    EXPECT_EQ(enif_binary_to_term(env, bin.data, bin.size, &word, 0), 2U);
    EXPECT_EQ(word, term::kNil);
    EXPECT_EQ(enif_binary_to_term(env, bin.data, bin.size, &word, 1), 0U) << "unknown option";
    EXPECT_EQ(enif_binary_to_term(env, bin.data, 1, &word, 0), 0U);
    enif_release_binary(&bin);
}

TEST_F(EnifSystem, Environment) {
    char value[16];
    std::size_t size = sizeof value;
    EXPECT_EQ(enif_getenv("HOME", value, &size), 0);
    EXPECT_STREQ(value, "/root");
    EXPECT_EQ(size, 5U);
    size = 5;
    EXPECT_EQ(enif_getenv("HOME", value, &size), 1);
    EXPECT_EQ(size, 6U);
    EXPECT_EQ(enif_getenv("NOTHING", value, &size), -1);
}

TEST_F(EnifSystem, SystemInfo) {
    ErlNifSysInfo vm{};
    vm.scheduler_threads = 7;
    vm.otp_release = reinterpret_cast<char*>(1); // of another process
    std::vector<char>& known = host::context().system_info;
    known.resize(sizeof vm);
    std::memcpy(known.data(), &vm, sizeof vm);
    for (const char c : std::string_view("13.1\0"
                                         "25",
                                         8))
        known.push_back(c);
    ErlNifSysInfo info{};
    enif_system_info(&info, sizeof info);
    EXPECT_EQ(info.scheduler_threads, 7);
    EXPECT_STREQ(info.erts_version, "13.1");
    EXPECT_STREQ(info.otp_release, "25");
    ErlNifSysInfo part{};
    enif_system_info(&part, offsetof(ErlNifSysInfo, scheduler_threads));
    EXPECT_EQ(part.scheduler_threads, 0) << "not beyond the size that was given";
    known.resize(sizeof vm);
    enif_system_info(&info, sizeof info);
    EXPECT_STREQ(info.otp_release, "");
}

TEST_F(EnifSystem, Time) {
    EXPECT_EQ(enif_convert_time_unit(-1, ERL_NIF_MSEC, ERL_NIF_SEC), -1);
    EXPECT_EQ(enif_convert_time_unit(1999, ERL_NIF_MSEC, ERL_NIF_SEC), 1);
    EXPECT_EQ(enif_convert_time_unit(-2000, ERL_NIF_MSEC, ERL_NIF_SEC), -2);
    EXPECT_EQ(enif_convert_time_unit(3, ERL_NIF_SEC, ERL_NIF_NSEC), 3'000'000'000);
    cordon::host::current_thread_type = ERL_NIF_THR_NORMAL_SCHEDULER;
    EXPECT_EQ(enif_monotonic_time(ERL_NIF_NSEC), 1003);
    cordon::host::current_thread_type = ERL_NIF_THR_UNDEFINED;
    EXPECT_EQ(enif_monotonic_time(ERL_NIF_NSEC), ERL_NIF_TIME_ERROR) << "only schedulers are told";
    cordon::host::current_thread_type = ERL_NIF_THR_NORMAL_SCHEDULER;
    int wrong = 99;
    ErlNifTimeUnit unit;
    std::memcpy(&unit, &wrong, sizeof unit);
    EXPECT_EQ(enif_monotonic_time(unit), ERL_NIF_TIME_ERROR);
    EXPECT_EQ(enif_convert_time_unit(1, unit, ERL_NIF_SEC), ERL_NIF_TIME_ERROR);
    EXPECT_TRUE(enif_is_tuple(env, enif_cpu_time(env)));
    cordon::host::current_thread_type = ERL_NIF_THR_UNDEFINED;
}

TEST_F(EnifSystem, ThreadsAndLocks) {
    struct Shared {
        ErlNifMutex* mutex;
        ErlNifCond* condition;
        int value = 0;
        ErlNifTid seen = nullptr;
    } shared;
    shared.mutex = enif_mutex_create(const_cast<char*>("a mutex"));
    shared.condition = enif_cond_create(nullptr);
    EXPECT_STREQ(enif_mutex_name(shared.mutex), "a mutex");
    EXPECT_STREQ(enif_cond_name(shared.condition), "unknown"); // as in the VM
    enif_mutex_lock(shared.mutex);
    ErlNifTid tid;
    ASSERT_EQ(enif_thread_create(
                  const_cast<char*>("worker"), &tid,
                  [](void* raw) -> void* {
                      auto* s = static_cast<Shared*>(raw);
                      enif_mutex_lock(s->mutex);
                      s->value = 1;
                      s->seen = enif_thread_self();
                      enif_cond_signal(s->condition);
                      enif_mutex_unlock(s->mutex);
                      enif_thread_exit(&s->value);
                      return nullptr;
                  },
                  &shared, nullptr),
              0);
    EXPECT_EQ(enif_mutex_trylock(shared.mutex), EBUSY);
    while (shared.value == 0)
        enif_cond_wait(shared.condition, shared.mutex);
    enif_mutex_unlock(shared.mutex);
    EXPECT_TRUE(enif_equal_tids(tid, shared.seen));
    EXPECT_FALSE(enif_equal_tids(tid, enif_thread_self()));
    EXPECT_STREQ(enif_thread_name(tid), "worker");
    void* result = nullptr;
    EXPECT_EQ(enif_thread_join(tid, &result), 0);
    EXPECT_EQ(result, &shared.value);
    EXPECT_EQ(enif_thread_self(), enif_thread_self());
    enif_cond_destroy(shared.condition);
    enif_mutex_destroy(shared.mutex);

    ErlNifRWLock* lock = enif_rwlock_create(const_cast<char*>("rw"));
    enif_rwlock_rlock(lock);
    EXPECT_EQ(enif_rwlock_tryrlock(lock), 0);
    EXPECT_EQ(enif_rwlock_tryrwlock(lock), EBUSY);
    enif_rwlock_runlock(lock);
    enif_rwlock_runlock(lock);
    enif_rwlock_rwlock(lock);
    EXPECT_EQ(enif_rwlock_tryrlock(lock), EBUSY);
    enif_rwlock_rwunlock(lock);
    enif_rwlock_destroy(lock);

    ErlNifTSDKey key;
    ASSERT_EQ(enif_tsd_key_create(const_cast<char*>("k"), &key), 0);
    EXPECT_EQ(enif_tsd_get(key), nullptr);
    enif_tsd_set(key, &key);
    EXPECT_EQ(enif_tsd_get(key), &key);
    std::thread([key] { EXPECT_EQ(enif_tsd_get(key), nullptr); }).join();
    enif_tsd_key_destroy(key);
}

TEST_F(EnifSystem, IoQueue) {
    ErlNifIOQueue* queue = enif_ioq_create(ERL_NIF_IOQ_NORMAL);
    ErlNifBinary bin;
    enif_alloc_binary(5, &bin);
    EXPECT_EQ(enif_ioq_enq_binary(queue, &bin, 6), 0); // and it is released
    enif_alloc_binary(5, &bin);
    std::memcpy(bin.data, "hello", 5);
    EXPECT_EQ(enif_ioq_enq_binary(queue, &bin, 1), 1);
    ErlNifIOVec vec;
    ErlNifIOVec* vector = &vec;
    Word tail = 0;
    const Word binaries = list({binary("ab"), beam.binary("cdef"), binary(std::string(600, 'x'))});
    ASSERT_EQ(enif_inspect_iovec(env, 2, binaries, &tail, &vector), 1);
    EXPECT_EQ(vector->iovcnt, 2);
    EXPECT_EQ(vector->size, 6U);
    EXPECT_FALSE(enif_is_empty_list(env, tail));
    EXPECT_EQ(enif_ioq_enqv(queue, vector, 3), 1);
    vector = nullptr;
    ASSERT_EQ(enif_inspect_iovec(nullptr, 10, tail, &tail, &vector), 1);
    EXPECT_EQ(tail, term::kNil);
    EXPECT_EQ(enif_ioq_enqv(queue, vector, 0), 1);
    enif_free_iovec(vector);
    host::env_reset(env, ipc::Ending::Return); // the queue keeps its bytes
    EXPECT_EQ(enif_ioq_size(queue), 4U + 3U + 600U);
    int count = 0;
    SysIOVec* entries = enif_ioq_peek(queue, &count);
    ASSERT_EQ(count, 3);
    EXPECT_EQ(std::string(static_cast<char*>(entries[0].iov_base), entries[0].iov_len), "ello");
    EXPECT_EQ(std::string(static_cast<char*>(entries[1].iov_base), entries[1].iov_len), "def");
    std::size_t left = 0;
    EXPECT_EQ(enif_ioq_deq(queue, 5, &left), 1);
    EXPECT_EQ(left, 602U);
    EXPECT_EQ(enif_ioq_deq(queue, 1000, nullptr), 0);
    Word head;
    std::size_t size = 0;
    EXPECT_EQ(enif_ioq_peek_head(env, queue, &size, &head), 1);
    EXPECT_EQ(text(head), "<<\"ef\">>");
    enif_ioq_destroy(queue);
    EXPECT_EQ(text(head), "<<\"ef\">>");
    vector = nullptr;
    EXPECT_EQ(enif_inspect_iovec(env, 10, list({atom("a")}), &tail, &vector), 0);
    const Word bits =
        beam.external(term::ExternalType::Bitstring, std::string("M\0\0\0\3\3xy\xA0", 9));
    EXPECT_EQ(enif_inspect_iovec(env, 10, list({bits}), &tail, &vector), 0);
    const Word few_bits =
        beam.external(term::ExternalType::Bitstring, std::string("M\0\0\0\1\3\xA0", 7));
    ASSERT_EQ(enif_inspect_iovec(env, 10, list({few_bits}), &tail, &vector), 1);
    EXPECT_EQ(vector->iovcnt, 0) << "no whole byte";
}

TEST_F(EnifSystem, Misc) {
    void* memory = enif_alloc(10);
    memory = enif_realloc(memory, 100);
    enif_free(memory);
    ErlNifMonitor a{};
    ErlNifMonitor b{};
    EXPECT_EQ(enif_compare_monitors(&a, &b), 0);
    b.data[3] = 1;
    EXPECT_NE(enif_compare_monitors(&a, &b), 0);
    const auto errno_id = reinterpret_cast<char* (*)(int)>(dlsym(RTLD_DEFAULT, "erl_errno_id"));
    EXPECT_STREQ(errno_id(ENOENT), "enoent");
    EXPECT_STREQ(errno_id(EAGAIN), "eagain");
    EXPECT_STREQ(errno_id(99999), "unknown");
    std::string error;
    EXPECT_EQ(enif_dlopen(
                  "/no/such/library",
                  [](void* to, const char* message) { *static_cast<std::string*>(to) = message; },
                  &error),
              nullptr);
    EXPECT_NE(error.find("/no/such/library.so"), std::string::npos);
}

} // namespace cordon::test
