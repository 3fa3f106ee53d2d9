#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/async/task.h"
#include "common/http/message.h"

namespace godwit::http {

// May suspend; runs on the shard of its connection, so on several at once: what it borrows is shared.
using Handler = std::function<async::Task<Response>(Request)>;

// Which handler answers what. A pattern is a path whose segments may be "{name}"; a last "{name...}" takes the
// rest, slashes and all. Literal segments win over parameters, parameters over the rest. Segments are compared
// after decoding, so "%2F" is never a separator.
// Built before the server starts, read-only then.
class Routes {
 public:
  void add(Method method, std::string_view pattern, Handler handler);
  // For what needs no waiting.
  void add_now(Method method, std::string_view pattern,
               std::function<Response(const Request&)> handler);

  struct Match {
    const Handler* handler = nullptr;  // null: 404, or 405 when `allowed` is not empty
    Parameters parameters;
    std::vector<Method> allowed;
  };
  // `target` as in Request::target.
  [[nodiscard]] Match match(Method method, std::string_view target) const;

 private:
  struct Route {
    Method method;
    std::vector<std::string> segments;  // "{id}" and "{rest...}" as written
    Handler handler;
  };
  std::vector<Route> routes_;
};

}  // namespace godwit::http
