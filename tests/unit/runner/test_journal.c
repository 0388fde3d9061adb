/* The journal: whole lines only, and which run is finished. */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "runner/guard/journal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#define RUN "019e0000-0000-7000-8000-000000000001"

struct bench {
	char dir[64];
	struct journal *journal;
	struct err err;
};

static int set_up(void **state)
{
	struct bench *b = mem_new0(sizeof(*b));

	strcpy(b->dir, "/tmp/ripcord-journal-XXXXXX");
	if (!mkdtemp(b->dir) || !journal_create(b->dir, RUN, &b->journal, &b->err))
		return -1;
	*state = b;
	return 0;
}

static int tear_down(void **state)
{
	struct bench *b = *state;
	cleanup_strv struct strv runs = STRV_INIT;

	journal_close(b->journal);
	(void)!journal_runs(b->dir, &runs, &b->err);
	for (size_t i = 0; i < runs.n; i++) {
		cleanup_free char *path = mem_fmt("%s/runs/%s.jsonl", b->dir, runs.v[i]);
		(void)unlink(path);
	}
	cleanup_free char *folder = mem_fmt("%s/runs", b->dir);
	(void)rmdir(folder);
	(void)rmdir(b->dir);
	free(b);
	return 0;
}

static void put(struct bench *b, const char *step, const char *event, json_t *data)
{
	assert_true(journal_write(b->journal, step, event, data, &b->err));
}

/* As bytes, behind the journal's back. */
static void append(struct bench *b, const char *text)
{
	cleanup_free char *path = mem_fmt("%s/runs/" RUN ".jsonl", b->dir);
	FILE *f = fopen(path, "a");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static json_t *lines_of(struct bench *b)
{
	json_t *lines = NULL;

	if (!journal_read(b->dir, RUN, &lines, &b->err))
		fail_msg("%s", b->err.msg);
	return lines;
}

static void lines_come_back_in_order(void **state)
{
	struct bench *b = *state;

	put(b, "run", "begin", json_pack("{s:s}", "text", "a\nb \"c\" ü"));
	put(b, "backup", "begin", NULL);
	put(b, "backup", "done", json_pack("{s:i}", "n", 1));
	put(b, "backup", "done", json_pack("{s:i}", "n", 2));
	cleanup_json json_t *lines = lines_of(b);
	assert_int_equal(json_array_size(lines), 4);
	assert_int_equal(json_integer_value(json_object_get(journal_find(lines, "backup", "done"), "n")), 2);
	assert_string_equal(json_string_value(json_object_get(json_array_get(lines, 0), "text")),
	                    "a\nb \"c\" ü");
	assert_null(journal_find(lines, "backup", "end"));
	assert_null(journal_find(lines, "swap", "begin"));
	assert_int_equal(json_integer_value(json_object_get(journal_last(b->journal), "n")), 2);
}

/* What a caller adds cannot pass for another step. */
static void data_do_not_overwrite_step_and_event(void **state)
{
	put(*state, "swap", "begin", json_pack("{s:s, s:s}", "step", "run", "event", "end"));
	cleanup_json json_t *lines = lines_of(*state);
	assert_non_null(journal_find(lines, "swap", "begin"));
	assert_null(journal_find(lines, "run", "end"));
}

static void the_file_is_for_its_owner_alone(void **state)
{
	struct bench *b = *state;
	cleanup_free char *path = mem_fmt("%s/runs/" RUN ".jsonl", b->dir), *dir = mem_fmt("%s/runs", b->dir);
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(stat(dir, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
}

static void a_run_begins_one_journal(void **state)
{
	struct bench *b = *state;
	struct journal *second = NULL;

	assert_false(journal_create(b->dir, RUN, &second, &b->err));
}

static void a_cut_last_line_is_no_line(void **state)
{
	put(*state, "run", "begin", NULL);
	append(*state,
	       "{\"at\": \"2026\", \"step\": \"run\", \"event\": \"end\", \"outcome\": \"upgraded\"}");
	cleanup_json json_t *lines = lines_of(*state);
	assert_int_equal(json_array_size(lines), 1);
	assert_false(journal_is_finished(lines));
}

static void after_a_cut_line_reopening_goes_on_cleanly(void **state)
{
	struct bench *b = *state;

	put(b, "run", "begin", NULL);
	append(b, "{\"at\": \"20");
	journal_close(b->journal);
	b->journal = NULL;
	assert_true(journal_reopen(b->dir, RUN, &b->journal, &b->err));
	put(b, "run", "end", json_pack("{s:s}", "outcome", "restored"));
	cleanup_json json_t *lines = lines_of(b);
	assert_int_equal(json_array_size(lines), 2);
	assert_string_equal(journal_outcome(lines), "restored");
}

static void a_damaged_line_in_the_middle_is_not_passed_over(void **state)
{
	struct bench *b = *state;
	json_t *lines = NULL;

	put(b, "run", "begin", NULL);
	append(b, "{\"at\": \"20\n");
	put(b, "run", "end", json_pack("{s:s}", "outcome", "upgraded"));
	assert_false(journal_read(b->dir, RUN, &lines, &b->err));
	assert_int_equal(b->err.code, ERR_CORRUPT);
}

static void a_journal_that_is_not_there(void **state)
{
	struct bench *b = *state;
	json_t *lines = NULL;
	struct journal *j = NULL;

	assert_false(journal_read(b->dir, "019e0000-0000-7000-8000-00000000dead", &lines, &b->err));
	b->err = (struct err)ERR_INIT;
	assert_false(journal_reopen(b->dir, "019e0000-0000-7000-8000-00000000dead", &j, &b->err));
}

static void stuck_is_not_finished(void **state)
{
	static const struct {
		const char *outcome;
		bool finished;
	} cases[] = { { "stuck", false },
		      { "upgraded", true },
		      { "rolled-back", true },
		      { "stuck", false },
		      { "restored", true } };
	struct bench *b = *state;

	put(b, "run", "begin", NULL);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		put(b, "run", "end", json_pack("{s:s}", "outcome", cases[i].outcome));
		cleanup_json json_t *lines = lines_of(b);
		assert_string_equal(journal_outcome(lines), cases[i].outcome);
		assert_int_equal(journal_is_finished(lines), cases[i].finished);
	}
}

static void limit_files(rlim_t bytes)
{
	const struct rlimit limit = { bytes, RLIM_INFINITY };

	assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void a_full_disk_leaves_no_part_of_a_line(void **state)
{
	struct bench *b = *state;

	put(b, "run", "begin", NULL);
	limit_files(90); /* in the middle of the second line */
	assert_false(journal_write(b->journal, "backup", "begin", NULL, &b->err));
	assert_int_equal(b->err.code, ERR_IO);
	b->err = (struct err)ERR_INIT;
	limit_files(RLIM_INFINITY);
	put(b, "backup", "again", NULL);
	cleanup_json json_t *lines = lines_of(b);
	assert_int_equal(json_array_size(lines), 2);
	assert_non_null(journal_find(lines, "backup", "again"));
}

/* Puts a pipe, which cannot be synced, in the place of the journal's file. */
static void break_sync(void)
{
	char link[64], target[256];
	int ends[2], journal = -1;

	for (int fd = 3; fd < 64; fd++) {
		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		ssize_t n = readlink(link, target, sizeof(target) - 1);
		target[n > 0 ? n : 0] = '\0';
		if (strstr(target, RUN ".jsonl"))
			journal = fd;
	}
	assert_true(journal >= 0);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(dup2(ends[1], journal), journal);
	close(ends[1]);
}

static void a_sync_that_failed_is_not_forgotten(void **state)
{
	struct bench *b = *state;

	put(b, "run", "begin", NULL);
	break_sync();
	assert_true(journal_note(b->journal, "change", "begin", NULL, &b->err));
	assert_false(journal_write(b->journal, "backup", "begin", NULL, &b->err));
	b->err = (struct err)ERR_INIT;
	assert_false(journal_note(b->journal, "backup", "again", NULL, &b->err));
	assert_int_equal(b->err.code, ERR_IO);
}

static void assert_ended(struct bench *b, bool expected)
{
	bool ended = !expected;

	assert_true(journal_has_ended(b->dir, RUN, &ended, &b->err));
	assert_int_equal(ended, expected);
}

static void the_last_line_tells_the_end(void **state)
{
	struct bench *b = *state;

	assert_ended(b, false);
	put(b, "run", "begin", NULL);
	assert_ended(b, false);
	put(b, "run", "end", json_pack("{s:s}", "outcome", "stuck"));
	assert_ended(b, false);
	put(b, "run", "end", json_pack("{s:s}", "outcome", "upgraded"));
	assert_ended(b, true);
	put(b, "run", "accepted", NULL);
	assert_ended(b, true);
	append(b, "{\"step\": \"run\"");
	assert_ended(b, true);
}

static void runs_come_newest_first(void **state)
{
	struct bench *b = *state;
	struct journal *later = NULL;
	cleanup_strv struct strv runs = STRV_INIT, none = STRV_INIT;

	assert_true(journal_create(b->dir, "019e0000-0000-7000-8000-000000000002", &later, &b->err));
	journal_close(later);
	assert_true(journal_runs(b->dir, &runs, &b->err));
	assert_int_equal(runs.n, 2);
	assert_string_equal(runs.v[0], "019e0000-0000-7000-8000-000000000002");
	assert_string_equal(runs.v[1], RUN);
	assert_true(journal_runs("/nonexistent", &none, &b->err));
	assert_int_equal(none.n, 0);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(lines_come_back_in_order),
		CASE(data_do_not_overwrite_step_and_event),
		CASE(the_file_is_for_its_owner_alone),
		CASE(a_run_begins_one_journal),
		CASE(a_cut_last_line_is_no_line),
		CASE(after_a_cut_line_reopening_goes_on_cleanly),
		CASE(a_damaged_line_in_the_middle_is_not_passed_over),
		CASE(a_journal_that_is_not_there),
		CASE(stuck_is_not_finished),
		CASE(a_full_disk_leaves_no_part_of_a_line),
		CASE(a_sync_that_failed_is_not_forgotten),
		CASE(the_last_line_tells_the_end),
		CASE(runs_come_newest_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
