// The border: sequence words, control messages, packets with descriptors, futexes.
#include "compat_ipc/call_slot.hpp"
#include "compat_ipc/control_message.hpp"
#include "compat_ipc/futex.hpp"
#include "compat_ipc/packet_socket.hpp"

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <thread>
#include <unistd.h>

namespace {

using namespace cordon;
using namespace cordon::ipc;
using namespace std::chrono_literals;

TEST(SequenceWord, CarriesTheKindAndNeverRepeatsAtOnce) {
    std::uint32_t seq = 0;
    for (int i = 0; i < 100; ++i) {
        const std::uint32_t next =
            next_seq(seq, i % 2 == 0 ? RequestKind::Call : RequestKind::Done);
        EXPECT_NE(seq, next);
        EXPECT_EQ(i % 2 == 0 ? RequestKind::Call : RequestKind::Done, kind_of(next));
        seq = next;
    }
}

TEST(SequenceWord, WrapsBelowTheDeadBit) {
    const std::uint32_t last = kSeqMask & ~0xFU;
    const std::uint32_t next = next_seq(last, RequestKind::Call);
    EXPECT_EQ(0U, next & kDeadBit);
    EXPECT_EQ(RequestKind::Call, kind_of(next));
    EXPECT_NE(last, next);
}

TEST(ControlMessage, RoundTrips) {
    Opened opened;
    opened.module = "jiffy";
    opened.major = 2;
    opened.functions = {{"decode", 2, 0}, {"encode", 2, 1}};
    const auto copy = Packet(encode(opened)).as<Opened>();
    EXPECT_EQ("jiffy", copy.module);
    ASSERT_EQ(2U, copy.functions.size());
    EXPECT_EQ("encode", copy.functions[1].name);
    EXPECT_EQ(1U, copy.functions[1].flags);
}

TEST(ControlMessage, RefusesWhatItDoesNotKnow) {
    EXPECT_THROW(Packet("rubbish"), std::exception);
    EXPECT_THROW(Packet(std::string(1000, '\x91')), std::exception) << "nested without end";
    EXPECT_THROW(Packet("\xdd\xff\xff\xff\xff"), std::exception) << "an array of 4 Gi elements";
    EXPECT_THROW(Packet(encode(Kill{1})).as<Ended>(), std::exception) << "another type";
    EXPECT_THROW(Packet(""), std::exception);
}

TEST(PacketSocket, KeepsMessagesApartAndCarriesDescriptors) {
    auto [one, two] = packet_socket_pair();
    const Fd event(eventfd(0, EFD_CLOEXEC));
    ASSERT_TRUE(send_message(one.get(), Kill{1}));
    ASSERT_TRUE(send_message(one.get(), MapChunk{3, 4096}, {event.get()}));
    auto first = receive_packet(two.get(), 1, Wait::Yes);
    auto second = receive_packet(two.get(), 1, Wait::Yes);
    ASSERT_TRUE(first && second);
    EXPECT_TRUE(first->fds.empty());
    EXPECT_EQ(1U, Packet(first->bytes).as<Kill>().host);
    ASSERT_EQ(1U, second->fds.size());
    const std::uint64_t value = 5;
    std::uint64_t got = 0;
    ASSERT_EQ(8, write(second->fds[0].get(), &value, sizeof value));
    ASSERT_EQ(8, read(event.get(), &got, sizeof got));
    EXPECT_EQ(5U, got);
}

TEST(PacketSocket, TakesNoDescriptorsThatItDidNotAskFor) {
    auto [one, two] = packet_socket_pair();
    const Fd event(eventfd(0, EFD_CLOEXEC));
    const int next = dup(event.get()); // the lowest free descriptor
    close(next);
    ASSERT_TRUE(send_message(one.get(), Kill{1}, {event.get()}));
    auto packet = receive_packet(two.get(), 0, Wait::Yes);
    ASSERT_TRUE(packet);
    EXPECT_TRUE(packet->fds.empty());
    const int after = dup(event.get());
    EXPECT_EQ(next, after) << "a descriptor was left open";
    close(after);
}

TEST(PacketSocket, NeverBlocksTheSender) {
    auto [one, two] = packet_socket_pair();
    int sent = 0;
    while (send_message(one.get(), Kill{1}) && sent < 1'000'000)
        ++sent;
    EXPECT_LT(sent, 1'000'000);
    two.reset();
    EXPECT_FALSE(send_message(one.get(), Kill{1})) << "the peer is gone, and no SIGPIPE";
}

TEST(PacketSocket, TellsEndFromNothingThere) {
    auto [one, two] = packet_socket_pair();
    bool would_block = false;
    EXPECT_FALSE(receive_packet(two.get(), 0, Wait::No, &would_block));
    EXPECT_TRUE(would_block);
    one.reset();
    EXPECT_FALSE(receive_packet(two.get(), 0, Wait::No, &would_block));
    EXPECT_FALSE(would_block);
}

TEST(Futex, WakesASleeperAndEndsByItself) {
    std::atomic<std::uint32_t> word{0};
    std::atomic<std::uint32_t> waiting{0};
    std::thread sleeper([&] {
        waiting.store(1);
        while (word.load() == 0)
            futex_wait(word, 0, 10s);
    });
    while (waiting.load() == 0)
        std::this_thread::yield();
    word.store(1);
    wake_if_waiting(word, waiting);
    sleeper.join();
    const auto start = std::chrono::steady_clock::now();
    futex_wait(word, 1, 20ms);
    EXPECT_GE(std::chrono::steady_clock::now() - start, 15ms);
    futex_wait(word, 0, 10s); // another value: returns at once
}

} // namespace
