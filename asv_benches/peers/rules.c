/* Every update rule by hand, in the manner of ceiling.c: RUNS descents of STEPS steps in double precision on one thread, W
   runs abreast, with a stop test for each run (largest |gradient| <= GTOL freezes it), and what depends on the step alone
   computed once for each step.
     gcc -O3 -march=native -fopenmp-simd -fno-math-errno -shared -fPIC rules.c -o rules.so -lmvec -lm
   A rule is four macros, and a fifth where it takes the gradient elsewhere than at x:
     SLOTS         how many numbers of state a parameter has
     START(k)      what slot k holds before the first step; x0 is the parameter
     COEFFICIENTS  once a step, from the hyperparameters h in the order of fastgd's fields, and the step t = 0, 1, ...
                   p1, p2, p3 and p4 are 1 before the first step, for powers
     PROBE         the point at which the gradient is taken, from x and the state
     UPDATE        S(k) is slot k, g the gradient, x the parameter; `next` is its next value
   What fastgd's default of 0 turns off (a weight decay, a dampening) is left out. */
#include <string.h>
#include "problems.h"

#define S(k) s[k][i][l]
#define ZERO(k) 0
#define DESCEND(PROBLEM, N, RULE, AT)                                                                                  \
  static void PROBLEM##_##RULE(const double *start, double *out, int runs, int steps, double gtol, const double *h) {  \
    row xs[N], ys[N], gs[N], s[RULE##_SLOTS + 1][N]; double on[W]; (void)ys; (void)s;                                  \
    for (int k = 0; k < runs; k += W) {                                                                                \
      for (int l = 0; l < W; l++) { on[l] = 1; for (int i = 0; i < N; i++) {                                           \
        const double x0 = xs[i][l] = start[(size_t)(k + l) * N + i]; (void)x0;                                         \
        for (int j = 0; j < RULE##_SLOTS; j++) S(j) = RULE##_START(j); } }                                             \
      double p1 = 1, p2 = 1, p3 = 1, p4 = 1; (void)p1; (void)p2; (void)p3; (void)p4;                                   \
      for (int t = 0; t < steps; t++) {                                                                                \
        const double lr = h[0]; (void)lr; RULE##_COEFFICIENTS row top;                                                           \
        AT(N, RULE)                                                                                                    \
        PROBLEM(N, at, gs); LANES top[l] = 0;                                                                          \
        for (int i = 0; i < N; i++) LANES top[l] = fabs(gs[i][l]) > top[l] ? fabs(gs[i][l]) : top[l];                  \
        LANES on[l] = top[l] > gtol ? on[l] : 0;                                                                       \
        for (int i = 0; i < N; i++) LANES {                                                                            \
          const double x = xs[i][l], g = gs[i][l]; RULE##_UPDATE xs[i][l] = on[l] > 0 ? next : x; }                    \
      }                                                                                                                \
      for (int l = 0; l < W; l++) for (int i = 0; i < N; i++) out[(size_t)(k + l) * N + i] = xs[i][l];                 \
    }                                                                                                                  \
  }
#define AT_X(N, RULE) row *at = xs;
#define AT_PROBE(N, RULE) \
  row *at = ys; for (int i = 0; i < N; i++) LANES { const double x = xs[i][l]; ys[i][l] = RULE##_PROBE; }

#define gradient_descent_SLOTS 0
#define gradient_descent_START ZERO
#define gradient_descent_COEFFICIENTS
#define gradient_descent_UPDATE double next = x - lr * g;

#define momentum_SLOTS 1
#define momentum_START ZERO
#define momentum_COEFFICIENTS const double mu = h[1];
#define momentum_UPDATE double b = S(0) = mu * S(0) + g, next = x - lr * b;

#define nesterov_SLOTS 1
#define nesterov_START ZERO
#define nesterov_COEFFICIENTS const double mu = h[1];
#define nesterov_UPDATE double b = S(0) = mu * S(0) + g, next = x - lr * (g + mu * b);

#define adagrad_SLOTS 1
#define adagrad_START(k) h[3]
#define adagrad_COEFFICIENTS const double rate = lr / (1 + t * h[1]), eps = h[4];
#define adagrad_UPDATE double v = S(0) = S(0) + g * g, next = x - rate * g / (sqrt(v) + eps);

#define rmsprop_SLOTS 1
#define rmsprop_START ZERO
#define rmsprop_COEFFICIENTS const double alpha = h[1], eps = h[2];
#define rmsprop_UPDATE double v = S(0) = alpha * S(0) + (1 - alpha) * g * g, next = x - lr * g / (sqrt(v) + eps);

#define adadelta_SLOTS 2
#define adadelta_START ZERO
#define adadelta_COEFFICIENTS const double rho = h[1], eps = h[2];
#define adadelta_UPDATE                                                                                                \
  double v = S(0) = rho * S(0) + (1 - rho) * g * g, d = sqrt((S(1) + eps) / (v + eps)) * g, next = x - lr * d;         \
  S(1) = rho * S(1) + (1 - rho) * d * d;

/* m and v of Adam and its kin, with their corrections: rate m / (sqrt(v) scale + eps) */
#define MOMENTS(b1, b2)                                                                                                \
  const double beta1 = b1, beta2 = b2; p1 *= beta1; p2 *= beta2;                                                       \
  const double rate = lr / (1 - p1), scale = 1 / sqrt(1 - p2); (void)rate; (void)scale;
#define MEAN double m = S(0) = beta1 * S(0) + (1 - beta1) * g;
#define SQUARE(k) double v = S(k) = beta2 * S(k) + (1 - beta2) * g * g;

#define adam_SLOTS 2
#define adam_START ZERO
#define adam_COEFFICIENTS MOMENTS(h[1], h[2]) const double eps = h[3];
#define adam_UPDATE MEAN SQUARE(1) double next = x - rate * m / (sqrt(v) * scale + eps);

#define adamw_SLOTS 2
#define adamw_START ZERO
#define adamw_COEFFICIENTS MOMENTS(h[1], h[2]) const double eps = h[3], keep = 1 - lr * h[4];
#define adamw_UPDATE MEAN SQUARE(1) double next = keep * x - rate * m / (sqrt(v) * scale + eps);

#define adamax_SLOTS 2
#define adamax_START ZERO
#define adamax_COEFFICIENTS MOMENTS(h[1], h[2]) const double eps = h[3];
#define adamax_UPDATE                                                                                                  \
  MEAN double old = beta2 * S(1), new = fabs(g) + eps, u = S(1) = old > new ? old : new, next = x - rate * m / u;

#define nadam_SLOTS 2
#define nadam_START ZERO
#define nadam_COEFFICIENTS                                                                                             \
  MOMENTS(h[1], h[2]) const double eps = h[3], fall = pow(.96, h[5]);                                                  \
  p3 *= fall; const double mu = beta1 * (1 - .5 * p3), mu_next = beta1 * (1 - .5 * p3 * fall);                         \
  p4 *= mu; const double rate_g = lr * (1 - mu) / (1 - p4), rate_m = lr * mu_next / (1 - p4 * mu_next);
#define nadam_UPDATE MEAN SQUARE(1) double next = x - (rate_g * g + rate_m * m) / (sqrt(v) * scale + eps);

#define radam_SLOTS 2
#define radam_START ZERO
#define radam_COEFFICIENTS                                                                                             \
  MOMENTS(h[1], h[2]) const double limit = 2 / (1 - beta2) - 1, rho = limit - 2 * (t + 1) * p2 / (1 - p2);             \
  const int known = rho > 5;                                                                                           \
  const double r = sqrt((rho - 4) * (rho - 2) * limit / ((limit - 4) * (limit - 2) * rho)) / scale;                    \
  const double a = known ? rate * r : rate, weight = known ? 1 : 0, eps = known ? h[3] : 1;
#define radam_UPDATE MEAN SQUARE(1) double next = x - a * m / (sqrt(v) * weight + eps);

#define adabelief_SLOTS 2
#define adabelief_START ZERO
#define adabelief_COEFFICIENTS MOMENTS(h[1], h[2]) const double eps = h[3], eps_root = h[4];
#define adabelief_UPDATE                                                                                               \
  MEAN double v = S(1) = beta2 * S(1) + (1 - beta2) * (g - m) * (g - m) + eps_root;                                    \
  double next = x - rate * m / (sqrt(v) * scale + eps);

#define yogi_SLOTS 2
#define yogi_START(k) h[4]
#define yogi_COEFFICIENTS MOMENTS(h[1], h[2]) const double eps = h[3];
#define yogi_UPDATE                                                                                                    \
  MEAN double gg = g * g, sign = S(1) > gg ? 1 : S(1) < gg ? -1 : 0, v = S(1) = S(1) - (1 - beta2) * sign * gg;        \
  double next = x - rate * m / (sqrt(v) * scale + eps);

#define adan_SLOTS 4
#define adan_START ZERO
#define adan_COEFFICIENTS                                                                                              \
  MOMENTS(h[1], h[2]) const double beta3 = h[3], eps = h[4], eps_root = h[5]; p3 *= beta3;                             \
  const double alpha = 1 - beta2, rate_d = lr * alpha / (1 - p2), scale_n = 1 / (1 - p3), later = t > 0;
#define adan_UPDATE                                                                                                    \
  MEAN double change = later * (g - S(3)), d = S(1) = beta2 * S(1) + (1 - beta2) * change, ahead = g + alpha * change; \
  double n = S(2) = beta3 * S(2) + (1 - beta3) * ahead * ahead; S(3) = g;                                              \
  double next = x - (rate * m + rate_d * d) / (sqrt(n * scale_n + eps_root) + eps);

#define ademamix_SLOTS 3
#define ademamix_START ZERO
#define ademamix_COEFFICIENTS MOMENTS(h[1], h[2]) const double beta3 = h[3], rate_slow = lr * h[4], eps = h[5];
#define ademamix_UPDATE                                                                                                \
  MEAN SQUARE(1) double slow = S(2) = beta3 * S(2) + (1 - beta3) * g;                                                  \
  double next = x - (rate * m + rate_slow * slow) / (sqrt(v) * scale + eps);

#define rprop_SLOTS 2
#define rprop_START(k) (k ? 0 : h[0])
#define rprop_COEFFICIENTS const double minus = h[1], plus = h[2], least = h[3], most = h[4];
#define rprop_UPDATE                                                                                                   \
  double turn = g * S(1), step = S(0) * (turn > 0 ? plus : turn < 0 ? minus : 1);                                      \
  step = step > least ? step : least; step = S(0) = step < most ? step : most;                                         \
  double used = S(1) = turn < 0 ? 0 : g, next = x - step * (used > 0 ? 1 : used < 0 ? -1 : 0);

#define lion_SLOTS 1
#define lion_START ZERO
#define lion_COEFFICIENTS const double beta1 = h[1], beta2 = h[2];
#define lion_UPDATE                                                                                                    \
  double c = beta1 * S(0) + (1 - beta1) * g, next = x - lr * (c > 0 ? 1 : c < 0 ? -1 : 0);                             \
  S(0) = beta2 * S(0) + (1 - beta2) * g;

#define schedule_free_sgd_SLOTS 1
#define schedule_free_sgd_START(k) x0
#define schedule_free_sgd_COEFFICIENTS const double beta = h[1], share = 1.0 / (t + 1);
#define schedule_free_sgd_PROBE S(0) + beta * (x - S(0))
#define schedule_free_sgd_UPDATE double z = S(0) = S(0) - lr * g, next = x + share * (z - x);

#define schedule_free_adamw_SLOTS 2
#define schedule_free_adamw_START(k) (k ? 0 : x0)
#define schedule_free_adamw_COEFFICIENTS MOMENTS(h[1], h[2]) const double eps = h[3], share = 1.0 / (t + 1);
#define schedule_free_adamw_PROBE S(0) + beta1 * (x - S(0))
#define schedule_free_adamw_UPDATE                                                                                     \
  SQUARE(1) double z = S(0) = S(0) - lr * g / (sqrt(v) * scale + eps), next = x + share * (z - x);

#define RULES(DO)                                                                                                      \
  DO(gradient_descent, AT_X) DO(momentum, AT_X) DO(nesterov, AT_X) DO(adagrad, AT_X) DO(rmsprop, AT_X)                 \
  DO(adadelta, AT_X) DO(adam, AT_X) DO(adamw, AT_X) DO(adamax, AT_X) DO(nadam, AT_X) DO(radam, AT_X)                   \
  DO(adabelief, AT_X) DO(yogi, AT_X) DO(adan, AT_X) DO(ademamix, AT_X) DO(rprop, AT_X) DO(lion, AT_X)                  \
  DO(schedule_free_sgd, AT_PROBE) DO(schedule_free_adamw, AT_PROBE)
#define FUNCTIONS(RULE, AT) DESCEND(himmelblau, 2, RULE, AT) DESCEND(rosenbrock, 10, RULE, AT) DESCEND(rastrigin, 10, RULE, AT)
RULES(FUNCTIONS)

#define ROWS(RULE, AT)                                                                                                 \
  {"himmelblau", #RULE, himmelblau_##RULE}, {"rosenbrock", #RULE, rosenbrock_##RULE}, {"rastrigin", #RULE, rastrigin_##RULE},
static const struct {
  const char *problem, *rule;
  void (*run)(const double *, double *, int, int, double, const double *);
} rows[] = {RULES(ROWS)};

/* The end points of the runs into `out`; 1 if there is no such problem or rule.  `runs` is a multiple of W. */
int descend(const char *problem, const char *rule, const double *start, double *out, int runs, int steps, double gtol, const double *h) {
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    if (!strcmp(rows[i].problem, problem) && !strcmp(rows[i].rule, rule)) {
      rows[i].run(start, out, runs, steps, gtol, h);
      return 0;
    }
  return 1;
}
