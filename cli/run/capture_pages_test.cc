#include "cli/run/capture_pages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/async/test_loop.h"
#include "common/base/test_directory.h"
#include "common/capture/store.h"

namespace godwit::cli::run {
namespace {

class CapturePagesTest : public testing::Test {
 protected:
  CapturePagesTest() {
    routes_ = capture_routes(
        pool_,
        {.directory = directory_.path(), .cluster = "<demo>", .version = "1.2.3", .landing = [] {
           return std::vector<capture::LandingEntry>{{"smtp.relay", "127.0.0.1:2525", "", ""}};
         }});
  }

  http::Response get(std::string_view path) {
    http::Routes::Match match = routes_->match(http::Method::kGet, path);
    if (match.handler == nullptr) return http::Response::problem(404);
    http::Request request;
    request.parameters = std::move(match.parameters);
    return async::run_task((*match.handler)(std::move(request)));
  }
  static std::string header(const http::Response& response, std::string_view name) {
    for (const http::Header& header : response.headers) {
      if (header.name == name) return header.value;
    }
    return {};
  }

  TestDirectory directory_;
  async::BlockingPool pool_{"test", 1, 16};
  std::shared_ptr<const http::Routes> routes_;
};

TEST_F(CapturePagesTest, ShowCapturedMailAndNothingOfItRuns) {
  auto store = capture::Store::open(directory_.path(), {});
  ASSERT_TRUE(store) << store.error().to_string();
  const std::string mail = "Subject: <script>alert(1)</script>\r\n\r\nHello.\r\n";
  const auto id = (*store)->add({.sender = "a@b.example", .recipients = {"c@d.example"}}, mail);
  ASSERT_TRUE(id) << id.error().to_string();

  for (const std::string& path : {std::string("/capture"), "/capture/" + id->to_text()}) {
    const http::Response page = get(path);
    EXPECT_EQ(page.status, 200) << path;
    EXPECT_THAT(page.body, testing::HasSubstr("&lt;script&gt;"));
    EXPECT_THAT(page.body, testing::Not(testing::HasSubstr("<script")));
    EXPECT_EQ(header(page, "Content-Security-Policy"), capture::kContentSecurityPolicy);
    EXPECT_EQ(header(page, "X-Content-Type-Options"), "nosniff");
  }
  const http::Response raw = get("/capture/" + id->to_text() + "/raw");
  EXPECT_EQ(raw.body, mail);
  EXPECT_EQ(header(raw, "Content-Disposition"),
            "attachment; filename=\"" + id->to_text() + ".eml\"");
}

TEST_F(CapturePagesTest, WhatIsNotThereIsNotFound) {
  for (const std::string_view path :
       {"/capture/x", "/capture/..%2f..%2fetc%2fpasswd",
        "/capture/0190a6d8-5b3f-7c41-9d2e-0f6a1b2c3d4e",
        "/capture/0190a6d8-5b3f-7c41-9d2e-0f6a1b2c3d4e/raw", "/nothing"}) {
    EXPECT_EQ(get(path).status, 404) << path;
  }
}

TEST_F(CapturePagesTest, TheFirstPageTellsWhereThingsAre) {
  const http::Response page = get("/");
  EXPECT_EQ(page.status, 200);
  EXPECT_THAT(page.body, testing::HasSubstr("127.0.0.1:2525"));
  EXPECT_THAT(page.body, testing::HasSubstr("&lt;demo&gt;"));
  EXPECT_EQ(header(get("/style.css"), "Content-Type"), "text/css; charset=utf-8");
}

TEST_F(CapturePagesTest, ABusyPoolSaysSo) {
  pool_.stop();
  EXPECT_EQ(get("/capture").status, 503);
}

}  // namespace
}  // namespace godwit::cli::run
