// Environments over time, and chains of enif_schedule_nif.
#include "host_fixture.hpp"

namespace cordon::test {

class EnifChain : public HostTest {
  protected:
    // As a worker does it.
    long run(Word first, Word second) {
        const Word arguments[2] = {first, second};
        enif_schedule_nif(env, "step", 0, &EnifChain::step, 2, arguments);
        host::Scheduled next;
        Word result = 0;
        while (host::env_take_scheduled(env, &next))
            result = next.function(env, next.argc, next.argv);
        long value = -1;
        enif_get_long(env, result, &value);
        return value;
    }

    // Counts down; carries a term along, and makes garbage.
    static ERL_NIF_TERM step(ErlNifEnv* env, int argc, const ERL_NIF_TERM argv[]) {
        long left;
        enif_get_long(env, argv[0], &left);
        if (left == 0)
            return enif_make_long(env, size_of_carried(env, argv[1]));
        Word garbage;
        std::memset(enif_make_new_binary(env, 100, &garbage), 1, 100);
        enif_make_new_binary(env, 1000, &garbage);
        const Word next[2] = {enif_make_long(env, left - 1), argv[1]};
        return enif_schedule_nif(env, "step", 0, step, argc, next);
    }

    static long size_of_carried(ErlNifEnv* env, Word carried) {
        ErlNifBinary bin;
        return enif_inspect_iolist_as_binary(env, carried, &bin) == 0 ? -2
                                                                      : static_cast<long>(bin.size);
    }
};

TEST_F(EnifChain, AMillionStepsInBoundedMemory) {
    const Word base = binary("0123456789");
    const Word carried = list({binary(std::string(10'000, 'c')), base,
                               enif_make_sub_binary(env, base, 5, 5), beam.binary("beam")});
    const std::uint64_t before = host::context().heap->free_bytes();
    EXPECT_EQ(run(integer(1'000'000), carried), 10'000 + 10 + 5 + 4);
    EXPECT_LT(before - host::context().heap->free_bytes(), 16U << 20);
    host::env_reset(env, ipc::Ending::Return);
}

TEST_F(EnifChain, GrowingResultIsLinear) {
    // Each step adds a cell in front of what it was given.
    static const auto grow = [](ErlNifEnv* e, int, const ERL_NIF_TERM argv[]) -> ERL_NIF_TERM {
        static ERL_NIF_TERM (*self)(ErlNifEnv*, int, const ERL_NIF_TERM[]);
        long left;
        enif_get_long(e, argv[0], &left);
        if (left == 0)
            return argv[1];
        self = reinterpret_cast<ERL_NIF_TERM (*)(ErlNifEnv*, int, const ERL_NIF_TERM[])>(argv[2] &
                                                                                         ~Word{15});
        const Word next[3] = {enif_make_long(e, left - 1), enif_make_list_cell(e, argv[0], argv[1]),
                              argv[2]};
        return enif_schedule_nif(e, "grow", 0, self, 3, next);
    };
    struct Step {
        alignas(16) static ERL_NIF_TERM run(ErlNifEnv* e, int c, const ERL_NIF_TERM* v) {
            return grow(e, c, v);
        }
    };
    const Word arguments[3] = {integer(500'000), term::kNil,
                               reinterpret_cast<Word>(&Step::run) | term::kSmallTag};
    enif_schedule_nif(env, "grow", 0, &Step::run, 3, arguments);
    host::Scheduled next;
    Word result = 0;
    while (host::env_take_scheduled(env, &next))
        result = next.function(env, next.argc, next.argv);
    unsigned length = 0;
    EXPECT_EQ(enif_get_list_length(env, result, &length), 1);
    EXPECT_EQ(length, 500'000U);
}

TEST_F(EnifChain, SharingSurvivesCompaction) {
    Word shared = atom("leaf");
    for (int i = 0; i < 60; ++i)
        shared = i % 2 == 0 ? tuple({shared, shared}) : list({shared, shared});
    static Word seen;
    const auto last = [](ErlNifEnv*, int, const ERL_NIF_TERM argv[]) -> ERL_NIF_TERM {
        seen = argv[0];
        return argv[0];
    };
    enif_make_new_binary(env, 4 << 20, &seen); // enough to compact
    enif_schedule_nif(env, "last", 0, last, 1, &shared);
    host::Scheduled next;
    ASSERT_TRUE(host::env_take_scheduled(env, &next));
    next.function(env, next.argc, next.argv);
    for (Word at = seen; at != atom("leaf");) {
        int arity;
        const Word* elements;
        if (enif_get_tuple(env, at, &arity, &elements) != 0) {
            ASSERT_EQ(elements[0], elements[1]);
            at = elements[0];
        } else {
            Word tail;
            ASSERT_EQ(enif_get_list_cell(env, at, &at, &tail), 1);
        }
    }
}

TEST_F(EnifChain, DeepTermsSurviveCompaction) {
    const Word deep = nested(binary("core"));
    ErlNifEnv* other = enif_alloc_env();
    const Word copy = enif_make_copy(other, deep);
    enif_schedule_nif(env, "x", 0, step, 1, &deep);
    host::Scheduled next;
    ASSERT_TRUE(host::env_take_scheduled(env, &next));
    EXPECT_NE(next.argv[0], deep) << "moved";
    EXPECT_TRUE(enif_is_identical(next.argv[0], copy));
    enif_free_env(other);
}

TEST_F(EnifChain, BadArguments) {
    const Word argument = integer(1);
    EXPECT_TRUE(is_badarg(enif_schedule_nif(env, "x", 7, step, 1, &argument)));
    EXPECT_TRUE(is_badarg(enif_schedule_nif(env, "x", 0, step, -1, &argument)));
    host::Scheduled next;
    EXPECT_FALSE(host::env_take_scheduled(env, &next));
}

TEST_F(EnifChain, TimesliceIsTheStepsOwn) {
    beam.timeslice_left = 60;
    const Word argument = integer(1);
    host::Scheduled next;
    EXPECT_EQ(enif_consume_timeslice(env, 50), 0);
    enif_schedule_nif(env, "x", 0, step, 1, &argument);
    ASSERT_TRUE(host::env_take_scheduled(env, &next));
    EXPECT_FALSE(host::env_timeslice_used(env));
    EXPECT_EQ(enif_consume_timeslice(env, 50), 1);
    enif_schedule_nif(env, "x", 0, step, 1, &argument);
    ASSERT_TRUE(host::env_take_scheduled(env, &next));
    EXPECT_TRUE(host::env_timeslice_used(env));
    enif_schedule_nif(env, "x", 0, step, 1, &argument);
    ASSERT_TRUE(host::env_take_scheduled(env, &next));
    EXPECT_FALSE(host::env_timeslice_used(env));
    host::env_set_call(env, &instance, kAlivePid, ERL_NIF_THR_DIRTY_CPU_SCHEDULER);
    EXPECT_EQ(enif_consume_timeslice(env, 100), 0) << "0 on a dirty scheduler";
    EXPECT_EQ(enif_thread_type(), ERL_NIF_THR_DIRTY_CPU_SCHEDULER);
}

TEST_F(EnifChain, ResetGivesAllMemoryBack) {
    host::env_reset(env, ipc::Ending::Return);
    tuple({integer(1)});
    host::env_reset(env, ipc::Ending::Return);
    EXPECT_TRUE(host::env_is_clean(env));
    const std::uint64_t before = host::context().heap->free_bytes();
    for (int i = 0; i < 1000; ++i)
        binary(std::string(static_cast<std::size_t>(i) * 10, 'x'));
    nested(atom("x"), 100'000);
    EXPECT_FALSE(host::env_is_clean(env));
    host::env_reset(env, ipc::Ending::Return);
    EXPECT_TRUE(host::env_is_clean(env));
    EXPECT_EQ(host::context().heap->free_bytes(), before);
}

} // namespace cordon::test
