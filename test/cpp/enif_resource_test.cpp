#include "host_fixture.hpp"
#include "nif_host/callback_thread.hpp"
#include "nif_host/event_reader.hpp"

#include <chrono>
#include <thread>
#include <vector>

namespace cordon::test {
namespace {

std::atomic<int> destroyed{0};
std::atomic<void*> private_data_seen{nullptr};

void count_destroyed(ErlNifEnv* env, void* data) {
    private_data_seen = enif_priv_data(env);
    destroyed += *static_cast<int*>(data);
}

} // namespace

class EnifResource : public HostTest {
  protected:
    EnifResource() {
        static const bool started = [] {
            host::start_callback_thread();
            host::start_event_reader();
            return true;
        }();
        static_cast<void>(started);
        destroyed = 0;
        load_env = host::env_create(host::EnvKind::Load, &instance);
    }
    ~EnifResource() override {
        host::types_forget_instance(&instance);
        host::env_destroy(load_env, ipc::Ending::Return);
    }
    ErlNifResourceType* open(const char* name = "counted",
                             ErlNifResourceFlags flags = ERL_NIF_RT_CREATE) {
        return enif_open_resource_type(load_env, nullptr, name, count_destroyed, flags, nullptr);
    }
    void* make(ErlNifResourceType* type) {
        void* data = enif_alloc_resource(type, sizeof(int));
        *static_cast<int*>(data) = 1;
        return data;
    }
    // Of what lies before the memory that the compiler knows of.
    [[gnu::noinline]] static std::atomic<bool>& anchored(std::uint64_t handle) {
        return host::Resource::of_handle(handle)->anchored;
    }
    bool destroyed_within_a_second(int count) {
        for (int i = 0; i < 1000 && destroyed != count; ++i)
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        return destroyed == count;
    }
    ErlNifEnv* load_env;
};

TEST_F(EnifResource, TypeActsOnceLoadHasSucceeded) {
    ErlNifResourceFlags tried;
    EXPECT_EQ(
        enif_open_resource_type(load_env, nullptr, "counted", nullptr, ERL_NIF_RT_TAKEOVER, &tried),
        nullptr);
    ErlNifResourceType* type = open();
    ASSERT_NE(type, nullptr);
    host::types_rollback(load_env);
    type = open();
    ASSERT_NE(type, nullptr) << "what was rolled back was never there";
    host::types_commit(load_env);
    EXPECT_EQ(open(), nullptr) << "it exists already";
    EXPECT_EQ(enif_open_resource_type(
                  load_env, nullptr, "counted", count_destroyed,
                  static_cast<ErlNifResourceFlags>(ERL_NIF_RT_CREATE | ERL_NIF_RT_TAKEOVER),
                  &tried),
              type);
    EXPECT_EQ(tried, ERL_NIF_RT_TAKEOVER);
    host::types_commit(load_env);
    EXPECT_EQ(enif_open_resource_type(env, nullptr, "other", nullptr, ERL_NIF_RT_CREATE, nullptr),
              nullptr)
        << "only in load and upgrade";
}

TEST_F(EnifResource, LastReleaseDestroysOnce) {
    ErlNifResourceType* type = open();
    host::types_commit(load_env);
    int private_data;
    instance.priv_data = &private_data;
    void* data = make(type);
    EXPECT_EQ(enif_sizeof_resource(data), sizeof(int));
    enif_keep_resource(data);
    enif_release_resource(data);
    const Word word = enif_make_resource(env, data);
    EXPECT_TRUE(enif_is_ref(env, word));
    enif_release_resource(data);
    void* got = nullptr;
    ASSERT_EQ(enif_get_resource(env, word, type, &got), 1);
    EXPECT_EQ(got, data);
    EXPECT_EQ(destroyed, 0);
    host::env_reset(env, ipc::Ending::Return);
    EXPECT_TRUE(destroyed_within_a_second(1));
    EXPECT_EQ(private_data_seen, &private_data);
}

// None of them waits for the thread of the destructors.
TEST_F(EnifResource, ManyThreadsLetGoAtTheSameTime) {
    constexpr int kThreads = 40;
    constexpr int kEach = 200;
    ErlNifResourceType* type = open();
    host::types_commit(load_env);
    std::atomic<int> finished{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i)
        threads.emplace_back([&] {
            for (int n = 0; n < kEach; ++n)
                enif_release_resource(make(type));
            ++finished;
        });
    for (int i = 0; i < 8'000 && finished != kThreads; ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    ASSERT_EQ(finished, kThreads);
    for (std::thread& thread : threads)
        thread.join();
    EXPECT_TRUE(destroyed_within_a_second(kThreads * kEach));
}

TEST_F(EnifResource, TheVmsProxyKeepsIt) {
    ErlNifResourceType* type = open();
    host::types_commit(load_env);
    void* data = make(type);
    const std::uint64_t handle = host::Resource::of(data)->handle();
    enif_make_resource(env, data);
    beam.event(ipc::EventKind::Acquire, handle); // still in the ring when ours are dropped
    enif_release_resource(data);
    host::env_reset(env, ipc::Ending::Return);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    EXPECT_EQ(destroyed, 0);
    beam.event(ipc::EventKind::Release, handle);
    host::consume_events();
    EXPECT_TRUE(destroyed_within_a_second(1));
}

// What monitors outlives its terms: its proxy is kept until the library lets go.
TEST_F(EnifResource, TheAnchorGoesWithTheLastReferenceOfOthers) {
    ErlNifResourceType* type = open();
    host::types_commit(load_env);
    void* data = make(type);
    const std::uint64_t handle = host::Resource::of(data)->handle();
    beam.event(ipc::EventKind::Acquire, handle);
    host::consume_events();
    anchored(handle) = true;
    enif_keep_resource(data);
    enif_release_resource(data);
    EXPECT_TRUE(anchored(handle));
    enif_release_resource(data);
    EXPECT_TRUE(destroyed_within_a_second(1));
}

TEST_F(EnifResource, TheAnchorGoesThoughTheLastTwoLetGoAtTheSameTime) {
    ErlNifResourceType* type = open();
    host::types_commit(load_env);
    for (int round = 1; round <= 300; ++round) {
        void* data = make(type);
        const std::uint64_t handle = host::Resource::of(data)->handle();
        // Two proxies, of the resource and of a binary over its memory.
        beam.event(ipc::EventKind::Acquire, handle);
        beam.event(ipc::EventKind::Acquire, handle);
        host::consume_events();
        anchored(handle) = true;
        std::atomic<int> ready{0};
        const auto together = [&ready] {
            for (++ready; ready != 2;)
                ;
        };
        std::thread library([&] {
            together();
            enif_release_resource(data);
        });
        together();
        host::resource_release(handle); // the binary is collected
        library.join();
        ASSERT_TRUE(destroyed_within_a_second(round));
    }
}

TEST_F(EnifResource, CopiesHoldIt) {
    ErlNifResourceType* type = open();
    host::types_commit(load_env);
    void* data = make(type);
    ErlNifEnv* other = enif_alloc_env();
    const Word copy = enif_make_copy(other, tuple({enif_make_resource(env, data)}));
    enif_release_resource(data);
    host::env_reset(env, ipc::Ending::Return);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    EXPECT_EQ(destroyed, 0);
    int arity;
    const Word* elements;
    enif_get_tuple(other, copy, &arity, &elements);
    EXPECT_EQ(enif_get_resource(other, elements[0], type, &data), 1);
    enif_clear_env(other);
    EXPECT_TRUE(destroyed_within_a_second(1));
    enif_free_env(other);
}

TEST_F(EnifResource, NamesAreFreeAgainWhenTheModuleWasPurged) {
    ErlNifResourceType* type = open();
    host::types_commit(load_env);
    void* data = make(type);
    host::Instance second;
    second.entry = instance.entry; // of the same module
    host::types_unlink_module(&second);
    load_env->instance = &second;
    ErlNifResourceType* again = open();
    ASSERT_NE(again, nullptr);
    EXPECT_NE(again, type);
    host::types_commit(load_env);
    const Word word = enif_make_resource(env, data);
    void* got;
    EXPECT_EQ(enif_get_resource(env, word, again, &got), 0);
    enif_release_resource(data);
    host::env_reset(env, ipc::Ending::Return);
    EXPECT_TRUE(destroyed_within_a_second(1)) << "by the old type's destructor";
    host::types_forget_instance(&second);
}

TEST_F(EnifResource, Binary) {
    ErlNifResourceType* type = open();
    host::types_commit(load_env);
    void* data = make(type);
    const Word word = enif_make_resource_binary(env, data, "bytes", 5);
    enif_release_resource(data);
    EXPECT_EQ(text(word), "<<\"bytes\">>");
}

TEST_F(EnifResource, OtherTypesAndOtherTermsAreNone) {
    ErlNifResourceType* type = open();
    ErlNifResourceType* other = open("other");
    host::types_commit(load_env);
    ASSERT_NE(type, other);
    void* data = make(type);
    const Word word = enif_make_resource(env, data);
    void* got;
    EXPECT_EQ(enif_get_resource(env, word, other, &got), 0);
    EXPECT_EQ(enif_get_resource(env, atom("a"), type, &got), 0);
    EXPECT_EQ(enif_get_resource(env, enif_make_ref(env), type, &got), 0);
    Word* none = beam.words(2);
    none[0] = term::make_header(term::Kind::Resource, 1);
    none[1] = 0;
    EXPECT_EQ(enif_get_resource(env, reinterpret_cast<Word>(none), type, &got), 0);
    EXPECT_TRUE(enif_is_identical(word, enif_make_resource(env, data)));
    enif_release_resource(data);
}

TEST_F(EnifResource, DynamicCall) {
    ErlNifResourceTypeInit init{};
    init.members = 4;
    init.dyncall = [](ErlNifEnv*, void* data, void* argument) {
        *static_cast<int*>(argument) = *static_cast<int*>(data);
    };
    ErlNifResourceType* type =
        enif_init_resource_type(load_env, "dynamic", &init, ERL_NIF_RT_CREATE, nullptr);
    host::types_commit(load_env);
    void* data = make(type);
    const Word word = enif_make_resource(env, data);
    int result = 0;
    EXPECT_EQ(enif_dynamic_resource_call(env, atom("test_module"), atom("dynamic"), word, &result),
              0);
    EXPECT_EQ(result, 1);
    EXPECT_NE(enif_dynamic_resource_call(env, atom("test_module"), atom("nope"), word, &result), 0);
    enif_release_resource(data);
}

} // namespace cordon::test
