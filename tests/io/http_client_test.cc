// HTTP against a server that fails on purpose, with and without TLS; which URLs are spoken to at all.
#include "io/http_client.h"

#include <gtest/gtest.h>

#include <thread>

#include "tests/support/fake_server.h"
#include "tests/support/run_command.h"
#include "tests/support/temp_dir.h"

namespace piecework::io {
namespace {

HttpOutcome get(HttpClient& http, const std::string& url, size_t reply_bytes_max = 1 << 20,
                int64_t timeout_ms = 20'000) {
  HttpRequest request;
  request.url = url;
  request.reply_bytes_max = reply_bytes_max;
  request.timeout_ms = timeout_ms;
  return http.perform(request);
}

TEST(HttpUrl, OnlyEncryptedOrOnThisMachine) {
  for (const std::string_view url :
       {"https://sp.example", "https://sp.example:8443/path?query", "HTTPS://sp.example", "http://127.0.0.1:1234/x",
        "http://127.255.0.1", "http://[::1]:80/", "http://localhost/x"}) {
    const Status status = check_url(url);
    EXPECT_TRUE(status) << url << ": " << status.error().message;
  }
  for (const std::string_view url :
       {"http://sp.example", "http://127.0.0.1.example", "http://localhost.example", "http://10.0.0.1", "http://[::2]/",
        "http://127.0.0.1@sp.example/", "https://name:secret@sp.example/", "https://name@sp.example/",
        "http://sp.example#@127.0.0.1/", "ftp://127.0.0.1/", "file:///etc/passwd", "gopher://127.0.0.1/", "",
        "sp.example", "https://", "https://sp.example/\r\nX: y", "http://0.0.0.0/", "http://[::ffff:10.0.0.1]/"}) {
    const Status status = check_url(url);
    ASSERT_FALSE(status) << url;
    EXPECT_EQ(status.error().code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(status.error().side, ErrorSide::kConfig);
    EXPECT_EQ(status.error().message.find("secret"), std::string::npos);
  }
}

TEST(HttpClient, RefusedUrlsAndHeadersAreNotSpokenTo) {
  HttpClient http = HttpClient::create({}).value();
  EXPECT_FALSE(get(http, "http://192.0.2.1/").was_sent);
  HttpRequest request;
  request.url = "http://127.0.0.1:1/";
  request.headers = {{"Authorization", "a\r\nX-Injected: b"}};
  const HttpOutcome outcome = http.perform(request);
  EXPECT_FALSE(outcome.was_sent);
  EXPECT_NE(outcome.failure.find("control bytes"), std::string::npos);
}

TEST(HttpClient, NothingIsSentWhereNobodyListens) {
  HttpClient http = HttpClient::create({}).value();
  const HttpOutcome outcome = get(http, "http://127.0.0.1:1/");
  EXPECT_FALSE(outcome.reply);
  EXPECT_FALSE(outcome.was_sent);
  EXPECT_FALSE(outcome.failure.empty());
}

TEST(HttpClient, BodiesOfEveryMethodArrive) {
  const testing::FakeProvider provider;
  HttpClient http = HttpClient::create({}).value();
  const std::vector<uint8_t> body(3 << 20, 'x');  // long enough that libcurl would ask for leave first
  for (const HttpMethod method : {HttpMethod::kGet, HttpMethod::kPost, HttpMethod::kPut}) {
    HttpRequest request;
    request.method = method;
    request.url = provider.url() + "/nothing/here";
    request.body = body;
    const HttpOutcome outcome = http.perform(request);
    ASSERT_TRUE(outcome.reply) << outcome.failure;
    EXPECT_EQ(outcome.reply->status, 404);
    EXPECT_EQ(as_text(outcome.reply->body), "404 page not found\n");
  }
  const nlohmann::json seen = provider.requests();
  ASSERT_EQ(seen.size(), 3U);
  EXPECT_EQ(seen[0][0], "GET");
  EXPECT_EQ(seen[1][0], "POST");
  EXPECT_EQ(seen[2][0], "PUT");
  for (const nlohmann::json& request : seen) {
    // sha256sum of 3 MiB of 'x'
    EXPECT_EQ(request[2], "3bea8a9a07c1e8dcaa4c1b816815c35a29b4fb585ba6ecc70ea44840a794cfb3");
  }
}

TEST(HttpClient, WhatIsNoAnswer) {
  const testing::FakeProvider provider({"--hang", "0.3"});
  HttpClient http = HttpClient::create({}).value();
  for (const std::string_view fault : {"reset", "reset_after", "cut_after", "timeout_after", "huge_after"}) {
    provider.inject(fault, "GET /nothing");
    const HttpOutcome outcome = get(http, provider.url() + "/nothing");
    EXPECT_FALSE(outcome.reply) << fault;
    EXPECT_TRUE(outcome.was_sent) << fault;
    EXPECT_FALSE(outcome.failure.empty());
  }
  EXPECT_EQ(provider.request_count("GET /nothing"), 5U);  // none was repeated behind our back
}

TEST(HttpClient, TimeoutsAndStopsEndAWait) {
  const testing::FakeProvider provider;
  std::atomic<bool> stop = false;
  HttpClient http = HttpClient::create({.ca_file = "", .stop = &stop}).value();
  provider.inject("timeout_after", "GET /nothing", 2);
  const HttpOutcome timed_out = get(http, provider.url() + "/nothing", 1 << 20, 200);
  EXPECT_FALSE(timed_out.reply);
  EXPECT_TRUE(timed_out.was_sent);
  std::thread stopper([&stop] { stop = true; });
  const HttpOutcome stopped = get(http, provider.url() + "/nothing", 1 << 20, 3'600'000);
  stopper.join();
  EXPECT_FALSE(stopped.reply);
}

TEST(HttpClient, RepliesAreBounded) {
  const testing::FakeProvider provider;
  HttpClient http = HttpClient::create({}).value();
  EXPECT_TRUE(get(http, provider.url() + "/nothing", 19).reply);
  const HttpOutcome outcome = get(http, provider.url() + "/nothing", 18);
  EXPECT_FALSE(outcome.reply);
  EXPECT_NE(outcome.failure.find("18 bytes"), std::string::npos) << outcome.failure;
}

TEST(HttpClient, StatusesAndPatienceComeThrough) {
  const testing::FakeProvider provider;
  HttpClient http = HttpClient::create({}).value();
  for (const int status : {302, 400, 429, 503}) {
    provider.inject(std::to_string(status), "GET /nothing");
    const HttpOutcome outcome = get(http, provider.url() + "/nothing");
    ASSERT_TRUE(outcome.reply) << outcome.failure;
    EXPECT_EQ(outcome.reply->status, status);
    EXPECT_EQ(outcome.reply->retry_after_s, status == 429 ? 7 : 0);
  }
  EXPECT_EQ(provider.request_count("GET /nothing"), 4U);  // the redirection was not followed
}

TEST(HttpClient, CertificatesAreChecked) {
  const testing::TempDir directory;
  const std::string certificate = directory / "cert.pem";
  const std::string key = directory / "key.pem";
  const testing::CommandResult made = testing::run_command(
      {"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
       "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate});
  ASSERT_EQ(made.exit_code, 0) << made.standard_error;
  const testing::FakeProvider provider({"--tls", certificate, key});
  HttpClient trusting = HttpClient::create({.ca_file = certificate}).value();
  const HttpOutcome answered = get(trusting, provider.url() + "/nothing");
  ASSERT_TRUE(answered.reply) << answered.failure;
  EXPECT_EQ(answered.reply->status, 404);

  HttpClient strict = HttpClient::create({}).value();
  const HttpOutcome refused = get(strict, provider.url() + "/nothing");
  EXPECT_FALSE(refused.reply);
  EXPECT_FALSE(refused.was_sent);
  const std::string other_name = "https://localhost" + provider.url().substr(provider.url().rfind(':'));
  EXPECT_FALSE(get(trusting, other_name + "/nothing").reply);
  EXPECT_EQ(provider.request_count("GET /nothing"), 1U);
}

}  // namespace
}  // namespace piecework::io
