/*
 * bench.h - revisions run against a server: a database and a folder of its own for each test.
 * Needs a server: tests/pg/with_cluster.sh sets RIPCORD_TEST_PG.
 */
#ifndef TESTS_UNIT_MIGRATIONS_BENCH_H
#define TESTS_UNIT_MIGRATIONS_BENCH_H

#include "folder.h"

#include "base/db.h"

struct bench {
	char *dir;
	struct db *db;
	struct ledger *ledger;
	struct graph *graph;
	struct exec_settings settings;
	struct exec_report report;
	struct err err;
};

int bench_set_up(void **state);
int bench_tear_down(void **state);
#define BENCH_TEST(name) cmocka_unit_test_setup_teardown(name, bench_set_up, bench_tear_down)

struct db *bench_connect(const char *database);
void bench_sql(struct db *db, const char *text);
char *bench_value(struct db *db, const char *text); /* the caller's */
void bench_assert_value(struct db *db, const char *text, const char *expected);

/* Writes the file of one; options stand on the upgrade's marker. */
void bench_revision(struct bench *b, const char *id, const char *revises, const char *options, const char *up,
                    const char *verify);
struct plan *bench_plan(struct bench *b, const char *target, enum direction direction);

/* Runs all steps, each as a unit of its own. */
bool bench_run_each(struct bench *b, const char *target, enum direction direction);
/* All the way up, as one unit. */
bool bench_run_whole(struct bench *b);
void bench_assert_ran(bool ok, const struct bench *b);

#endif
