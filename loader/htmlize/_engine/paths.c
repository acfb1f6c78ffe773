/* paths.c: the scanner of scan.h once for each kind of vectors, and which of them works on this machine. */
#include "pass_role.h"

static bool works_always(void)
{
    return true;
}

#define JOIN_(a, b) a##_##b
#define JOIN(a, b) JOIN_(a, b)

#ifdef HAVE_AVX
/* From Ice Lake and Zen 4 on, which VBMI2 stands for: earlier processors slow down when they use such vectors. */
static bool works_avx512(void)
{
    return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vbmi2") &&
           __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
}
#  define SCAN(name) JOIN(name, avx512)
#  define SCAN_TARGET TARGET_AVX512
#  define SCAN_BLOCK block_avx512
#  define SCAN_PATH_NAME "avx512"
#  define SCAN_WORKS works_avx512
#  include "scan.h"

static bool works_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi");
}
#  define SCAN(name) JOIN(name, avx2)
#  define SCAN_TARGET TARGET_AVX2
#  define SCAN_BLOCK block_avx2
#  define SCAN_PATH_NAME "avx2"
#  define SCAN_WORKS works_avx2
#  include "scan.h"
#endif

#ifdef HAVE_SSE2
#  define SCAN(name) JOIN(name, sse2)
#  define SCAN_TARGET
#  define SCAN_BLOCK block_sse2
#  define SCAN_PATH_NAME "sse2"
#  define SCAN_WORKS works_always
#  include "scan.h"
#endif

#ifdef HAVE_NEON
#  define SCAN(name) JOIN(name, neon)
#  define SCAN_TARGET
#  define SCAN_BLOCK block_neon
#  define SCAN_PATH_NAME "neon"
#  define SCAN_WORKS works_always
#  include "scan.h"
#endif

#define SCAN(name) JOIN(name, portable)
#define SCAN_TARGET
#define SCAN_BLOCK block_portable
#define SCAN_PATH_NAME "portable"
#define SCAN_WORKS works_always
#include "scan.h"

const struct engine_path *pass_path(size_t index)
{
    static const struct engine_path *const paths[] = {
#ifdef HAVE_AVX
        &path_avx512,
        &path_avx2,
#endif
#ifdef HAVE_SSE2
        &path_sse2,
#endif
#ifdef HAVE_NEON
        &path_neon,
#endif
        &path_portable,
    };

    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        if (!paths[i]->works())
            continue;
        if (index-- == 0)
            return paths[i];
    }
    return NULL;
}
