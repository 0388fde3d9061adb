#include "runner/guard/journal.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUFFIX ".jsonl"
enum { JOURNAL_MAX = 1 << 28 }; /* the facts of a hundred thousand objects are some 30 MB */

struct journal {
	int fd;
	char *path;
	json_t *last;
	off_t whole; /* bytes of whole lines */
	bool failed; /* what was written may not be on the disk, whatever a later sync says */
};

static char *journal_path(const char *state_dir, const char *run)
{
	return mem_fmt("%s/runs/%s" SUFFIX, state_dir, run);
}

static bool open_at(const char *state_dir, const char *run, int flags, struct journal **out, struct err *err)
{
	cleanup_free char *path = journal_path(state_dir, run);
	int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | flags, 0600);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) != 0) {
		err_sys(err, "cannot open the journal %s", path);
		if (fd >= 0)
			close(fd);
		return false;
	}
	*out = mem_new0(sizeof(**out));
	(*out)->fd = fd;
	(*out)->path = path;
	(*out)->whole = st.st_size;
	path = NULL;
	return true;
}

bool journal_create(const char *state_dir, const char *run, struct journal **out, struct err *err)
{
	cleanup_free char *dir = mem_fmt("%s/runs", state_dir);
	struct journal *j = NULL;

	if (!file_make_dirs(dir, 0700, err) || !open_at(state_dir, run, O_CREAT | O_EXCL, &j, err))
		return false;
	if (!file_sync_dir(dir, err)) {
		journal_close(j);
		return false;
	}
	*out = j;
	return true;
}

/* Whole lines only, and all of them written anew: those that a failed sync left behind may be in memory alone, which
 * no later sync would say. */
static bool write_anew(const char *path, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT(JOURNAL_MAX);

	if (!file_read(path, &text, err))
		return false;
	while (text.len > 0 && text.data[text.len - 1] != '\n')
		text.len--;
	return file_replace(path, text.data, text.len, 0600, err);
}

bool journal_reopen(const char *state_dir, const char *run, struct journal **out, struct err *err)
{
	cleanup_free char *path = journal_path(state_dir, run);

	return write_anew(path, err) && open_at(state_dir, run, 0, out, err);
}

bool journal_import(const char *state_dir, const char *run, const json_t *lines, struct journal **out,
                    struct err *err)
{
	cleanup_free char *dir = mem_fmt("%s/runs", state_dir), *path = journal_path(state_dir, run);
	cleanup_buf struct buf text = BUF_INIT(JOURNAL_MAX);
	const json_t *line;
	size_t i;

	json_array_foreach(lines, i, line)
	{
		cleanup_free char *one = json_dumps(line, JSON_COMPACT);
		buf_fmt(&text, "%s\n", one);
	}
	return file_make_dirs(dir, 0700, err) && file_replace(path, text.data, text.len, 0600, err) &&
	       open_at(state_dir, run, 0, out, err);
}

void journal_close(struct journal *j)
{
	if (!j)
		return;
	close(j->fd);
	json_decref(j->last);
	free(j->path);
	free(j);
}

static bool fail_for_good(struct journal *j, const char *what, struct err *err)
{
	j->failed = true;
	return err_sys(err, "cannot %s the journal %s", what, j->path);
}

/* What a full disk left of a line would make one line of it and the next. */
static bool append(struct journal *j, const char *text, size_t len, struct err *err)
{
	if (j->failed)
		return err_set(err, ERR_IO, "the journal %s could not be written before", j->path);
	if (file_write_all(j->fd, text, len, j->path, err)) {
		j->whole += (off_t)len;
		return true;
	}
	/* EIO and the like: nobody knows what is on the disk.  ENOSPC comes before anything is there. */
	j->failed = err->sys_errno != ENOSPC && err->sys_errno != EDQUOT && err->sys_errno != EFBIG;
	if (ftruncate(j->fd, j->whole) != 0)
		j->failed = true;
	return false;
}

bool journal_note(struct journal *j, const char *step, const char *event, json_t *data, struct err *err)
{
	char at[CLOCK_ISO];
	json_t *line = json_object();

	json_put(line, "at", json_str(clock_iso(clock_wall_us(), at)));
	json_put(line, "step", json_str(step));
	json_put(line, "event", json_str(event));
	if (data)
		json_object_update_missing(line, data);
	json_decref(data);
	json_decref(j->last);
	j->last = line;

	cleanup_free char *text = json_dumps(line, JSON_COMPACT);
	cleanup_free char *whole = mem_fmt("%s\n", text);
	return append(j, whole, strlen(whole), err);
}

bool journal_write(struct journal *j, const char *step, const char *event, json_t *data, struct err *err)
{
	/* A sync that failed is not tried again: the kernel forgets what it could not write. */
	return journal_note(j, step, event, data, err) &&
	       (fsync(j->fd) == 0 || fail_for_good(j, "sync", err));
}

const json_t *journal_last(const struct journal *j) { return j->last; }

bool journal_read(const char *state_dir, const char *run, json_t **out, struct err *err)
{
	cleanup_free char *path = journal_path(state_dir, run);
	cleanup_buf struct buf text = BUF_INIT(JOURNAL_MAX);
	cleanup_json json_t *lines = json_array();

	if (!file_read(path, &text, err))
		return false;
	for (const char *p = buf_text(&text), *end; *p; p = end + 1) {
		json_t *line;
		struct err broken = ERR_INIT;

		end = strchr(p, '\n');
		if (!end)
			break; /* cut short by a crash */
		if (json_parse(p, (size_t)(end - p), path, &line, &broken))
			json_push(lines, line);
		else if (end > p)
			return err_set(err, ERR_CORRUPT, "%s", broken.msg);
	}
	*out = json_incref(lines);
	return true;
}

const json_t *journal_find(const json_t *lines, const char *step, const char *event)
{
	for (size_t i = json_array_size(lines); i-- > 0;) {
		const json_t *line = json_array_get(lines, i);
		const char *s = json_string_value(json_object_get(line, "step"));
		const char *e = json_string_value(json_object_get(line, "event"));
		if (s && e && strcmp(s, step) == 0 && strcmp(e, event) == 0)
			return line;
	}
	return NULL;
}

const char *journal_outcome(const json_t *lines)
{
	return json_string_value(json_object_get(journal_find(lines, "run", "end"), "outcome"));
}

bool journal_is_finished(const json_t *lines)
{
	const char *outcome = journal_outcome(lines);

	return outcome && strcmp(outcome, "stuck") != 0;
}

/* The last whole line of a file, without reading the rest: journals of large schemas are large.  *line is NULL when
 * it is none, or longer than what is looked at. */
static bool read_last_line(const char *path, json_t **line, struct err *err)
{
	enum { LOOK = 1 << 16 };
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	cleanup_free char *tail = mem_new0(LOOK + 1);
	struct err broken = ERR_INIT;
	struct stat st;

	*line = NULL;
	if (fd < 0 || fstat(fd, &st) != 0)
		return err_sys(err, "cannot open the journal %s", path);
	ssize_t got = pread(fd, tail, LOOK, st.st_size > LOOK ? st.st_size - LOOK : 0);
	if (got < 0)
		return err_sys(err, "cannot read the journal %s", path);
	char *end = memrchr(tail, '\n', (size_t)got);
	char *begin = end ? memrchr(tail, '\n', (size_t)(end - tail)) : NULL;
	if (begin && !json_parse(begin + 1, (size_t)(end - begin - 1), path, line, &broken))
		*line = NULL;
	return true;
}

bool journal_has_ended(const char *state_dir, const char *run, bool *ended, struct err *err)
{
	cleanup_free char *path = journal_path(state_dir, run);
	cleanup_json json_t *last = NULL;

	if (!read_last_line(path, &last, err))
		return false;
	const char *step = json_string_value(json_object_get(last, "step")),
		   *event = json_string_value(json_object_get(last, "event")),
		   *outcome = json_string_value(json_object_get(last, "outcome"));
	*ended = step && event && strcmp(step, "run") == 0 &&
	         (strcmp(event, "accepted") == 0 ||
	          (strcmp(event, "end") == 0 && outcome && strcmp(outcome, "stuck") != 0));
	return true;
}

bool journal_runs(const char *state_dir, struct strv *out, struct err *err)
{
	cleanup_free char *dir = mem_fmt("%s/runs", state_dir);
	cleanup_strv struct strv found = STRV_INIT;
	DIR *d = opendir(dir);

	if (!d && errno == ENOENT)
		return true;
	if (!d)
		return err_sys(err, "cannot read %s", dir);
	for (struct dirent *e; (e = readdir(d));) {
		size_t len = strlen(e->d_name);
		if (text_ends(e->d_name, SUFFIX))
			strv_fmt(&found, "%.*s", (int)(len - strlen(SUFFIX)), e->d_name);
	}
	closedir(d);
	strv_sort(&found);
	for (size_t i = found.n; i-- > 0;)
		strv_add(out, found.v[i]);
	return true;
}
