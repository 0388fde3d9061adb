/*
 * store_cp: a file into a store, or out of it, and nothing else: for measuring.
 *
 *     store_cp put FILE OBJECT type=TYPE KEY=VALUE...
 *     store_cp get OBJECT FILE type=TYPE KEY=VALUE...
 *
 * The keys are those of [store NAME]; secrets come from the environment.
 */
#include "backup/stores/store.h"
#include "base/cancel.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAIRS_MAX 32

static char piece[256 * 1024];

static void die(const struct err *err)
{
	fprintf(stderr, "store_cp: %s\n", err->msg);
	exit(1);
}

static void open_store(char **pairs, struct stores *out)
{
	const char *keys[PAIRS_MAX], *values[PAIRS_MAX];
	struct store_config c = { .name = "store_cp", .type = "", .keys = keys, .values = values };
	struct err err = ERR_INIT;

	for (; *pairs && c.n < PAIRS_MAX; pairs++) {
		char *sign = strchr(*pairs, '=');
		if (!sign)
			continue;
		*sign = '\0';
		keys[c.n] = *pairs;
		values[c.n] = sign + 1;
		if (strcmp(*pairs, "type") == 0)
			c.type = sign + 1;
		else
			c.n++;
	}
	if (!stores_open(&c, 1, out, &err))
		die(&err);
}

static bool put(struct store *s, const char *path, const char *object, struct err *err)
{
	struct upload *u = NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return err_sys(err, "%s", path);
	bool ok = upload_begin(s, object, &u, err);
	while (ok && (n = read(fd, piece, sizeof(piece))) > 0)
		ok = upload_write(u, piece, (size_t)n, err);
	close(fd);
	if (ok)
		return upload_finish(&u, err);
	upload_abort(&u);
	return false;
}

static bool get(struct store *s, const char *object, const char *path, struct err *err)
{
	cleanup_download struct download *d = NULL;
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	size_t n = 1;
	bool ok = fd >= 0 ? download_begin(s, object, 0, &d, err) : err_sys(err, "%s", path);

	while (ok && n > 0)
		ok = download_read(d, piece, sizeof(piece), &n, err) &&
		     (write(fd, piece, n) == (ssize_t)n || err_sys(err, "%s", path));
	if (fd >= 0)
		close(fd);
	return ok;
}

int main(int argc, char **argv)
{
	struct stores stores = { .v = NULL };
	struct err err = ERR_INIT;

	if (argc < 5) {
		fprintf(stderr,
		        "usage: store_cp put FILE OBJECT | get OBJECT FILE  type=TYPE KEY=VALUE...\n");
		return 2;
	}
	cancel_install();
	open_store(argv + 4, &stores);
	bool ok = strcmp(argv[1], "put") == 0 ? put(stores.v[0], argv[2], argv[3], &err)
	                                      : get(stores.v[0], argv[2], argv[3], &err);
	stores_close(&stores);
	if (!ok)
		die(&err);
	return 0;
}
