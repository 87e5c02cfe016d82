#include "engine/record/zstd_frame.h"

#include <fmt/format.h>
#include <zstd.h>

namespace piecework::engine {

struct ZstdCompressor::Context {
  ZSTD_CCtx* handle = nullptr;
  ~Context() { ZSTD_freeCCtx(handle); }
};

ZstdCompressor::ZstdCompressor(int level) : context_(std::make_unique<Context>()) {
  context_->handle = ZSTD_createCCtx();
  if (context_->handle == nullptr) return;  // reported by compress()
  ZSTD_CCtx_setParameter(context_->handle, ZSTD_c_compressionLevel, level);
  ZSTD_CCtx_setParameter(context_->handle, ZSTD_c_checksumFlag, 1);
}
ZstdCompressor::~ZstdCompressor() = default;
ZstdCompressor::ZstdCompressor(ZstdCompressor&&) noexcept = default;
ZstdCompressor& ZstdCompressor::operator=(ZstdCompressor&&) noexcept = default;

Status ZstdCompressor::compress(ByteSpan content, std::vector<uint8_t>& target) {
  target.resize(ZSTD_compressBound(content.size()));
  const size_t written = context_->handle == nullptr ? static_cast<size_t>(-1)
                                                     : ZSTD_compress2(context_->handle, target.data(), target.size(),
                                                                      content.data(), content.size());
  if (ZSTD_isError(written)) {
    return fail(ErrorCode::kResourceExhausted, ErrorSide::kInternal,
                fmt::format("compressing {} bytes: {}", content.size(), ZSTD_getErrorName(written)));
  }
  target.resize(written);
  return {};
}

Status decompress_frame(ByteSpan frame, uint64_t content_bytes_max, std::vector<uint8_t>& target) {
  const unsigned long long content_bytes = ZSTD_getFrameContentSize(frame.data(), frame.size());
  if (content_bytes == ZSTD_CONTENTSIZE_ERROR || content_bytes == ZSTD_CONTENTSIZE_UNKNOWN) {
    return fail(ErrorCode::kCorrupt, ErrorSide::kSource, "not a zstd frame that states its content's size");
  }
  if (content_bytes > content_bytes_max) {
    return fail(ErrorCode::kCorrupt, ErrorSide::kSource,
                fmt::format("a zstd frame of {} bytes, expected at most {}", content_bytes, content_bytes_max));
  }
  target.resize(content_bytes);
  const size_t written = ZSTD_decompress(target.data(), target.size(), frame.data(), frame.size());
  if (ZSTD_isError(written) || written != content_bytes) {
    return fail(ErrorCode::kCorrupt, ErrorSide::kSource,
                fmt::format("a damaged zstd frame: {}", ZSTD_getErrorName(written)));
  }
  return {};
}

uint64_t first_frame_bytes(ByteSpan bytes) {
  const size_t length = ZSTD_findFrameCompressedSize(bytes.data(), bytes.size());
  return ZSTD_isError(length) ? 0 : length;
}

}  // namespace piecework::engine
