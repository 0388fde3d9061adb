#include "backup/stores/notes.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/uuid.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define FOLDER   "uploads"
#define NOTE_MAX ((size_t)64 << 10)

struct note {
	char *path; /* owned */
	int fd;     /* holds the lock */
};

static bool add_line(const struct note *n, const json_t *j, struct err *err)
{
	cleanup_free char *text = json_canonical(j);
	cleanup_free char *line = mem_fmt("%s\n", text);

	if (!file_write_all(n->fd, line, strlen(line), n->path, err))
		return false;
	return fdatasync(n->fd) == 0 || err_sys(err, "cannot sync '%s'", n->path);
}

static bool write_first(const struct note *n, const struct note_place *p, const char *key, struct err *err)
{
	cleanup_json json_t *j = json_object();

	json_put(j, "place", json_str(p->where));
	json_put(j, "key", json_str(key));
	return add_line(n, j, err);
}

/* Locked and whole before it has its name: a note that can be found is either locked or of a dead run. */
static bool make(struct note *n, const char *folder, const struct note_place *p, const char *key,
                 struct err *err)
{
	cleanup_free char *temp = mem_fmt("%s.new", n->path);

	n->fd = open(temp, O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (n->fd < 0)
		return err_sys(err, "cannot create '%s'", temp);
	if (flock(n->fd, LOCK_EX | LOCK_NB) < 0)
		return err_sys(err, "cannot lock '%s'", temp);
	if (!write_first(n, p, key, err))
		return false;
	if (rename(temp, n->path) < 0)
		return err_sys(err, "cannot rename '%s'", temp);
	return file_sync_dir(folder, err);
}

bool note_begin(const struct note_place *p, const char *key, struct note **out, struct err *err)
{
	char id[17];

	*out = NULL;
	if (!p->state_dir)
		return true;
	cleanup_free char *folder = path_join(p->state_dir, FOLDER);
	if (!file_make_dirs(folder, 0700, err))
		return false;
	random_hex(id, sizeof(id) - 1);
	struct note *n = mem_new0(sizeof(*n));
	n->fd = -1;
	n->path = mem_fmt("%s/%s.%s", folder, id, p->kind);
	if (!make(n, folder, p, key, err)) {
		cleanup_free char *temp = mem_fmt("%s.new", n->path);
		(void)unlink(temp); /* whichever of the two there is; the failure is what is reported */
		note_end(n, true);
		return false;
	}
	*out = n;
	return true;
}

bool note_add(struct note *n, const char *id, struct err *err)
{
	cleanup_json json_t *j = json_object();

	json_put(j, "id", json_str(id));
	return !n || add_line(n, j, err);
}

void note_end(struct note *n, bool settled)
{
	if (!n)
		return;
	if (settled)
		(void)unlink(n->path); /* one that stays costs the next run a request */
	if (n->fd >= 0)
		close(n->fd);
	free(n->path);
	free(n);
}

/* ------------------------------------------------------------------ those of dead runs */

/* A last line without its end was cut off by a power cut: what it would have said is not needed. */
static bool read_note(const char *path, const struct note_place *p, char **key, struct strv *ids)
{
	cleanup_buf struct buf text = BUF_INIT(NOTE_MAX);
	struct err ignored = ERR_INIT;

	if (!file_read(path, &text, &ignored))
		return false;
	for (char *line = text.data, *end; (end = strchr(line, '\n')); line = end + 1) {
		cleanup_json json_t *j = NULL;
		if (!json_parse(line, (size_t)(end - line), path, &j, &ignored))
			return false;
		const char *id = json_string_value(json_object_get(j, "id"));
		const char *what = json_string_value(json_object_get(j, "key"));
		const char *place = json_string_value(json_object_get(j, "place"));
		if (id)
			strv_add(ids, id);
		if (what && place && !*key && strcmp(place, p->where) == 0)
			*key = mem_strdup(what);
	}
	return *key != NULL;
}

static void visit(const char *path, const struct note_place *p,
                  bool (*settle)(void *ctx, const char *key, const struct strv *ids), void *ctx)
{
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	cleanup_strv struct strv ids = STRV_INIT;
	cleanup_free char *key = NULL;

	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0 || !read_note(path, p, &key, &ids))
		return;
	if (settle(ctx, key, &ids))
		(void)unlink(path);
}

void notes_visit(const struct note_place *p,
                 bool (*settle)(void *ctx, const char *key, const struct strv *ids), void *ctx)
{
	cleanup_free char *folder = p->state_dir ? path_join(p->state_dir, FOLDER) : NULL;
	cleanup_free char *suffix = mem_fmt(".%s", p->kind);
	cleanup_strv struct strv names = STRV_INIT;
	const struct dirent *e;
	DIR *dir = folder ? opendir(folder) : NULL;

	if (!dir)
		return;
	while ((e = readdir(dir)))
		if (text_ends(e->d_name, suffix))
			strv_add(&names, e->d_name);
	closedir(dir);
	for (size_t i = 0; i < names.n; i++) {
		cleanup_free char *path = path_join(folder, names.v[i]);
		visit(path, p, settle, ctx);
	}
}
