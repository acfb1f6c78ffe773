/* codec.h: contract codec 1.0 */
#include "loader/plugin.h"
LOADER_CONTRACT(codec, 1, 0);
LOADER_BEGIN_C
typedef enum codec_mode { CODEC_FAST = 0, CODEC_BEST = 1 } codec_mode;
typedef struct codec_point { double x, y; } codec_point;
typedef struct codec_stats { size_t size; double mean; float deviation; int64_t count; codec_point peak; } codec_stats;

LOADER_EXPORT int scale(loader_call *call, double value, float factor, LOADER_OUT double *scaled);
LOADER_EXPORT int dot(loader_call *call, const loader_f64s *a, const loader_f64s *b, LOADER_OUT double *product);
LOADER_EXPORT int gain(loader_call *call, loader_f32s *samples, float factor);                  /* in place */
LOADER_EXPORT int describe(loader_call *call, const loader_f64s *values, LOADER_OUT codec_stats *stats);
LOADER_EXPORT int divide(loader_call *call, int64_t a, int64_t b, LOADER_OUT int64_t *quotient, LOADER_OUT int64_t *rest);
LOADER_EXPORT int join(loader_call *call, const loader_texts *words, const loader_text *separator);
LOADER_EXPORT int ramp(loader_call *call, int64_t count, LOADER_OUT loader_f64s *values);

LOADER_LIST(codec_point);
LOADER_EXPORT int centre(loader_call *call, const codec_point_list *points, LOADER_OUT codec_point *centre);
LOADER_EXPORT int blur(loader_call *call, const loader_tensor *image, loader_tensor *result);

typedef struct codec_progress codec_progress;
struct codec_progress { size_t size; int (*at)(loader_call *call, const codec_progress *self, double done); };
LOADER_INTERFACE(codec_progress);
LOADER_EXPORT int train(loader_call *call, const loader_f64s *values, const codec_progress *progress);

LOADER_CLASS(codec_encoder);
LOADER_EXPORT int codec_encoder_new(loader_call *call, codec_mode mode, LOADER_OUT codec_encoder **encoder);
LOADER_GIVES_BYTES LOADER_EXPORT int codec_encoder_feed(loader_call *call, codec_encoder *encoder, const loader_bytes *chunk);
LOADER_EXPORT int codec_encoder_next(loader_call *call, codec_encoder *encoder, LOADER_OUT int64_t *code);
LOADER_EXPORT void codec_encoder_free(codec_encoder *encoder);
LOADER_END_C
LOADER_FINGERPRINT(codec, 1, 0, 0x3da6fdba0ab55c28);
