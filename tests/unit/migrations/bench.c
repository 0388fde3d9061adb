#include "bench.h"

static const struct ledger_names NAMES = { .table = "alembic_version" };

struct db *bench_connect(const char *database)
{
	struct err err = ERR_INIT;
	struct db *db = NULL;
	cleanup_conninfo struct conninfo *ci = NULL;
	const char *where = getenv("RIPCORD_TEST_PG");

	if (!where)
		fail_msg("%s", "RIPCORD_TEST_PG is not set: run this by tests/pg/with_cluster.sh");
	cleanup_free char *all = mem_fmt("%s dbname=%s", where, database);
	if (!conninfo_parse(all, &ci, &err) || !db_open(ci, "bench", &db, &err))
		fail_msg("%s", err.msg);
	return db;
}

void bench_sql(struct db *db, const char *text)
{
	struct err err = ERR_INIT;

	if (!db_run(db, text, &err))
		fail_msg("%s: %s", text, err.msg);
}

char *bench_value(struct db *db, const char *text)
{
	struct err err = ERR_INIT;
	char *out = NULL;

	if (!db_value(db, text, DB_NO_ARGS, &out, &err))
		fail_msg("%s: %s", text, err.msg);
	return out;
}

void bench_assert_value(struct db *db, const char *text, const char *expected)
{
	cleanup_free char *is = bench_value(db, text);

	assert_string_equal(is ? is : "(null)", expected);
}

int bench_set_up(void **state)
{
	struct bench *b = mem_new0(sizeof(*b));
	struct db *admin = bench_connect("postgres");
	struct err err = ERR_INIT;

	bench_sql(admin, "DROP DATABASE IF EXISTS unit WITH (FORCE)");
	bench_sql(admin, "CREATE DATABASE unit");
	db_close(admin);
	b->dir = folder_new();
	b->db = bench_connect("unit");
	b->settings = (struct exec_settings){
		.lock_timeout_ms = 2000,
		.lock_budget_ms = 0,
		.actor = { .run = "0193-test-run", .who = "me", .host = "here", .tool_version = "0" },
	};
	if (!ledger_open(b->db, &NAMES, &b->ledger, &err) || !ledger_create(b->ledger, b->db, &err))
		fail_msg("%s", err.msg);
	*state = b;
	return 0;
}

int bench_tear_down(void **state)
{
	struct bench *b = *state;

	graph_free(b->graph);
	ledger_free(b->ledger);
	db_close(b->db);
	folder_remove(b->dir);
	free(b);
	return 0;
}

void bench_revision(struct bench *b, const char *id, const char *revises, const char *options, const char *up,
                    const char *verify)
{
	cleanup_free char *name = mem_fmt("%s.sql", id);
	cleanup_free char *text =
		mem_fmt("-- revision: %s\n-- revises: %s\n-- ripcord:upgrade%s\n%s%s%s", id, revises, options,
	                up, verify ? "-- ripcord:verify\n" : "", verify ? verify : "");

	folder_put(b->dir, name, text);
}

struct plan *bench_plan(struct bench *b, const char *target, enum direction direction)
{
	struct err err = ERR_INIT;
	struct plan *plan = NULL;

	graph_free(b->graph);
	b->graph = NULL;
	if (!graph_load(b->dir, &b->graph, &err) ||
	    !plan_make(b->graph, ledger_heads(b->ledger), target, direction, &plan, &err))
		fail_msg("%s", err.msg);
	return plan;
}

bool bench_run_each(struct bench *b, const char *target, enum direction direction)
{
	cleanup_plan struct plan *plan = bench_plan(b, target, direction);

	b->err = (struct err)ERR_INIT;
	for (size_t i = 0; i < plan->n; i++)
		if (!exec_unit(b->db, b->ledger, &plan->steps[i], 1, &b->settings, &b->report, &b->err))
			return false;
	return true;
}

bool bench_run_whole(struct bench *b)
{
	cleanup_plan struct plan *plan = bench_plan(b, "heads", DIRECTION_UP);

	b->err = (struct err)ERR_INIT;
	return exec_unit(b->db, b->ledger, plan->steps, plan->n, &b->settings, &b->report, &b->err);
}

void bench_assert_ran(bool ok, const struct bench *b)
{
	if (!ok)
		fail_msg("%s: %s (%s:%d)", b->report.phase ? b->report.phase : "?", b->err.msg, b->err.file,
		         b->err.line);
}
