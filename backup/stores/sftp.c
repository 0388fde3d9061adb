/*
 * sftp.c - a folder on an SSH server as a store.
 *
 * Bytes go to a hidden name (.part-...), their number is checked, and the object gets its name by rename.
 * SFTP's own rename (version 3 of the protocol, and all that libssh2 1.10 sends) does not replace: where a name
 * is taken, the old object is renamed to NAME.old first, and NAME.old stands for NAME while that is missing.
 * So at every moment the old bytes or the new ones are found, also after a crash.
 *
 * libcurl has no fsync@openssh.com: what the server has acknowledged is its own to keep over a power cut.
 */
#include "backup/stores/remote.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#define OLD      ".old"
#define DEPTH    3                  /* as stores/file.c */
#define LIST_MAX ((size_t)64 << 20) /* the names of one folder */

struct sftp_store {
	struct store base;
	struct transfer_client *client;
	struct transfer_ssh ssh; /* its texts are below */
	int64_t stall_ms, attempts;
	bool is_relative; /* path begins at the login's home */
	bool swept;       /* of the parts that dead processes left */
	struct note_place notes;
	/* owned */
	char *state_dir, *place;
	char *server, *path, *user, *password, *key_file, *key_passphrase, *known_hosts;
};

static const char *const sftp_keys[] = {
	"host",           "port",     "user",  "path",     "key_file",
	"key_passphrase", "password", "agent", "attempts", "known_hosts_file",
	"stall_timeout",  NULL
};

/* ------------------------------------------------------------------ opening */

static char *known_hosts_of(const struct store_config *c)
{
	const char *file = remote_value(c, "known_hosts_file"), *home = getenv("HOME");

	return file ? mem_strdup(file) : mem_fmt("%s/.ssh/known_hosts", home ? home : "");
}

static bool take_login(struct sftp_store *s, const struct store_config *c, struct err *err)
{
	const char *key = remote_value(c, "key_file"), *password = remote_value(c, "password");

	s->password = mem_strdup(password);
	s->key_file = mem_strdup(key);
	s->key_passphrase = mem_strdup(remote_value(c, "key_passphrase"));
	s->known_hosts = known_hosts_of(c);
	s->ssh = (struct transfer_ssh){ .known_hosts = s->known_hosts,
		                        .key_file = s->key_file,
		                        .key_passphrase = s->key_passphrase };
	return remote_bool(c, "agent", !key && !password, &s->ssh.agent, err);
}

static void take_place(struct sftp_store *s, const char *host, int64_t port, const char *path)
{
	bool is_ipv6 = strchr(host, ':') && *host != '[';

	s->server =
		mem_fmt("sftp://%s%s%s:%lld", is_ipv6 ? "[" : "", host, is_ipv6 ? "]" : "", (long long)port);
	s->is_relative = *path != '/';
	s->path = mem_strdup(path);
	for (size_t len = strlen(s->path); len > 1 && s->path[len - 1] == '/';)
		s->path[--len] = '\0';
}

static bool take_config(struct sftp_store *s, const struct store_config *c, struct err *err)
{
	const char *host, *user, *path;
	int64_t port;

	if (!remote_need(c, "host", &host, err) || !remote_need(c, "user", &user, err) ||
	    !remote_need(c, "path", &path, err) || !remote_int(c, "port", 22, 65535, &port, err) ||
	    !remote_int(c, "attempts", REMOTE_ATTEMPTS_DEFAULT, 100, &s->attempts, err) ||
	    !remote_stall(c, &s->stall_ms, err) || !take_login(s, c, err))
		return false;
	if (strpbrk(host, "/@?#%\\ \t"))
		return err_set(err, ERR_USAGE, "[store %s]: host must be a name or an address", c->name);
	take_place(s, host, port, path);
	s->user = mem_strdup(user);
	s->state_dir = mem_strdup(c->state_dir);
	s->place = mem_fmt("%s@%s:%s", s->user, s->server, s->path);
	s->notes = (struct note_place){ s->state_dir, "sftp", s->place };
	return true;
}

static void forget(char *secret)
{
	if (secret)
		mem_wipe(secret, strlen(secret));
	free(secret);
}

static void sftp_close(struct store *s)
{
	struct sftp_store *self = (struct sftp_store *)s;

	transfer_client_free(self->client);
	free(self->state_dir);
	free(self->place);
	free(self->server);
	free(self->path);
	free(self->user);
	forget(self->password);
	free(self->key_file);
	forget(self->key_passphrase);
	free(self->known_hosts);
	free(self);
}

static struct store *sftp_open(const struct store_config *c, struct err *err)
{
	struct sftp_store *self = mem_new0(sizeof(*self));

	self->base.ops = &store_sftp_ops;
	if (!take_config(self, c, err) || !transfer_client_new(&self->client, err)) {
		sftp_close(&self->base);
		return NULL;
	}
	return &self->base;
}

/* ------------------------------------------------------------------ names */

/* For libcurl a path below the home begins with /~/.  An empty key is the store's own folder. */
static char *url_of(const struct sftp_store *s, const char *key)
{
	cleanup_free char *path = transfer_escape(s->path, true);
	cleanup_free char *name = transfer_escape(key, true);

	return mem_fmt("%s%s%s/%s", s->server, s->is_relative ? "/~/" : "", path, name);
}

/* A path as a word of an SFTP command: in quotes, where \ stands before ", ' and \ (CURLOPT_QUOTE(3)). */
static char *word_of(const struct sftp_store *s, const char *key)
{
	cleanup_buf struct buf b = BUF_INIT(BUF_TEXT_MAX);
	cleanup_free char *path = mem_fmt("%s/%s", s->path, key);

	buf_char(&b, '"');
	for (const char *p = path; *p; p++) {
		if (strchr("\"'\\", *p))
			buf_char(&b, '\\');
		buf_char(&b, *p);
	}
	buf_char(&b, '"');
	return buf_take(&b);
}

static struct transfer_request request(const struct sftp_store *s, const char *method, const char *url)
{
	return (struct transfer_request){ .method = method,
		                          .url = url,
		                          .user = s->user,
		                          .password = s->password,
		                          .ssh = &s->ssh,
		                          .stall_ms = s->stall_ms };
}

/* ------------------------------------------------------------------ commands */

/* Runs them on the server; the first that fails ends it. */
static bool command(const struct sftp_store *s, const struct strv *commands, bool despite_cancel,
                    struct err *err)
{
	cleanup_transfer_result struct transfer_result r = TRANSFER_RESULT_INIT(LIST_MAX);
	cleanup_free char *url = mem_fmt("%s/", s->server);
	struct transfer_request req = request(s, "HEAD", url);

	req.before = commands;
	req.despite_cancel = despite_cancel;
	return transfer_run(s->client, &req, &r, err);
}

static void add_rename(struct strv *commands, const char *from, const char *to)
{
	strv_fmt(commands, "rename %s %s", from, to);
}

/* The name is taken: it is made free by a rename, too. */
static bool replace(const struct sftp_store *s, const char *from, const char *to, const char *old,
                    struct err *err)
{
	cleanup_strv struct strv c = STRV_INIT;

	strv_fmt(&c, "*rm %s", old);
	add_rename(&c, to, old);
	add_rename(&c, from, to);
	strv_fmt(&c, "*rm %s", old);
	return command(s, &c, false, err);
}

static bool publish(const struct sftp_store *s, const char *part, const char *key, struct err *err)
{
	cleanup_free char *old_key = mem_fmt("%s" OLD, key);
	cleanup_free char *from = word_of(s, part), *to = word_of(s, key), *old = word_of(s, old_key);
	cleanup_strv struct strv c = STRV_INIT;
	struct err first = ERR_INIT, second = ERR_INIT;

	add_rename(&c, from, to);
	strv_fmt(&c, "*rm %s", old);
	if (command(s, &c, false, &first))
		return true;
	/* Only a command that the server refused means that the name is taken. */
	if (first.code == ERR_REFUSED && replace(s, from, to, old, &second))
		return true;
	*err = first;
	return false;
}

/* Folders exist only for their objects: those that became empty go with the last one. */
static void add_rmdirs(const struct sftp_store *s, const char *key, struct strv *commands)
{
	cleanup_free char *dir = path_dir(key);

	while (strcmp(dir, ".") != 0) {
		cleanup_free char *word = word_of(s, dir);
		char *up = path_dir(dir);
		strv_fmt(commands, "*rmdir %s", word);
		free(dir);
		dir = up;
	}
}

/* For what failed: the failure that led here is the one reported. */
static bool remove_part(const void *store, const char *part)
{
	const struct sftp_store *s = store;
	cleanup_free char *file = word_of(s, part);
	cleanup_strv struct strv commands = STRV_INIT;
	struct err ignored = ERR_INIT;

	strv_fmt(&commands, "*rm %s", file);
	add_rmdirs(s, part, &commands); /* fails where something else is */
	return command(s, &commands, true, &ignored);
}

/* Before the first upload. */
static void sweep(struct sftp_store *s)
{
	if (!s->swept)
		remote_sweep(&s->notes, remove_part, s);
	s->swept = true;
}

/* ------------------------------------------------------------------ writing */

/* From the last byte on there is that byte and no more: neither was the stream cut nor is it another object. */
static bool check_end(const struct sftp_store *s, const char *key, int64_t bytes, char last, struct err *err)
{
	cleanup_transfer_result struct transfer_result r = TRANSFER_RESULT_INIT(LIST_MAX);
	cleanup_free char *url = url_of(s, key);
	cleanup_free char *range = mem_fmt("%lld-", (long long)bytes - 1);
	struct transfer_request req = request(s, "GET", url);

	req.range = range;
	if (!remote_run(s->client, &req, s->attempts, &r, err))
		return err_wrap(err, "what was uploaded cannot be seen whole");
	return (r.body.len == 1 && r.body.data[0] == last) ||
	       err_set(err, ERR_IO, "the server has not kept all %lld bytes", (long long)bytes);
}

static void sftp_discard(struct upload *u)
{
	struct remote_upload *self = (struct remote_upload *)u;

	remote_upload_end(self); /* a stream that runs holds the file open */
	note_end(self->note, self->is_whole || remove_part((struct sftp_store *)u->store, self->part));
	remote_upload_free(self);
}

static bool sftp_begin(struct store *s, const char *key, struct upload **out, struct err *err)
{
	struct sftp_store *self = (struct sftp_store *)s;
	struct remote_upload *u = remote_upload_new(key);

	u->base.store = s; /* sftp_discard() needs it */
	u->url = url_of(self, u->part);
	u->req = request(self, "PUT", u->url);
	u->req.body_len = TRANSFER_STREAM;
	sweep(self);
	/* No bytes yet: but login, folders and file are there afterwards. */
	if (!note_begin(&self->notes, u->part, &u->note, err) ||
	    !transfer_start(self->client, &u->req, &u->transfer, err) ||
	    !transfer_write(u->transfer, "", 0, err)) {
		sftp_discard(&u->base);
		return false;
	}
	*out = &u->base;
	return true;
}

static bool sftp_finish(struct upload *u, struct err *err)
{
	struct remote_upload *self = (struct remote_upload *)u;
	struct sftp_store *s = (struct sftp_store *)u->store;
	int status;

	if (!transfer_answer(self->transfer, &status, err))
		return false;
	remote_upload_end(self);
	if (self->bytes > 0 && !check_end(s, self->part, self->bytes, self->last, err))
		return false;
	self->is_whole = publish(s, self->part, self->key, err);
	return self->is_whole;
}

static bool put_once(struct sftp_store *s, const char *key, const void *data, size_t len, struct err *err)
{
	cleanup_transfer_result struct transfer_result r = TRANSFER_RESULT_INIT(LIST_MAX);
	cleanup_free char *part = remote_part(key);
	cleanup_free char *url = url_of(s, part);
	struct transfer_request req = request(s, "PUT", url);
	struct note *note = NULL;

	req.body = data;
	req.body_len = (int64_t)len;
	if (!note_begin(&s->notes, part, &note, err))
		return false;
	bool ok = transfer_run(s->client, &req, &r, err) &&
	          (len == 0 || check_end(s, part, (int64_t)len, ((const char *)data)[len - 1], err)) &&
	          publish(s, part, key, err);
	note_end(note, ok || remove_part(s, part));
	return ok;
}

static bool sftp_put(struct store *s, const char *key, const void *data, size_t len, struct err *err)
{
	struct sftp_store *self = (struct sftp_store *)s;
	struct err why = ERR_INIT;

	for (int64_t n = 0; !put_once(self, key, data, len, &why); n++)
		if (!remote_again(n, self->attempts, &why)) {
			*err = why;
			return false;
		}
	return true;
}

/* The removal is believed when a look for the object finds none. */
static bool sftp_remove(struct store *s, const char *key, struct err *err)
{
	struct sftp_store *self = (struct sftp_store *)s;
	cleanup_transfer_result struct transfer_result r = TRANSFER_RESULT_INIT(LIST_MAX);
	cleanup_free char *url = url_of(self, key), *old_key = mem_fmt("%s" OLD, key);
	cleanup_free char *file = word_of(self, key), *old = word_of(self, old_key);
	cleanup_strv struct strv commands = STRV_INIT;
	struct transfer_request req = request(self, "GET", url);
	struct err why = ERR_INIT;

	strv_fmt(&commands, "*rm %s", old);
	strv_fmt(&commands, "*rm %s", file);
	add_rmdirs(self, key, &commands);
	req.before = &commands;
	req.range = "0-0";
	req.despite_cancel = true;
	if (remote_run(self->client, &req, self->attempts, &r, &why))
		return err_set(err, ERR_IO, "the server does not remove %s", key);
	if (r.how == TRANSFER_MISSING)
		return true;
	*err = why;
	return false;
}

/* ------------------------------------------------------------------ reading */

/* A folder's entries; none when it is missing, or no folder. */
static bool names_in(const struct sftp_store *s, const char *key, struct strv *out, struct err *err)
{
	cleanup_transfer_result struct transfer_result r = TRANSFER_RESULT_INIT(LIST_MAX);
	cleanup_free char *folder = url_of(s, key);
	cleanup_free char *url = mem_fmt("%s%s", folder, text_ends(folder, "/") ? "" : "/");
	struct transfer_request req = request(s, "GET", url);
	struct err why = ERR_INIT;

	if (!remote_run(s->client, &req, s->attempts, &r, &why)) {
		if (r.how == TRANSFER_MISSING)
			return true;
		*err = why;
		return false;
	}
	for (char *line = r.body.data; line && *line;) {
		char *end = strchrnul(line, '\n');
		cleanup_free char *name = mem_strndup(line, (size_t)(end - line));
		if (!remote_is_hidden(name))
			strv_add(out, name);
		line = *end ? end + 1 : NULL;
	}
	return true;
}

/* NAME.old is NAME where a crash came between two renames, and else what is left of one. */
static void add_objects(const char *prefix, const struct strv *names, struct strv *keys)
{
	for (size_t i = 0; i < names->n; i++) {
		const char *name = names->v[i];
		size_t len = strlen(name);
		bool is_old = text_ends(name, OLD);
		cleanup_free char *plain = mem_strndup(name, is_old ? len - strlen(OLD) : len);
		if (!is_old || !strv_has(names, plain))
			strv_fmt(keys, "%s/%s", prefix, plain);
	}
}

static bool walk(const struct sftp_store *s, const char *prefix, int depth, struct strv *keys,
                 struct err *err)
{
	cleanup_strv struct strv names = STRV_INIT;

	if (!names_in(s, prefix, &names, err))
		return false;
	if (depth == 1) {
		add_objects(prefix, &names, keys);
		return true;
	}
	for (size_t i = 0; i < names.n; i++) {
		cleanup_free char *inner =
			*prefix ? mem_fmt("%s/%s", prefix, names.v[i]) : mem_strdup(names.v[i]);
		if (!walk(s, inner, depth - 1, keys, err))
			return false;
	}
	return true;
}

static bool sftp_list(struct store *s, struct strv *keys, struct err *err)
{
	return walk((struct sftp_store *)s, "", DEPTH, keys, err);
}

static bool get_exact(struct sftp_store *s, const char *key, int64_t offset, struct download **out,
                      bool *missing, struct err *err)
{
	struct remote_download *d = mem_new0(sizeof(*d));
	int status;

	d->url = url_of(s, key);
	d->range = offset > 0 ? mem_fmt("%lld-", (long long)offset) : NULL;
	d->req = request(s, "GET", d->url);
	d->req.range = d->range;
	bool ok = transfer_start(s->client, &d->req, &d->transfer, err) &&
	          transfer_answer(d->transfer, &status, err);
	*missing = d->transfer && transfer_how(d->transfer) == TRANSFER_MISSING;
	if (ok)
		*out = &d->base;
	else
		remote_end_read(&d->base);
	return ok;
}

static bool sftp_get(struct store *s, const char *key, int64_t offset, struct download **out, struct err *err)
{
	struct sftp_store *self = (struct sftp_store *)s;
	cleanup_free char *old = mem_fmt("%s" OLD, key);
	struct err why = ERR_INIT, ignored = ERR_INIT;
	bool missing;

	for (int64_t n = 0; !get_exact(self, key, offset, out, &missing, &why); n++) {
		if (missing && get_exact(self, old, offset, out, &missing, &ignored))
			return true;
		if (missing || !remote_again(n, self->attempts, &why)) {
			*err = why;
			return false;
		}
	}
	return true;
}

const struct store_ops store_sftp_ops = {
	.type = "sftp",
	.keys = sftp_keys,
	.open = sftp_open,
	.close = sftp_close,
	.begin = sftp_begin,
	.write = remote_write,
	.finish = sftp_finish,
	.discard = sftp_discard,
	.put = sftp_put,
	.list = sftp_list,
	.get = sftp_get,
	.read = remote_read,
	.end_read = remote_end_read,
	.remove = sftp_remove,
	.free_bytes = remote_free_bytes,
};
