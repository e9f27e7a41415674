/* What the hand-written programs share: rows of W runs abreast, and the gradients of the three problems. */
#ifndef PROBLEMS_H
#define PROBLEMS_H
#include <math.h>
#ifndef W
#define W 32
#endif
typedef double row[W];
#define LANES _Pragma("omp simd") for (int l = 0; l < W; l++)

static inline void himmelblau(int n, row *x, row *g) {
  LANES { double a = x[0][l] * x[0][l] + x[1][l] - 11, b = x[0][l] + x[1][l] * x[1][l] - 7;
    g[0][l] = 4 * a * x[0][l] + 2 * b; g[1][l] = 2 * a + 4 * b * x[1][l]; }
}
static inline void rosenbrock(int n, row *x, row *g) {
  for (int i = 0; i < n; i++) LANES g[i][l] = 0;
  for (int i = 0; i + 1 < n; i++) LANES { double r = x[i + 1][l] - x[i][l] * x[i][l];
    g[i][l] += -400 * x[i][l] * r - 2 * (1 - x[i][l]); g[i + 1][l] += 200 * r; }
}
/* glibc's vector sine, declared here because math.h offers it only under -ffast-math */
__attribute__((simd("notinbranch"), const)) extern double vector_sin(double) __asm__("sin");
static inline void rastrigin(int n, row *x, row *g) {
  for (int i = 0; i < n; i++) LANES g[i][l] = 2 * x[i][l] + 62.83185307179586 * vector_sin(6.283185307179586 * x[i][l]);
}
#endif
