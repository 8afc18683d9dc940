#include "host_fixture.hpp"

#include <algorithm>
#include <numeric>
#include <random>

namespace cordon::test {

class EnifMap : public HostTest {
  protected:
    // Keys of all kinds, by number.
    Word key(int i) {
        switch (i % 4) {
        case 0:
            return integer(i);
        case 1:
            return binary("key" + std::to_string(i));
        case 2:
            return tuple({integer(i), atom("t")});
        default:
            return enif_make_double(env, i);
        }
    }
    long value(Word map, Word key) {
        Word found;
        long number = -1;
        if (enif_get_map_value(env, map, key, &found) != 0)
            enif_get_long(env, found, &number);
        return number;
    }
    std::size_t size(Word map) {
        std::size_t size = 12345;
        enif_get_map_size(env, map, &size);
        return size;
    }
};

TEST_F(EnifMap, PutGetUpdateRemoveOfEverySize) {
    Word map = enif_make_new_map(env);
    std::vector<Word> versions{map};
    constexpr int kCount = 300;
    for (int i = 0; i < kCount; ++i) {
        ASSERT_EQ(enif_make_map_update(env, map, key(i), integer(1), &map), 0);
        ASSERT_EQ(enif_make_map_put(env, map, key(i), integer(i), &map), 1);
        ASSERT_EQ(size(map), static_cast<std::size_t>(i) + 1);
        versions.push_back(map);
    }
    for (int i = 0; i < kCount; ++i) {
        ASSERT_EQ(value(map, key(i)), i);
        ASSERT_EQ(enif_make_map_update(env, map, key(i), integer(i + 1000), &map), 1);
        ASSERT_EQ(value(map, key(i)), i + 1000);
    }
    EXPECT_EQ(size(map), 300U);
    for (int i = 0; i < kCount; ++i) {
        ASSERT_EQ(enif_make_map_remove(env, map, key(i), &map), 1);
        ASSERT_EQ(value(map, key(i)), -1);
        ASSERT_EQ(size(map), static_cast<std::size_t>(kCount - 1 - i));
        if (i + 1 < kCount) {
            ASSERT_EQ(value(map, key(i + 1)), i + 1001);
        }
    }
    EXPECT_EQ(enif_make_map_remove(env, map, key(0), &map), 1);
    // Maps never change: all versions are still what they were.
    for (int i = 0; i <= kCount; ++i) {
        ASSERT_EQ(size(versions[static_cast<std::size_t>(i)]), static_cast<std::size_t>(i));
        ASSERT_EQ(value(versions[static_cast<std::size_t>(i)], key(i)), -1);
        if (i > 0) {
            ASSERT_EQ(value(versions[static_cast<std::size_t>(i)], key(i - 1)), i - 1);
        }
    }
}

TEST_F(EnifMap, TheOrderOfMakingSaysNothing) {
    for (const int count : {5, 32, 33, 200}) {
        std::vector<int> order(static_cast<std::size_t>(count));
        std::iota(order.begin(), order.end(), 0);
        std::vector<Word> keys;
        std::vector<Word> values;
        Word up = enif_make_new_map(env);
        for (const int i : order) {
            enif_make_map_put(env, up, key(i), integer(i), &up);
            keys.push_back(key(i));
            values.push_back(integer(i));
        }
        std::shuffle(order.begin(), order.end(), std::mt19937(7));
        Word shuffled = enif_make_new_map(env);
        for (const int i : order)
            enif_make_map_put(env, shuffled, key(i), integer(i), &shuffled);
        Word made;
        ASSERT_EQ(enif_make_map_from_arrays(env, keys.data(), values.data(), keys.size(), &made),
                  1);
        std::vector<std::pair<Word, Word>> pairs;
        for (const int i : order)
            pairs.emplace_back(key(i), integer(i));
        const Word flat = beam.flat_map(pairs); // as a big one comes from the BEAM
        for (const Word other : {shuffled, made, flat}) {
            EXPECT_TRUE(enif_is_identical(up, other)) << count;
            EXPECT_TRUE(enif_is_identical(other, up)) << count;
            EXPECT_EQ(enif_compare(up, other), 0) << count;
            EXPECT_EQ(enif_hash(ERL_NIF_INTERNAL_HASH, up, 5),
                      enif_hash(ERL_NIF_INTERNAL_HASH, other, 5));
        }
        Word different;
        enif_make_map_put(env, flat, key(3), atom("x"), &different);
        EXPECT_FALSE(enif_is_identical(different, flat));
        EXPECT_EQ(value(flat, key(3)), 3);
    }
}

TEST_F(EnifMap, BigFlatMapIsLookedUpThroughItsTable) {
    std::vector<std::pair<Word, Word>> pairs;
    for (int i = 0; i < 50'000; ++i)
        pairs.emplace_back(key(i), integer(i));
    const Word map = beam.flat_map(pairs);
    for (int i = 0; i < 50'000; ++i)
        ASSERT_EQ(value(map, key(i)), i);
    EXPECT_EQ(value(map, key(50'000)), -1);
    for (auto& [key, value] : pairs)
        key = value; // terms that don't lie in the environment
    const Word numbers = beam.flat_map(pairs);
    EXPECT_EQ(value(numbers, integer(40'000)), 40'000);
    host::env_reset(env, ipc::Ending::Return); // the table goes with the rest
    EXPECT_EQ(value(numbers, integer(40'000)), 40'000);
}

TEST_F(EnifMap, DuplicateKeysAsInTheVm) {
    for (const std::size_t count : {2UL, 32UL, 33UL, 100UL}) {
        std::vector<Word> keys;
        std::vector<Word> values(count, atom("v"));
        for (std::size_t i = 0; i + 1 < count; ++i)
            keys.push_back(key(static_cast<int>(i)));
        keys.push_back(key(0));
        Word map;
        values.back() = integer(9);
        const int made = enif_make_map_from_arrays(env, keys.data(), values.data(), count, &map);
        EXPECT_EQ(made, count > 32);
        if (made != 0) {
            EXPECT_EQ(value(map, key(0)), 9);
            EXPECT_EQ(size(map), count - 1);
        }
    }
}

TEST_F(EnifMap, KeysMatchExactly) {
    const Word one = map({{integer(1), atom("integer")}});
    Word found;
    EXPECT_EQ(enif_get_map_value(env, one, enif_make_double(env, 1.0), &found), 0);
    EXPECT_EQ(enif_get_map_value(env, one, integer(1), &found), 1);
    EXPECT_EQ(enif_get_map_value(env, atom("no_map"), integer(1), &found), 0);
    Word map_out;
    EXPECT_EQ(enif_make_map_put(env, atom("no_map"), integer(1), integer(1), &map_out), 0);
}

TEST_F(EnifMap, IteratorGoesBothWays) {
    for (const int count : {1, 5, 32, 33, 100}) {
        Word map = enif_make_new_map(env);
        for (int i = 0; i < count; ++i)
            enif_make_map_put(env, map, key(i), integer(i), &map);
        ErlNifMapIterator iterator;
        ASSERT_EQ(enif_map_iterator_create(env, map, &iterator, ERL_NIF_MAP_ITERATOR_FIRST), 1);
        std::vector<std::pair<Word, Word>> forward;
        Word k;
        Word v;
        while (enif_map_iterator_get_pair(env, &iterator, &k, &v) != 0) {
            forward.emplace_back(k, v);
            enif_map_iterator_next(env, &iterator);
        }
        EXPECT_EQ(forward.size(), static_cast<std::size_t>(count));
        EXPECT_TRUE(enif_map_iterator_is_tail(env, &iterator));
        EXPECT_EQ(enif_map_iterator_next(env, &iterator), 0);
        EXPECT_EQ(enif_map_iterator_prev(env, &iterator), count > 0);
        enif_map_iterator_destroy(env, &iterator);
        ASSERT_EQ(enif_map_iterator_create(env, map, &iterator, ERL_NIF_MAP_ITERATOR_LAST), 1);
        for (std::size_t i = forward.size(); i > 0; --i) {
            ASSERT_EQ(enif_map_iterator_get_pair(env, &iterator, &k, &v), 1);
            EXPECT_EQ(std::make_pair(k, v), forward[i - 1]) << "the same words each time";
            EXPECT_EQ(enif_map_iterator_prev(env, &iterator), i > 1);
        }
        EXPECT_TRUE(enif_map_iterator_is_head(env, &iterator));
        EXPECT_EQ(enif_map_iterator_next(env, &iterator), count > 0);
        enif_map_iterator_destroy(env, &iterator);
    }
    ErlNifMapIterator iterator;
    for (const auto entry : {ERL_NIF_MAP_ITERATOR_FIRST, ERL_NIF_MAP_ITERATOR_LAST}) {
        ASSERT_EQ(enif_map_iterator_create(env, map({}), &iterator, entry), 1);
        EXPECT_TRUE(enif_map_iterator_is_head(env, &iterator));
        EXPECT_TRUE(enif_map_iterator_is_tail(env, &iterator));
    }
    EXPECT_EQ(enif_map_iterator_create(env, term::kNil, &iterator, ERL_NIF_MAP_ITERATOR_FIRST), 0);
}

} // namespace cordon::test
