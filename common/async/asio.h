#pragma once

// The only place where Asio is included: what differs between Boost versions is settled here, and a
// change of the event library starts here. Code above common/net needs none of it beyond Task.

#define BOOST_ASIO_NO_DEPRECATED
#define BOOST_ASIO_DISABLE_BOOST_DATE_TIME
// Frames of coroutines come from operator new, which aligns as they need, and not from
// std::aligned_alloc(): allocators have no fast path for that.
#define BOOST_ASIO_DISABLE_STD_ALIGNED_ALLOC
#define BOOST_ASIO_DISABLE_BOOST_ALIGN
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>

namespace godwit::async {

namespace asio = boost::asio;

// The concrete executor of a shard: calls through it are direct, not type-erased.
using Executor = asio::io_context::executor_type;
using UseAwaitable = asio::use_awaitable_t<Executor>;

// co_await operation(..., kAwaitTuple) gives std::tuple<error_code, ...> and never throws.
inline constexpr UseAwaitable kAwait{};
inline constexpr asio::as_tuple_t<UseAwaitable> kAwaitTuple{kAwait};

using Descriptor = asio::posix::basic_stream_descriptor<Executor>;
using SteadyTimer =
    asio::basic_waitable_timer<std::chrono::steady_clock,
                               asio::wait_traits<std::chrono::steady_clock>, Executor>;

}  // namespace godwit::async
