/* deflate.h: contract deflate 1.0: streams of zlib. What is fed comes out smaller, or as it was before. */
#ifndef DEFLATE_H
#define DEFLATE_H
#include "loader/plugin.h"

LOADER_CONTRACT(deflate, 1, 0);
LOADER_FINGERPRINT(deflate, 1, 0, 0xf1fed58bea147406);
LOADER_NEEDS(3);
LOADER_BEGIN_C

/* What is around the compressed data. */
typedef enum deflate_format { DEFLATE_RAW = 0, DEFLATE_ZLIB = 1, DEFLATE_GZIP = 2 } deflate_format;

/* Compresses a stream. */
LOADER_CLASS(deflater);
/* level: 0 (stored) to 9 (smallest). */
LOADER_EXPORT int deflater_new(loader_call *call, int32_t level, deflate_format format, LOADER_OUT deflater **made);
/* What is ready of the compressed stream: often nothing. */
LOADER_GIVES_BYTES LOADER_EXPORT int deflater_feed(loader_call *call, deflater *stream, const loader_bytes *chunk);
/* The rest of it. After that nothing may be fed. */
LOADER_GIVES_BYTES LOADER_EXPORT int deflater_finish(loader_call *call, deflater *stream);
LOADER_EXPORT void deflater_free(deflater *stream);

/* Decompresses a stream. */
LOADER_CLASS(inflater);
LOADER_EXPORT int inflater_new(loader_call *call, deflate_format format, LOADER_OUT inflater **made);
/* What the chunk holds. Bytes behind the end of the stream are not looked at. */
LOADER_GIVES_BYTES LOADER_EXPORT int inflater_feed(loader_call *call, inflater *stream, const loader_bytes *chunk);
/* Whether the end of the stream was seen, and how many bytes came out in all. */
LOADER_EXPORT int inflater_state(loader_call *call, const inflater *stream, LOADER_OUT int32_t *ended,
                                 LOADER_OUT uint64_t *size);
LOADER_EXPORT void inflater_free(inflater *stream);

LOADER_END_C
#endif /* DEFLATE_H */
