#pragma once

#include "common/async/asio.h"

namespace godwit::async {

// The only coroutine type. A Task starts when it is awaited or spawned (Shard::spawn), runs on the
// shard of whoever awaits it, and resumes there after every suspension.
//
// Parameters  by value, or borrowed from an owner that provably outlives the task; say which. A
//             lambda that captures is not a coroutine: its captures die with the lambda object.
//             Name a function instead.
// Exceptions  none escapes a spawned task: that ends the process (errors are Results).
// Locks       none is held across co_await.
template <class T = void>
using Task = asio::awaitable<T, Executor>;

}  // namespace godwit::async
