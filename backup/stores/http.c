/*
 * http.c - a collection on a WebDAV server (RFC 4918) as a store.
 *
 * Bytes are PUT to a hidden name (.part-...), their number is checked, and MOVE gives the object its name: at
 * no moment is half of it there.  PROPFIND lists.  A server that has no PROPFIND or no MOVE is refused: objects
 * could be written there and never be found again, or be found half written.
 *
 * WebDAV has no fsync: what the server has acknowledged is its own to keep over a power cut.
 * DELETE of a collection takes all that is in it: only a backup's own folder is removed, and only when it is empty.
 */
#include "backup/stores/dav.h"
#include "backup/stores/remote.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DEPTH      3                  /* as stores/file.c */
#define LIST_MAX   ((size_t)64 << 20) /* the answer about one folder */
#define ANSWER_MAX ((size_t)1 << 20)  /* any other */

struct http_store {
	struct store base;
	struct transfer_client *client;
	int64_t stall_ms, attempts;
	bool swept;                               /* of the parts that dead processes left */
	struct note_place notes;                  /* its where is url */
	char *state_dir;                          /* owned */
	char *url;                                /* owned, without a slash at the end */
	char *user, *password, *bearer, *ca_file; /* owned, may be NULL; bearer is a header line */
};

static const char *const http_keys[] = { "url",        "user",     "password",      "token", "ca_file",
	                                 "allow_http", "attempts", "stall_timeout", NULL };

/* ------------------------------------------------------------------ opening */

/* 127.0.0.0/8, ::1 and localhost: nobody listens on the way. */
static bool is_loopback(const char *host)
{
	static const char *const names[] = { "localhost", "[::1]" };
	size_t len = *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":/");

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strlen(names[i]) == len && strncasecmp(host, names[i], len) == 0)
			return true;
	return text_starts(host, "127.") && strspn(host, "0123456789.") == len;
}

static bool check_url(const struct store_config *c, const char *url, struct err *err)
{
	bool tls = text_starts(url, "https://"), plain = text_starts(url, "http://"), allowed;
	const char *host = tls || plain ? strstr(url, "://") + 3 : "";

	if (!remote_bool(c, "allow_http", false, &allowed, err))
		return false;
	if (!*host || *host == '/')
		return err_set(err, ERR_USAGE, "[store %s]: url must be https://HOST/PATH", c->name);
	if (strpbrk(host, "?#") || memchr(host, '@', strcspn(host, "/"))) {
		err_set(err, ERR_USAGE, "[store %s]: url cannot hold a user, a password or a query", c->name);
		return err_hint(err, "user, password and token are keys of their own");
	}
	if (plain && !allowed && !is_loopback(host)) {
		err_set(err, ERR_USAGE, "[store %s]: backups and passwords would go over http in the clear",
		        c->name);
		return err_hint(err, "use https://, or set allow_http = yes");
	}
	return true;
}

static bool take_config(struct http_store *s, const struct store_config *c, struct err *err)
{
	const char *url, *token = remote_value(c, "token");

	if (!remote_need(c, "url", &url, err) || !check_url(c, url, err) ||
	    !remote_stall(c, &s->stall_ms, err) ||
	    !remote_int(c, "attempts", REMOTE_ATTEMPTS_DEFAULT, 100, &s->attempts, err))
		return false;
	s->user = mem_strdup(remote_value(c, "user"));
	s->password = mem_strdup(remote_value(c, "password"));
	s->ca_file = mem_strdup(remote_value(c, "ca_file"));
	s->bearer = token ? mem_fmt("Authorization: Bearer %s", token) : NULL;
	s->url = mem_strdup(url);
	for (size_t len = strlen(s->url); s->url[len - 1] == '/';)
		s->url[--len] = '\0';
	s->state_dir = mem_strdup(c->state_dir);
	s->notes = (struct note_place){ s->state_dir, "http", s->url };
	if (token && s->user)
		return err_set(err, ERR_USAGE, "[store %s]: either user or token", c->name);
	if (token && strpbrk(token, "\r\n"))
		return err_set(err, ERR_USAGE, "[store %s]: the token has a line break in it", c->name);
	return true;
}

static void forget(char *secret)
{
	if (secret)
		mem_wipe(secret, strlen(secret));
	free(secret);
}

static void http_close(struct store *s)
{
	struct http_store *self = (struct http_store *)s;

	transfer_client_free(self->client);
	free(self->state_dir);
	free(self->url);
	free(self->user);
	free(self->ca_file);
	forget(self->password);
	forget(self->bearer);
	free(self);
}

static struct store *http_open(const struct store_config *c, struct err *err)
{
	struct http_store *self = mem_new0(sizeof(*self));

	self->base.ops = &store_http_ops;
	if (!take_config(self, c, err) || !transfer_client_new(&self->client, err)) {
		http_close(&self->base);
		return NULL;
	}
	return &self->base;
}

/* ------------------------------------------------------------------ requests */

static char *url_of(const struct http_store *s, const char *key)
{
	cleanup_free char *name = transfer_escape(key, true);

	return mem_fmt("%s/%s", s->url, name);
}

/* A collection's name ends with a slash: servers redirect otherwise (RFC 4918, 5.2). */
static char *folder_url_of(const struct http_store *s, const char *key)
{
	cleanup_free char *url = url_of(s, key);

	return mem_fmt("%s%s", url, text_ends(url, "/") ? "" : "/");
}

static void add_headers(const struct http_store *s, struct strv *headers, const char *extra)
{
	if (s->bearer)
		strv_add(headers, s->bearer);
	if (extra)
		strv_add(headers, extra);
}

static struct transfer_request request(const struct http_store *s, const char *method, const char *url,
                                       const struct strv *headers)
{
	return (struct transfer_request){ .method = method,
		                          .url = url,
		                          .headers = headers,
		                          .user = s->user,
		                          .password = s->password,
		                          .ca_file = s->ca_file,
		                          .stall_ms = s->stall_ms };
}

static bool is_success(int status) { return status >= 200 && status < 300; }

static bool said(const char *method, const char *url, int status, struct err *err)
{
	const char *path = strstr(url, "://") ? strchr(strstr(url, "://") + 3, '/') : url;

	err_set(err, ERR_REFUSED, "%s %s: HTTP status %d", method, path ? path : "/", status);
	if (status == 401 || status == 403)
		err_hint(err, "look at the store's user and password, or token");
	return false;
}

/* What a small request is: the verb, where, one more header, and whether it goes on after a cancel. */
struct verb {
	const char *method, *url, *header;
	const void *body;
	size_t len;
	bool despite_cancel;
};

static bool ask(const struct http_store *s, const struct verb *v, struct transfer_result *out,
                struct err *err)
{
	cleanup_strv struct strv headers = STRV_INIT;

	add_headers(s, &headers, v->header);
	struct transfer_request req = request(s, v->method, v->url, &headers);
	req.body = v->body;
	req.body_len = (int64_t)v->len;
	req.despite_cancel = v->despite_cancel;
	return remote_run(s->client, &req, s->attempts, out, err);
}

/* ------------------------------------------------------------------ folders */

static bool make_folder(const struct http_store *s, const char *url, bool *no_parent, struct err *err)
{
	cleanup_transfer_result struct transfer_result r = TRANSFER_RESULT_INIT(ANSWER_MAX);
	const struct verb mkcol = { .method = "MKCOL", .url = url };

	*no_parent = false;
	if (!ask(s, &mkcol, &r, err))
		return false;
	*no_parent = r.status == 409; /* RFC 4918, 9.3.1 */
	return is_success(r.status) || r.status == 405 /* it is there */ || said("MKCOL", url, r.status, err);
}

/* With the parents that are missing, as mkdir -p does; url ends with a slash. */
static bool make_folders(const struct http_store *s, const char *url, struct err *err)
{
	const char *root = strchr(strstr(url, "://") + 3, '/');
	struct err why = ERR_INIT;
	bool no_parent;

	if (make_folder(s, url, &no_parent, &why))
		return true;
	size_t len = strlen(url) - 1;
	while (len > 0 && url[len - 1] != '/')
		len--;
	if (!no_parent || url + len <= root + 1) {
		*err = why;
		return false;
	}
	cleanup_free char *parent = mem_strndup(url, len);
	return make_folders(s, parent, err) && make_folder(s, url, &no_parent, err);
}

static bool make_folder_of(const struct http_store *s, const char *key, struct err *err)
{
	cleanup_free char *dir = path_dir(key);
	cleanup_free char *url = folder_url_of(s, strcmp(dir, ".") == 0 ? "" : dir);

	return make_folders(s, url, err);
}

/* ------------------------------------------------------------------ listing */

/* A folder that is missing has nothing in it. */
static bool list_folder(const struct http_store *s, const char *key, struct dav_entries *out, struct err *err)
{
	static const char props[] = "<?xml version=\"1.0\" encoding=\"utf-8\"?>"
				    "<propfind xmlns=\"DAV:\"><prop><resourcetype/></prop></propfind>";
	cleanup_transfer_result struct transfer_result r = TRANSFER_RESULT_INIT(LIST_MAX);
	cleanup_free char *url = folder_url_of(s, key);
	const struct verb propfind = { .method = "PROPFIND",
		                       .url = url,
		                       .header = "Depth: 1",
		                       .body = props,
		                       .len = sizeof(props) - 1,
		                       .despite_cancel = true };

	if (!ask(s, &propfind, &r, err))
		return false;
	if (r.status == 404)
		return true;
	if (r.status == 207)
		return dav_entries_read(&r.body, url, out, err);
	said("PROPFIND", url, r.status, err);
	if (r.status != 401 && r.status != 403)
		err_hint(err, "the server must be a WebDAV server that lists: PUT alone is not enough");
	return false;
}

static bool walk(const struct http_store *s, const char *prefix, int depth, struct strv *keys,
                 struct err *err)
{
	cleanup_dav_entries struct dav_entries found = { .files = STRV_INIT };
	const char *slash = *prefix ? "/" : "";

	if (!list_folder(s, prefix, &found, err))
		return false;
	for (size_t i = 0; i < found.files.n; i++)
		strv_fmt(keys, "%s%s%s", prefix, slash, found.files.v[i]);
	for (size_t i = 0; depth > 1 && i < found.folders.n; i++) {
		cleanup_free char *inner = mem_fmt("%s%s%s", prefix, slash, found.folders.v[i]);
		if (!walk(s, inner, depth - 1, keys, err))
			return false;
	}
	return true;
}

static bool http_list(struct store *s, struct strv *keys, struct err *err)
{
	return walk((struct http_store *)s, "", DEPTH, keys, err);
}

/* ------------------------------------------------------------------ writing */

/* The size that the server says; -1 when it is missing, or says none. */
static bool size_of(const struct http_store *s, const char *key, int64_t *bytes, struct err *err)
{
	cleanup_transfer_result struct transfer_result r = TRANSFER_RESULT_INIT(ANSWER_MAX);
	cleanup_free char *url = url_of(s, key);
	const struct verb head = { .method = "HEAD", .url = url };

	if (!ask(s, &head, &r, err))
		return false;
	const char *text = is_success(r.status) ? transfer_header_in(&r.headers, "Content-Length") : NULL;
	if (!text || !text_to_int64(text, bytes))
		*bytes = -1;
	return true;
}

static bool check_size(const struct http_store *s, const char *key, int64_t bytes, struct err *err)
{
	int64_t is;

	if (!size_of(s, key, &is, err))
		return err_wrap(err, "what was uploaded cannot be seen whole");
	return is == bytes || err_set(err, ERR_IO, "the server has kept %lld of %lld bytes", (long long)is,
	                              (long long)bytes);
}

/* An answer may be lost, and the second MOVE finds nothing to move: then the object tells. */
static bool publish(const struct http_store *s, const char *part, const char *key, int64_t bytes,
                    struct err *err)
{
	cleanup_transfer_result struct transfer_result r = TRANSFER_RESULT_INIT(ANSWER_MAX);
	cleanup_free char *from = url_of(s, part), *to = url_of(s, key);
	cleanup_free char *destination = mem_fmt("Destination: %s", to);
	const struct verb move = { .method = "MOVE", .url = from, .header = destination };

	if (!ask(s, &move, &r, err))
		return false;
	if (!is_success(r.status) && r.status != 404) {
		said("MOVE", to, r.status, err);
		return r.status == 405 || r.status == 501
		               ? err_hint(err, "the server must be a WebDAV server that knows MOVE")
		               : false;
	}
	return check_size(s, key, bytes, err);
}

static bool delete_url(const struct http_store *s, const char *url, struct err *err)
{
	cleanup_transfer_result struct transfer_result r = TRANSFER_RESULT_INIT(ANSWER_MAX);
	const struct verb verb = { .method = "DELETE", .url = url, .despite_cancel = true };

	if (!ask(s, &verb, &r, err))
		return false;
	return (is_success(r.status) && r.status != 207) || r.status == 404 || r.status == 410 ||
	       said("DELETE", url, r.status, err);
}

static bool delete_key(const struct http_store *s, const char *key, struct err *err)
{
	cleanup_free char *url = url_of(s, key);
	return delete_url(s, url, err);
}

/* A backup's own folder, FOLDER/BACKUP, when nothing is left in it.  Nobody else writes there. */
static bool delete_empty_folder(const struct http_store *s, const char *key, struct err *err)
{
	cleanup_dav_entries struct dav_entries left = { .files = STRV_INIT };
	cleanup_free char *dir = path_dir(key);
	cleanup_free char *url = folder_url_of(s, dir);

	if (!strchr(dir, '/'))
		return true;
	if (!list_folder(s, dir, &left, err))
		return false;
	return left.files.n + left.folders.n > 0 || delete_url(s, url, err);
}

static bool http_remove(struct store *s, const char *key, struct err *err)
{
	const struct http_store *self = (struct http_store *)s;

	return delete_key(self, key, err) && delete_empty_folder(self, key, err);
}

static bool remove_part(const void *store, const char *part)
{
	const struct http_store *s = store;
	struct err ignored = ERR_INIT; /* the failure that led here is the one reported */

	return delete_key(s, part, &ignored) && delete_empty_folder(s, part, &ignored);
}

/* Before the first upload. */
static void sweep(struct http_store *s)
{
	if (!s->swept)
		remote_sweep(&s->notes, remove_part, s);
	s->swept = true;
}

static void http_discard(struct upload *u)
{
	struct remote_upload *self = (struct remote_upload *)u;

	remote_upload_end(self);
	note_end(self->note, self->is_whole || remove_part((struct http_store *)u->store, self->part));
	remote_upload_free(self);
}

static bool http_begin(struct store *s, const char *key, struct upload **out, struct err *err)
{
	struct http_store *self = (struct http_store *)s;

	sweep(self);
	if (!make_folder_of(self, key, err))
		return false;
	struct remote_upload *u = remote_upload_new(key);
	u->base.store = s; /* http_discard() needs it */
	u->url = url_of(self, u->part);
	add_headers(self, &u->headers, NULL);
	u->req = request(self, "PUT", u->url, &u->headers);
	u->req.body_len = TRANSFER_STREAM;
	if (!note_begin(&self->notes, u->part, &u->note, err) ||
	    !transfer_start(self->client, &u->req, &u->transfer, err)) {
		http_discard(&u->base);
		return false;
	}
	*out = &u->base;
	return true;
}

static bool http_finish(struct upload *u, struct err *err)
{
	struct remote_upload *self = (struct remote_upload *)u;
	struct http_store *s = (struct http_store *)u->store;
	int status;

	if (!transfer_answer(self->transfer, &status, err))
		return false;
	if (!is_success(status))
		return said("PUT", self->url, status, err);
	remote_upload_end(self);
	self->is_whole = check_size(s, self->part, self->bytes, err) &&
	                 publish(s, self->part, self->key, self->bytes, err);
	return self->is_whole;
}

static bool put_part(const struct http_store *s, const char *part, const void *data, size_t len,
                     struct err *err)
{
	cleanup_transfer_result struct transfer_result r = TRANSFER_RESULT_INIT(ANSWER_MAX);
	cleanup_free char *url = url_of(s, part);
	const struct verb put = { .method = "PUT", .url = url, .body = data, .len = len };

	if (!ask(s, &put, &r, err))
		return false;
	return is_success(r.status) || said("PUT", url, r.status, err);
}

static bool http_put(struct store *s, const char *key, const void *data, size_t len, struct err *err)
{
	const struct http_store *self = (struct http_store *)s;
	cleanup_free char *part = remote_part(key);
	struct note *note = NULL;

	if (!make_folder_of(self, key, err) || !note_begin(&self->notes, part, &note, err))
		return false;
	bool ok = put_part(self, part, data, len, err) && check_size(self, part, (int64_t)len, err) &&
	          publish(self, part, key, (int64_t)len, err);
	note_end(note, ok || remove_part(self, part));
	return ok;
}

/* ------------------------------------------------------------------ reading */

static bool start_get(struct http_store *s, struct remote_download *d, int *status, struct err *err)
{
	d->req = request(s, "GET", d->url, &d->headers);
	d->req.range = d->range;
	return transfer_start(s->client, &d->req, &d->transfer, err) &&
	       transfer_answer(d->transfer, status, err);
}

static bool get_once(struct http_store *s, const char *key, int64_t offset, struct download **out,
                     struct err *err)
{
	struct remote_download *d = mem_new0(sizeof(*d));
	int status = 0, wanted = offset > 0 ? 206 : 200;

	d->url = url_of(s, key);
	d->range = offset > 0 ? mem_fmt("%lld-", (long long)offset) : NULL;
	add_headers(s, &d->headers, NULL);
	if (start_get(s, d, &status, err) && status == wanted) {
		*out = &d->base;
		return true;
	}
	if (err->code == ERR_NONE && status >= 500)
		err_set(err, ERR_IO, "GET: HTTP status %d", status); /* may pass */
	else if (err->code == ERR_NONE)
		said("GET", d->url, status, err);
	remote_end_read(&d->base);
	return false;
}

static bool http_get(struct store *s, const char *key, int64_t offset, struct download **out, struct err *err)
{
	struct http_store *self = (struct http_store *)s;
	struct err why = ERR_INIT;

	for (int64_t n = 0; !get_once(self, key, offset, out, &why); n++)
		if (!remote_again(n, self->attempts, &why)) {
			*err = why;
			return false;
		}
	return true;
}

const struct store_ops store_http_ops = {
	.type = "http",
	.keys = http_keys,
	.open = http_open,
	.close = http_close,
	.begin = http_begin,
	.write = remote_write,
	.finish = http_finish,
	.discard = http_discard,
	.put = http_put,
	.list = http_list,
	.get = http_get,
	.read = remote_read,
	.end_read = remote_end_read,
	.remove = http_remove,
	.free_bytes = remote_free_bytes,
};
