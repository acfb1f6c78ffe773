/* neighbour.c: a library that a plugin needs. ANSWER, on the compiler's command line, is what it says. */
__attribute__((visibility("default"))) int neighbour(void);

int neighbour(void)
{
    return ANSWER;
}
