// Multiaddresses that speak HTTP, and those that do not.
#include "engine/deal/multiaddr.h"

#include <gtest/gtest.h>

#include "tests/engine/deal/golden_deal.h"

namespace piecework::engine {
namespace {

TEST(Multiaddress, WhereToSpeakHttp) {
  const std::string dns4 = "360a" + to_hex(as_bytes("sp.example"));
  const std::string tcp_443 = "0601bb";
  const std::pair<std::string, std::string> cases[] = {
      {dns4 + tcp_443 + "bb03", "https://sp.example:443"},           // /https
      {dns4 + tcp_443 + "c003e003", "https://sp.example:443"},       // /tls/http
      {dns4 + tcp_443 + "de03", "https://sp.example:443"},           // /wss
      {dns4 + "061f90e003", "http://sp.example:8080"},               // /http
      {dns4 + "061f90dd03", "http://sp.example:8080"},               // /ws
      {"04cb007107" + tcp_443 + "bb03", "https://203.0.113.7:443"},  // /ip4
      {"2920010db8000000000000000000000001" + tcp_443 + "bb03", "https://[2001:db8::1]:443"},
      {"350a" + to_hex(as_bytes("sp.example")) + tcp_443 + "bb03e103012f", "https://sp.example:443"},  // more behind it
  };
  for (const auto& [hex, url] : cases) EXPECT_EQ(http_url_of_multiaddress(from_hex(hex)), url) << hex;
}

TEST(Multiaddress, AnythingElse) {
  const std::string dns4 = "360a" + to_hex(as_bytes("sp.example"));
  for (const std::string& hex :
       {std::string(), std::string("36"), std::string("36ff01"), dns4, dns4 + "06", dns4 + "0601", dns4 + "0601bb",
        dns4 + "0601bbc003", dns4 + "910201bbbb03", std::string("04cb0071"), std::string("0601bbbb03"),
        "3604" + to_hex(as_bytes("a/b@")) + "0601bbbb03", "3600" + std::string("0601bbbb03"),
        "36ffffffffffffffff7f" + std::string("00")}) {
    EXPECT_FALSE(http_url_of_multiaddress(from_hex(hex))) << hex;
  }
}

}  // namespace
}  // namespace piecework::engine
