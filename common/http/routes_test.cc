#include "common/http/routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "common/async/test_loop.h"

namespace godwit::http {
namespace {

Routes make_routes() {
  Routes routes;
  for (const std::string_view pattern :
       {"/files/{rest...}", "/a/{x}", "/a/b", "/", "/a/{x}/{y}", "/a/b/{y}", "/sp ace"}) {
    routes.add_now(Method::kGet, pattern,
                   [text = std::string(pattern)](const Request&) { return Response::text(text); });
  }
  routes.add_now(Method::kPost, "/a/{x}", [](const Request&) { return Response::text("post"); });
  return routes;
}

struct Case {
  std::string_view target;
  std::string_view pattern;  // "": none
  std::string_view x;
};

TEST(Routes, TheNarrowestPatternAnswers) {
  const Routes routes = make_routes();
  for (const auto& [target, pattern, x] : {
           Case{"/", "/", ""},
           Case{"/a/b", "/a/b", ""},
           Case{"/a/c", "/a/{x}", "c"},
           Case{"/a/c%2Fd", "/a/{x}", "c/d"},
           Case{"/a/%62", "/a/b", ""},
           Case{"/a/b/c", "/a/b/{y}", ""},
           Case{"/a/c/d", "/a/{x}/{y}", "c"},
           Case{"/files/x/y/../z", "/files/{rest...}", ""},
           Case{"/sp%20ace", "/sp ace", ""},
           Case{"/a/", "", ""},
           Case{"/a", "", ""},
           Case{"//", "", ""},
           Case{"/A/b", "", ""},
           Case{"/a/b/c/d", "", ""},
       }) {
    const Routes::Match match = routes.match(Method::kGet, target);
    ASSERT_EQ(match.handler != nullptr, !pattern.empty()) << target;
    if (match.handler == nullptr) continue;
    EXPECT_EQ(async::run_task((*match.handler)(Request{})).body, pattern) << target;
    if (!x.empty()) EXPECT_EQ(match.parameters.find("x")->second, x);
  }
  EXPECT_EQ(routes.match(Method::kGet, "/files/x/y").parameters.find("rest")->second, "x/y");
}

TEST(Routes, AnotherMethodIsNotAllowed) {
  const Routes routes = make_routes();
  const Routes::Match match = routes.match(Method::kDelete, "/a/c");
  EXPECT_EQ(match.handler, nullptr);
  EXPECT_THAT(match.allowed, testing::UnorderedElementsAre(Method::kGet, Method::kPost));
  EXPECT_TRUE(routes.match(Method::kDelete, "/none").allowed.empty());
}

}  // namespace
}  // namespace godwit::http
