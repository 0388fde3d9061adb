#include "migrations/parser.h"

#include "base/mem.h"

#include <pg_query.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* At most 160 bytes of stack a level and two bytes of text a level ("+1"), measured with libpg_query 15-4.0;
 * texts up to INLINE_MAX need 2.6 MB then, and longer ones get three times what was measured. */
#define INLINE_MAX     ((size_t)32 << 10)
#define STACK_PER_BYTE ((size_t)256)
#define STACK_BASE     ((size_t)1 << 20)

struct task {
	const char *sql;
	PgQueryParseResult result;
};

static void *parse_task(void *arg)
{
	struct task *task = arg;

	task->result = pg_query_parse(task->sql);
	return NULL;
}

static bool parse_on_thread(struct task *task, size_t len, struct err *err)
{
	pthread_attr_t attr;
	pthread_t thread;
	int failed = pthread_attr_init(&attr);

	if (failed)
		return err_set(err, ERR_IO, "cannot prepare a thread: %s", strerror(failed));
	failed = pthread_attr_setstacksize(&attr, STACK_BASE + len * STACK_PER_BYTE);
	if (!failed)
		failed = pthread_create(&thread, &attr, parse_task, task);
	(void)pthread_attr_destroy(&attr);
	if (failed)
		return err_set(err, ERR_IO, "cannot start a thread to parse on: %s", strerror(failed));
	failed = pthread_join(thread, NULL);
	return failed ? err_set(err, ERR_IO, "cannot join the parsing thread: %s", strerror(failed)) : true;
}

bool parser_parse(const char *sql, json_t **tree, struct err *err)
{
	struct task task = { .sql = sql };
	size_t len = strlen(sql);
	bool ok;

	if (len > PARSER_TREE_MAX)
		return err_set(err, ERR_USAGE, "a text of %zu bytes is too long to be parsed", len);
	if (len <= INLINE_MAX)
		parse_task(&task);
	else if (!parse_on_thread(&task, len, err))
		return false;
	const char *text = task.result.parse_tree ? task.result.parse_tree : "";
	if (task.result.error)
		ok = err_set(err, ERR_USAGE, "the parser does not know this text: %s",
		             task.result.error->message);
	else
		ok = json_parse(text, strlen(text), "the parse tree", tree, err) ||
		     err_recode(err, ERR_USAGE);
	pg_query_free_parse_result(task.result);
	return ok;
}

bool parser_split(const char *sql, struct statement **out, size_t *n, struct err *err)
{
	PgQuerySplitResult r = pg_query_split_with_parser(sql);
	struct statement *list;

	if (r.error) {
		err_set(err, ERR_USAGE, "the parser does not know this text: %s", r.error->message);
		pg_query_free_split_result(r);
		return false;
	}
	list = mem_new0(((size_t)r.n_stmts + 1) * sizeof(*list));
	for (int i = 0; i < r.n_stmts; i++) {
		list[i].start = (size_t)r.stmts[i]->stmt_location;
		/* A length of 0 is the parser's way to say "to the end". */
		list[i].len =
			r.stmts[i]->stmt_len ? (size_t)r.stmts[i]->stmt_len : strlen(sql + list[i].start);
	}
	*n = (size_t)r.n_stmts;
	*out = list;
	pg_query_free_split_result(r);
	return true;
}

bool parser_is_unfinished(const char *sql)
{
	PgQuerySplitResult r = pg_query_split_with_parser(sql);
	bool unfinished = r.error && strcmp(r.error->message, "syntax error at end of input") == 0;

	pg_query_free_split_result(r);
	return unfinished;
}
