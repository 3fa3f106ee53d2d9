#include "cli/run/capture_pages.h"

#include <charconv>
#include <optional>
#include <utility>

#include "common/capture/errc.h"
#include "common/capture/mail_view.h"
#include "common/capture/store.h"

namespace godwit::cli::run {
namespace {

struct Site {
  async::BlockingPool& pool;
  CapturePages pages;
  capture::Reader reader;
};
using SitePtr = std::shared_ptr<const Site>;

http::Response page(std::string html, int status = 200) {
  http::Response response = http::Response::html(std::move(html), status);
  response.headers.push_back(
      {"Content-Security-Policy", std::string(capture::kContentSecurityPolicy)});
  response.headers.push_back({"X-Content-Type-Options", "nosniff"});
  response.headers.push_back({"Referrer-Policy", "no-referrer"});
  response.headers.push_back({"Cache-Control", "no-store"});
  return response;
}

http::Response sorry(const Error& error) {
  if (error.code == capture::Errc::kNotFound) {
    return page(capture::problem_page("Not found", "This mail is not here, or no longer."), 404);
  }
  return page(capture::problem_page("Not possible now", "The captured mail cannot be read."), 503);
}

http::Response list(const Site& site, std::size_t offset) {
  const auto listing = site.reader.list(offset, capture::kListRows);
  return listing ? page(capture::list_page(*listing, offset)) : sorry(listing.error());
}

http::Response show(const Site& site, const capture::CaptureId& id, bool raw) {
  const auto metadata = site.reader.metadata(id);
  if (!metadata) return sorry(metadata.error());
  const auto octets = site.reader.octets(id);
  if (!octets) return sorry(octets.error());
  if (!raw) return page(capture::mail_page(*metadata, capture::view_mail(*octets)));
  // Never shown by the browser itself: a mail is a stranger's text.
  return {200,
          {{"Content-Type", "message/rfc822"},
           {"Content-Disposition", "attachment; filename=\"" + id.to_text() + ".eml\""},
           {"X-Content-Type-Options", "nosniff"}},
          *octets};
}

// On the pool: the disk is read there.
async::Task<http::Response> from_disk(SitePtr site,
                                      std::function<http::Response(const Site&)> work) {
  auto response = co_await site->pool.run([&] { return work(*site); });
  co_return response ? *std::move(response) : http::Response::problem(503, "Busy; try again.");
}

async::Task<http::Response> answer(http::Response response) {
  co_return response;
}

std::size_t offset_of(const http::Request& request) {
  const std::string_view text = request.query_value("offset").value_or("0");
  std::size_t offset = 0;
  std::from_chars(text.data(), text.data() + text.size(), offset);
  return offset;
}

async::Task<http::Response> show_one(SitePtr site, const http::Request& request, bool raw) {
  const auto id = capture::CaptureId::from_text(request.parameters.find("id")->second);
  if (!id) return answer(sorry(Error{make_error_code(capture::Errc::kNotFound), {}}));
  return from_disk(std::move(site), [id = *id, raw](const Site& at) { return show(at, id, raw); });
}

}  // namespace

std::shared_ptr<const http::Routes> capture_routes(async::BlockingPool& pool, CapturePages pages) {
  capture::Reader reader(pages.directory);
  const SitePtr site = std::make_shared<const Site>(pool, std::move(pages), std::move(reader));
  auto routes = std::make_shared<http::Routes>();
  routes->add_now(http::Method::kGet, "/", [site](const http::Request&) {
    return page(
        capture::landing_page(site->pages.cluster, site->pages.version, site->pages.landing()));
  });
  routes->add_now(http::Method::kGet, "/style.css", [](const http::Request&) {
    return http::Response{
        200, {{"Content-Type", "text/css; charset=utf-8"}}, std::string(capture::stylesheet())};
  });
  routes->add(http::Method::kGet, "/capture", [site](const http::Request& request) {
    return from_disk(site,
                     [offset = offset_of(request)](const Site& at) { return list(at, offset); });
  });
  routes->add(http::Method::kGet, "/capture/{id}",
              [site](const http::Request& request) { return show_one(site, request, false); });
  routes->add(http::Method::kGet, "/capture/{id}/raw",
              [site](const http::Request& request) { return show_one(site, request, true); });
  return routes;
}

}  // namespace godwit::cli::run
