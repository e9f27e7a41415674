/* The hand-written ceiling that the CPU engine is measured against, one thread, double precision:
   RUNS descents of STEPS steps with a per-run stop test (largest |gradient| <= GTOL freezes the run), W runs abreast.
     gcc -O3 -march=native -fopenmp-simd -fno-math-errno ceiling.c -o ceiling -lmvec -lm && ./ceiling [CASE [REPEATS]]
   On a processor with AVX-512 that this gcc does not know, add -march=sapphirerapids -mprefer-vector-width=512.
   Prints: problem, optimizer, nanoseconds per step of one run (best of REPEATS, 5), checksum. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "problems.h"
static double now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec + 1e-9 * t.tv_nsec; }
#define DESCEND(NAME, N, GRAD, ADAM)                                                                                  \
  static void NAME(const double *x0, double *out, int runs, int steps, double gtol, double lr) {                      \
    const double b1 = .9, b2 = .999, eps = 1e-8; row x[N], g[N], m[N], v[N]; double on[W];                            \
    for (int k = 0; k < runs; k += W) {                                                                               \
      memset(m, 0, sizeof m); memset(v, 0, sizeof v);                                                                 \
      for (int l = 0; l < W; l++) { on[l] = 1; for (int i = 0; i < N; i++) x[i][l] = x0[(size_t)(k + l) * N + i]; }   \
      double p1 = 1, p2 = 1;                                                                                          \
      for (int t = 0; t < steps; t++) {                                                                               \
        p1 *= b1; p2 *= b2; double a = lr / (1 - p1), r = 1 / sqrt(1 - p2); row top;                                  \
        GRAD(N, x, g); LANES top[l] = 0;                                                                              \
        for (int i = 0; i < N; i++) LANES top[l] = fabs(g[i][l]) > top[l] ? fabs(g[i][l]) : top[l];                   \
        LANES on[l] = top[l] > gtol ? on[l] : 0;                                                                      \
        for (int i = 0; i < N; i++) LANES {                                                                           \
          double d;                                                                                                   \
          if (ADAM) { m[i][l] = b1 * m[i][l] + (1 - b1) * g[i][l]; v[i][l] = b2 * v[i][l] + (1 - b2) * g[i][l] * g[i][l]; \
            d = a * m[i][l] / (sqrt(v[i][l]) * r + eps); }                                                            \
          else { m[i][l] = b1 * m[i][l] + lr * g[i][l]; d = m[i][l]; }                                                \
          x[i][l] = on[l] > 0 ? x[i][l] - d : x[i][l]; }                                                              \
      }                                                                                                               \
      for (int l = 0; l < W; l++) for (int i = 0; i < N; i++) out[(size_t)(k + l) * N + i] = x[i][l];                 \
    }                                                                                                                 \
  }
DESCEND(himmelblau_adam, 2, himmelblau, 1)
DESCEND(rosenbrock10_momentum, 10, rosenbrock, 0)
DESCEND(rastrigin10_adam, 10, rastrigin, 1)

typedef void descent(const double *, double *, int, int, double, double);
static void report(const char *name, descent *run, int n, int runs, int steps, double box, double lr, int repeats) {
  double *x0 = malloc(sizeof(double) * runs * n), *out = malloc(sizeof(double) * runs * n), best = 1e9, sum = 0;
  srand(1); for (int i = 0; i < runs * n; i++) x0[i] = box * (2.0 * rand() / RAND_MAX - 1);
  for (int r = 0; r < repeats; r++) { double t = now(); run(x0, out, runs, steps, 0.0, lr); t = now() - t; if (t < best) best = t; }
  for (int i = 0; i < runs * n; i++) sum += out[i];
  printf("%s %.4f %.6g\n", name, best / runs / steps * 1e9, sum); free(x0); free(out);
}
static const struct { const char *name; descent *run; int n, runs, steps; double box, lr; } cases[] = {
  {"himmelblau-adam", himmelblau_adam, 2, 16384, 1000, 6, .05},
  {"rosenbrock10-momentum", rosenbrock10_momentum, 10, 4096, 1000, 2, 1e-5},
  {"rastrigin10-adam", rastrigin10_adam, 10, 4096, 300, 5, .05},
};
int main(int argc, char **argv) {
  int repeats = argc > 2 ? atoi(argv[2]) : 5, found = 0;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    if (argc > 1 && strcmp(argv[1], cases[i].name)) continue;
    report(cases[i].name, cases[i].run, cases[i].n, cases[i].runs, cases[i].steps, cases[i].box, cases[i].lr, repeats);
    found = 1;
  }
  if (!found) fprintf(stderr, "no case %s\n", argv[1]);
  return !found;
}
