/* sanitized.c: what a worker that is built with AddressSanitizer is told, since it has an empty environment. As in
 * tests/sanitize.sh.
 */
#if defined(__SANITIZE_ADDRESS__)
__attribute__((visibility("default"))) const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
    return "detect_leaks=0:allocator_may_return_null=1:detect_stack_use_after_return=1";
}
#else
typedef int worker_is_not_sanitized;
#endif
