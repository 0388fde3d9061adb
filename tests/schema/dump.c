#include "tests/schema/dump.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/proc.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINES_MAX 20

static bool take(void *ctx, const void *data, size_t len, struct err *err)
{
	(void)err;
	buf_add(ctx, data, len);
	return true;
}

bool dump_schema(const char *where, char **text, struct err *err)
{
	const char *bin = getenv("PG_BIN");
	cleanup_free char *program = bin ? mem_fmt("%s/pg_dump", bin) : proc_which("pg_dump");
	const char *const argv[] = { program, "--schema-only", "-d", where, NULL };
	cleanup_buf struct buf out = BUF_INIT(BUF_TEXT_MAX);
	struct proc_result result;
	struct proc_spec spec = {
		.argv = argv, .envp = (const char *const *)environ, .on_stdout = take, .ctx = &out
	};

	if (!program)
		return err_set(err, ERR_PROC, "there is no pg_dump");
	if (!proc_run(&spec, &result, err))
		return err_wrap(err, "pg_dump failed");
	*text = buf_take(&out);
	return true;
}

/* What psql alone understands: the key is another in each dump. */
static bool is_for_psql(const char *line)
{
	return text_starts(line, "\\restrict ") || text_starts(line, "\\unrestrict ");
}

/* Options stand in the order in which they were set: each is a line. */
static void add_options(char *line, struct strv *out)
{
	static const char SIGNS[] = " (),;";
	char *rest = line + strlen("WITH");

	for (char *word; (word = strsep(&rest, SIGNS));)
		if (*word)
			strv_add(out, word);
}

void dump_lines(const char *text, struct strv *out)
{
	cleanup_free char *copy = mem_strdup(text);

	for (char *rest = copy, *line; (line = strsep(&rest, "\n"));) {
		size_t len = strlen(line);
		if (len == 0 || text_starts(line, "--") || is_for_psql(line))
			continue;
		if (line[len - 1] == ',')
			line[len - 1] = '\0';
		if (text_starts(line, "WITH ("))
			add_options(line, out);
		else
			strv_add(out, line);
	}
	strv_sort(out);
}

void dump_lacks(const struct strv *all, const struct strv *without, struct strv *out)
{
	for (size_t i = 0, k = 0; i < all->n;) {
		int order = k == without->n ? -1 : strcmp(all->v[i], without->v[k]);

		if (order < 0)
			strv_add(out, all->v[i]);
		i += order <= 0;
		k += order >= 0;
	}
}

static void print_lines(const char *sign, const struct strv *lines)
{
	for (size_t i = 0; i < lines->n && i < LINES_MAX; i++)
		printf("%s %s\n", sign, lines->v[i]);
}

size_t dump_differs(const struct strv *is, const struct strv *wanted, const char *way)
{
	cleanup_strv struct strv missing = STRV_INIT, added = STRV_INIT;

	dump_lacks(wanted, is, &missing);
	dump_lacks(is, wanted, &added);
	if (missing.n + added.n > 0)
		printf("%s: the dumps differ:\n", way);
	print_lines("-", &missing);
	print_lines("+", &added);
	return missing.n + added.n;
}

char *dump_as_sql(const char *text)
{
	cleanup_buf struct buf sql = BUF_INIT(BUF_TEXT_MAX);
	cleanup_free char *copy = mem_strdup(text);

	for (char *rest = copy, *line; (line = strsep(&rest, "\n"));)
		if (!is_for_psql(line))
			buf_fmt(&sql, "%s\n", line);
	return buf_take(&sql);
}
