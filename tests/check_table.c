/* The table gives every tensor a place of its own, aligned unless packed, and initial values of the stated kind that
 * depend on (seed, tensor, element) alone. */
#include "src/base/arena.h"
#include "src/base/table.h"
#include "tests/harness.h"

static struct table table;

static void set_up(void) {
  table = (struct table){ 0 };
  table_add(&table, "bias", 1, (size_t[]){ 5 }, RULE_ADAM, INIT_ZERO, 0, 0);
  table_add(&table, "norm.weight", 1, (size_t[]){ 33 }, RULE_ADAM, INIT_ONE, 0, 0);
  table_add(&table, "w1.weight", 2, (size_t[]){ 301, 67 }, RULE_MUON, INIT_NORMAL, 0.02, 0);
  table_add(&table, "w3.weight", 2, (size_t[]){ 301, 67 }, RULE_MUON, INIT_NORMAL, 0.02, 1);
  table_add(&table, "proj.weight", 4, (size_t[]){ 128, 3, 7, 7 }, RULE_MUON, INIT_UNIFORM, 0.25, 0);
  table_add(&table, "same.weight", 4, (size_t[]){ 128, 3, 7, 7 }, RULE_MUON, INIT_UNIFORM, 0.25, 0);
}

START_TEST(places_are_apart_and_aligned) {
  set_up();
  size_t end = 0, sum = 0;
  for (size_t i = 0; i < table.count; i++) {
    const struct tensor *t = &table.tensors[i];
    size_t product = 1;
    for (int k = 0; k < t->rank; k++) product *= t->shape[k];
    ck_assert_uint_eq(t->size, product);
    ck_assert_uint_ge(t->offset, end);
    if (strcmp(t->name, "w3.weight")) ck_assert_uint_eq(t->offset % ARENA_ALIGN, 0);
    else ck_assert_uint_eq(t->offset, end);   /* packed */
    end = t->offset + t->size;
    sum += t->size;
  }
  ck_assert_uint_ge(table.size, end);
  ck_assert_uint_eq(table_parameters(&table), sum);
  table_free(&table);
  ck_assert_uint_eq(table.count, 0);
} END_TEST

START_TEST(find_goes_by_the_whole_name) {
  set_up();
  ck_assert_ptr_eq(table_find(&table, "w3.weight"), &table.tensors[3]);
  ck_assert_ptr_null(table_find(&table, "w3"));
  ck_assert_ptr_null(table_find(&table, ""));
  table_free(&table);
} END_TEST

START_TEST(second_moments_are_placed_for_those_that_have_them) {
  for (int all = 0; all < 2; all++) {
    set_up();
    table_place_second(&table, all);
    size_t end = 0;
    for (size_t i = 0; i < table.count; i++) {
      const struct tensor *t = &table.tensors[i];
      if (!all && t->rule == RULE_MUON) {
        ck_assert_uint_eq(t->second, SIZE_MAX);
        continue;
      }
      ck_assert_uint_ge(t->second, end);
      end = t->second + t->size;
    }
    ck_assert_uint_ge(table.second_size, end);
    table_free(&table);
  }
} END_TEST

static void moments(const struct tensor *t, const real *weights, double *mean, double *deviation) {
  const real *w = weights + t->offset;
  *mean = *deviation = 0;
  for (size_t i = 0; i < t->size; i++) *mean += (double)w[i] / (double)t->size;
  for (size_t i = 0; i < t->size; i++) *deviation += pow((double)w[i] - *mean, 2) / (double)t->size;
  *deviation = sqrt(*deviation);
}

START_TEST(initial_values_have_the_stated_mean_and_deviation) {
  set_up();
  real *weights = new_normal(1, table.size);   /* what was there before does not matter */
  table_init_weights(&table, 42, weights);
  double mean, deviation;
  moments(&table.tensors[0], weights, &mean, &deviation);
  ck_assert_double_eq(mean, 0);
  ck_assert_double_eq(deviation, 0);
  moments(&table.tensors[1], weights, &mean, &deviation);
  ck_assert_double_eq_tol(mean, 1, 1e-12);
  ck_assert_double_eq_tol(deviation, 0, 1e-12);
  for (int i = 2; i < 6; i++) {
    const struct tensor *t = &table.tensors[i];
    const double expected = t->init == INIT_NORMAL ? t->scale : t->scale / sqrt(3);   /* half-width l: l/sqrt(3) */
    moments(t, weights, &mean, &deviation);
    ck_assert_double_eq_tol(mean, 0, 5 * expected / sqrt((double)t->size));
    ck_assert_double_eq_tol(deviation, expected, 5 * expected / sqrt(2.0 * (double)t->size));
    if (t->init == INIT_UNIFORM) ck_assert_double_le(max_abs(t->size, weights + t->offset), t->scale);
  }
  free(weights);
  table_free(&table);
} END_TEST

START_TEST(gaps_stay_zero) {
  set_up();
  real *weights = new_normal(1, table.size);
  table_init_weights(&table, 42, weights);
  for (size_t i = 0; i + 1 < table.count; i++) {
    const struct tensor *t = &table.tensors[i];
    for (size_t j = t->offset + t->size; j < t[1].offset; j++) ck_assert_double_eq((double)weights[j], 0);
  }
  free(weights);
  table_free(&table);
} END_TEST

START_TEST(initial_values_depend_on_seed_and_tensor) {
  set_up();
  real *a = new_zeros(table.size), *b = new_zeros(table.size);
  table_init_weights(&table, 42, a);
  table_init_weights(&table, 42, b);
  ck_assert_double_eq(max_abs_difference(table.size, a, b), 0);
  table_init_weights(&table, 43, b);
  const struct tensor *w1 = &table.tensors[2], *proj = &table.tensors[4], *same = &table.tensors[5];
  ck_assert_double_gt(max_abs_difference(w1->size, a + w1->offset, b + w1->offset), w1->scale);
  ck_assert_double_gt(max_abs_difference(proj->size, a + proj->offset, a + same->offset), proj->scale);
  free(a);
  free(b);
  table_free(&table);
} END_TEST

int main(void) {
  return run_tests("table", (const TTest *[]){
    places_are_apart_and_aligned, find_goes_by_the_whole_name, second_moments_are_placed_for_those_that_have_them,
    initial_values_have_the_stated_mean_and_deviation, gaps_stay_zero, initial_values_depend_on_seed_and_tensor, NULL });
}
