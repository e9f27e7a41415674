/* The memory bandwidth that a[i] = b[i] + s * c[i] reaches on arrays far larger than the caches.

   store   with ordinary stores: before a line of `a` is written the processor reads it (write-allocate), so that four
           arrays pass over the bus for the three that the formula names
   stream  with stores that go past the caches, where the processor has them: three arrays, as named */

#include <stddef.h>
#ifdef __SSE2__
#include <immintrin.h>
#endif

void triad_store(double *a, const double *b, const double *c, size_t count)
{
    for (size_t i = 0; i < count; i++)
        a[i] = b[i] + 3.0 * c[i];
}

/* Returns 0 where there are no such stores.  `a` begins at a multiple of 32 bytes and `count` is a multiple of 4. */
int triad_stream(double *a, const double *b, const double *c, size_t count)
{
#if defined(__AVX__)
    const __m256d s = _mm256_set1_pd(3.0);
    for (size_t i = 0; i < count; i += 4)
        _mm256_stream_pd(a + i, _mm256_add_pd(_mm256_loadu_pd(b + i), _mm256_mul_pd(s, _mm256_loadu_pd(c + i))));
    _mm_sfence();
    return 1;
#elif defined(__SSE2__)
    const __m128d s = _mm_set1_pd(3.0);
    for (size_t i = 0; i < count; i += 2)
        _mm_stream_pd(a + i, _mm_add_pd(_mm_loadu_pd(b + i), _mm_mul_pd(s, _mm_loadu_pd(c + i))));
    _mm_sfence();
    return 1;
#else
    (void)a, (void)b, (void)c, (void)count;
    return 0;
#endif
}
