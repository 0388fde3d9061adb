/* folder.h - migrations folders made by tests, and graphs read from them. */
#ifndef TESTS_UNIT_MIGRATIONS_FOLDER_H
#define TESTS_UNIT_MIGRATIONS_FOLDER_H

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "migrations/migrations.h"

#include <ftw.h>
#include <sys/stat.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Removed with folder_remove(). */
static inline char *folder_new(void)
{
	char *dir = mem_strdup("/tmp/ripcord-unit-XXXXXX");
	cleanup_free char *versions = NULL;
	struct err err = ERR_INIT;

	assert_non_null(mkdtemp(dir));
	versions = path_join(dir, "versions");
	assert_true(file_make_dirs(versions, 0755, &err));
	return dir;
}

static inline int folder_unlink(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline void folder_remove(char *dir)
{
	assert_int_equal(nftw(dir, folder_unlink, 8, FTW_DEPTH | FTW_PHYS), 0);
	free(dir);
}

static inline void folder_write(const char *dir, const char *name, const void *text, size_t len)
{
	cleanup_free char *versions = path_join(dir, "versions"), *path = path_join(versions, name);
	FILE *f = fopen(path, "wb");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static inline void folder_put(const char *dir, const char *name, const char *text)
{
	folder_write(dir, name, text, strlen(text));
}

/* One revision of a graph: what its header says. */
struct spec {
	const char *id, *revises, *depends_on, *labels;
};

static inline struct graph *graph_of(const struct spec *specs, size_t n, struct err *err)
{
	char *dir = folder_new();
	struct graph *g = NULL;

	for (size_t i = 0; i < n; i++) {
		cleanup_free char *name = mem_fmt("%03zu_%s.sql", i, specs[i].id);
		cleanup_free char *text =
			mem_fmt("-- revision: %s\n-- revises: %s\n-- depends-on: %s\n-- branch-labels: %s\n"
		                "-- ripcord:upgrade\nSELECT 1;\n-- ripcord:downgrade\nSELECT 2;\n",
		                specs[i].id, specs[i].revises ? specs[i].revises : "",
		                specs[i].depends_on ? specs[i].depends_on : "", specs[i].labels ? specs[i].labels : "");
		folder_put(dir, name, text);
	}
	bool ok = graph_load(dir, &g, err);
	folder_remove(dir);
	return ok ? g : NULL;
}

static inline char *joined(const struct strv *list) { return strv_join(list, " "); }

#endif
