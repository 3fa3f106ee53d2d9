#include "common/control/providers.h"

#include <algorithm>
#include <array>

namespace godwit::control {
namespace {

// Source: what the providers tell their customers to set as MX, and the MX records of their own mail domains
// (gmail.com, outlook.com, yahoo.com, icloud.com, gmx.net, web.de, orange.fr, comcast.net, mail.ru, ...).
// A suffix belongs to its provider alone: whoever could run a host below it is that provider.
constexpr std::array kProviders = std::to_array<Provider>({
    {"google", "google.com googlemail.com"},
    {"microsoft", "protection.outlook.com mx.microsoft hotmail.com"},
    {"yahoo", "yahoodns.net"},  // AOL too
    {"apple", "mail.icloud.com"},
    {"gmx", "gmx.net web.de"},  // one platform
    {"ionos", "kundenserver.de perfora.net ionos.com ionos.de"},
    {"t-online", "t-online.de"},
    {"orange", "orange.fr wanadoo.fr"},
    {"free", "free.fr"},
    {"laposte", "laposte.net"},
    {"libero", "libero.it"},
    {"comcast", "comcast.net"},
    {"charter", "charter.net"},
    {"mailru", "mail.ru"},
    {"yandex", "yandex.ru yandex.net"},
    {"qq", "qq.com"},
    {"netease", "netease.com 163.com"},
    {"proton", "protonmail.ch"},
    {"fastmail", "messagingengine.com"},
    {"zoho", "zoho.com zoho.eu zoho.in"},
    {"ovh", "mail.ovh.net"},
    {"godaddy", "secureserver.net"},
    {"rackspace", "emailsrvr.com"},
    {"proofpoint", "pphosted.com ppe-hosted.com"},
    {"mimecast", "mimecast.com mimecast.co.za"},
    {"barracuda", "barracudanetworks.com"},
    {"cisco", "iphmx.com"},
    {"broadcom", "messagelabs.com"},
});

}  // namespace

std::span<const Provider> providers() {
  return kProviders;
}

std::string_view provider_label(std::string_view site, const StaticRoutes& routes) {
  const bool known =
      std::ranges::any_of(kProviders, [&](const Provider& one) { return one.site == site; }) ||
      (!site.empty() && std::ranges::any_of(routes.all(), [&](const StaticRoute& route) {
        return route.site == site;
      }));
  return known ? site : "other";
}

}  // namespace godwit::control
