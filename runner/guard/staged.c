#include "runner/guard/staged.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/uuid.h"
#include "runner/guard/hooks.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* With a tag of hex digits behind it: a name that nobody else gives to a folder, since what has it is removed. */
#define FOLDER   "ripcord-new-"
#define FILE_MAX ((size_t)64 << 20)

enum { TAG_DIGITS = 16, OPEN_FOLDERS = 16 };

/* ------------------------------------------------------------------ the folder */

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st, (void)type, (void)at;
	(void)remove(path);
	return 0;
}

/* A hook may have left more than the file. */
static void remove_tree(const char *path)
{
	(void)nftw(path, remove_one, OPEN_FOLDERS, FTW_DEPTH | FTW_PHYS);
}

/* -1: it is not there, or somebody is at work in it */
static int lock_folder(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

static bool is_ours(const char *name)
{
	return text_starts(name, FOLDER) && strlen(name) == strlen(FOLDER) + TAG_DIGITS &&
	       strspn(name + strlen(FOLDER), "0123456789abcdef") == TAG_DIGITS;
}

/* What killed ones have left. */
static void sweep(const char *versions)
{
	DIR *dir = opendir(versions);
	const struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		if (!is_ours(entry->d_name))
			continue;
		cleanup_free char *path = path_join(versions, entry->d_name);
		cleanup_fd int fd = lock_folder(path);
		if (fd >= 0)
			remove_tree(path);
	}
	if (dir)
		(void)closedir(dir);
}

bool staged_begin(struct staged *s, const struct config *config, struct err *err)
{
	char tag[TAG_DIGITS + 1];

	s->versions = path_join(config->migrations, "versions");
	if (!file_make_dirs(s->versions, 0755, err))
		return false;
	sweep(s->versions);
	random_hex(tag, TAG_DIGITS);
	cleanup_free char *name = mem_fmt(FOLDER "%s", tag), *folder = path_join(s->versions, name);
	if (mkdir(folder, 0755) < 0)
		return err_sys(err, "cannot make the folder '%s'", folder);
	s->folder = folder;
	folder = NULL;
	s->lock = lock_folder(s->folder);
	return s->lock >= 0 || err_sys(err, "cannot lock the folder '%s'", s->folder);
}

void staged_clear(struct staged *s)
{
	if (s->folder)
		remove_tree(s->folder);
	if (s->lock >= 0)
		(void)close(s->lock);
	free(s->versions);
	free(s->folder);
	strv_clear(&s->names);
	strv_clear(&s->ids);
	strv_clear(&s->texts);
	*s = (struct staged)STAGED_INIT;
}

/* ------------------------------------------------------------------ the files */

static bool read_text(const char *path, char **out, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT(FILE_MAX);
	struct stat st;

	if (lstat(path, &st) < 0)
		return err_sys(err, "cannot find '%s' again", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_REFUSED, "'%s' is no regular file any more", path);
	if (!file_read(path, &text, err))
		return false;
	if (strlen(buf_text(&text)) != text.len)
		return err_set(err, ERR_REFUSED, "'%s' has a NUL in it", path);
	*out = mem_strdup(buf_text(&text));
	return true;
}

bool staged_add(struct staged *s, const struct config *config, const struct revision_draft *draft,
                struct err *err)
{
	cleanup_free char *path = NULL, *text = NULL;

	if (!revision_write(config->migrations, s->folder, draft, &path, err) || !read_text(path, &text, err))
		return false;
	strv_add(&s->names, path_base(path));
	strv_add(&s->ids, draft->id);
	strv_add(&s->texts, text);
	return true;
}

bool staged_hooks(struct staged *s, const struct config *config, struct err *err)
{
	cleanup_strv struct strv after = STRV_INIT;

	for (size_t i = 0; i < s->names.n; i++) {
		cleanup_free char *path = path_join(s->folder, s->names.v[i]);
		if (!hooks_after_write(config, path, s->ids.v[i], err))
			return false;
	}
	for (size_t i = 0; i < s->names.n; i++) {
		cleanup_free char *path = path_join(s->folder, s->names.v[i]), *text = NULL;
		if (!read_text(path, &text, err))
			return err_wrap(err, "after the hooks");
		strv_add(&after, text);
		s->edited = s->edited || strcmp(text, s->texts.v[i]) != 0;
	}
	strv_clear(&s->texts);
	strv_add_all(&s->texts, &after);
	return true;
}

bool staged_publish(const struct staged *s, struct strv *paths, struct err *err)
{
	for (size_t i = 0; i < s->names.n; i++) {
		cleanup_free char *path = path_join(s->versions, s->names.v[i]);
		if (!file_create(path, s->texts.v[i], strlen(s->texts.v[i]), 0644, err)) {
			for (size_t k = 0; k < paths->n; k++)
				(void)unlink(paths->v[k]);
			return false;
		}
		strv_add(paths, path);
	}
	return true;
}
