#include "base/transfer.h"

#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"

#include <curl/curl.h>

#include <errno.h>
#include <string.h>
#include <strings.h>

#define CONNECT_TIMEOUT_MS 15000L
#define WAIT_MS            100 /* header: how long a cancel request may stay unseen */

/* Of an answer that nobody has read yet; libcurl hands out at most CURL_MAX_WRITE_SIZE (16 KiB) at once. */
#define READ_AHEAD ((size_t)512 * 1024)

/* libssh2 keeps as many packets under way as fit the buffer it is given: the largest one that libcurl has
 * (CURLOPT_UPLOAD_BUFFERSIZE(3), CURLOPT_BUFFERSIZE(3)). */
#define UPLOAD_BUFFER   (2L * 1024 * 1024)
#define DOWNLOAD_BUFFER (512L * 1024)

struct transfer_client {
	CURLM *multi;
};

struct transfer {
	struct transfer_client *client;
	const struct transfer_request *req;
	CURL *easy;
	struct curl_slist *headers, *before, *after; /* libcurl does not copy them */
	char words[CURL_ERROR_SIZE];

	const char *in; /* the piece that transfer_write() was given */
	size_t in_len;
	bool in_end; /* no more will come */
	bool hungry; /* libcurl has asked for more and got nothing: it is paused */

	char *ahead; /* READ_AHEAD bytes; those from ahead_at on are not read yet */
	size_t ahead_at, ahead_len;
	bool full; /* libcurl has offered more than there was room for: it is paused */

	struct strv answer; /* header lines */
	bool answered;      /* the final answer's headers are there */
	bool done;
	CURLcode rc; /* when done */
	enum curl_khmatch host_key;
	enum transfer_end how;
	curl_off_t moved; /* bytes up and down when we looked last */
	int64_t moved_ms;
};

/* ------------------------------------------------------------------ what libcurl calls */

static size_t on_send(char *data, size_t size, size_t n, void *ctx)
{
	struct transfer *t = ctx;
	size_t cap = size * n;

	if (t->in_len == 0 && t->in_end)
		return 0;
	if (t->in_len == 0) {
		t->hungry = true;
		return CURL_READFUNC_PAUSE;
	}
	size_t len = t->in_len < cap ? t->in_len : cap;
	memcpy(data, t->in, len);
	t->in += len;
	t->in_len -= len;
	return len;
}

static size_t on_receive(char *data, size_t size, size_t n, void *ctx)
{
	struct transfer *t = ctx;
	size_t len = size * n; /* size is always 1 (CURLOPT_WRITEFUNCTION(3)) */

	t->answered = true; /* sftp has no headers */
	if (len > READ_AHEAD - t->ahead_len) {
		t->full = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	if (!t->ahead)
		t->ahead = mem_grow(NULL, READ_AHEAD, 1);
	memcpy(t->ahead + t->ahead_len, data, len);
	t->ahead_len += len;
	return len;
}

/* One line a call, an empty one after the last; 1xx answers come before the one that counts. */
static size_t on_header(char *data, size_t size, size_t n, void *ctx)
{
	struct transfer *t = ctx;
	size_t len = size * n, text = len;

	while (text > 0 && (data[text - 1] == '\r' || data[text - 1] == '\n'))
		text--;
	if (text >= 5 && memcmp(data, "HTTP/", 5) == 0) {
		strv_clear(&t->answer);
	} else if (text == 0) {
		t->answered = transfer_status(t) >= 200;
	} else {
		cleanup_free char *line = mem_strndup(data, text);
		strv_add(&t->answer, line);
	}
	return len;
}

static int on_host_key(CURL *easy, const struct curl_khkey *known, const struct curl_khkey *found,
                       enum curl_khmatch match, void *ctx)
{
	struct transfer *t = ctx;

	(void)easy, (void)known, (void)found;
	t->host_key = match;
	return match == CURLKHMATCH_OK ? CURLKHSTAT_FINE : CURLKHSTAT_REJECT;
}

/* ------------------------------------------------------------------ setting up */

static bool add_lines(struct curl_slist **list, const struct strv *lines)
{
	for (size_t i = 0; lines && i < lines->n; i++) {
		struct curl_slist *longer = curl_slist_append(*list, lines->v[i]);
		if (!longer)
			return false;
		*list = longer;
	}
	return true;
}

#define SET(option, value) (curl_easy_setopt(t->easy, (option), (value)) == CURLE_OK)

/* Servers that do not know 100-continue would cost a second a request; libcurl's own Content-Type is a form's. */
static bool set_headers(struct transfer *t)
{
	bool typed = t->req->headers && transfer_header_in(t->req->headers, "Content-Type");
	struct strv bare = STRV_INIT;

	strv_add(&bare, "Expect:");
	if (!typed)
		strv_add(&bare, "Content-Type:");
	bool ok = add_lines(&t->headers, &bare) && add_lines(&t->headers, t->req->headers);
	strv_clear(&bare);
	return ok && SET(CURLOPT_HTTPHEADER, t->headers);
}

/* A stream cannot be sent again: it does not begin on a kept connection, which the server may have ended. */
static bool set_upload(struct transfer *t)
{
	const struct transfer_request *req = t->req;
	bool streamed = req->body_len == TRANSFER_STREAM;
	int64_t known = streamed ? req->stream_len : req->body_len;

	t->in = req->body;
	t->in_len = streamed ? 0 : (size_t)req->body_len;
	t->in_end = !streamed;
	return SET(CURLOPT_UPLOAD, 1L) && SET(CURLOPT_FRESH_CONNECT, streamed ? 1L : 0L) &&
	       SET(CURLOPT_READFUNCTION, on_send) && SET(CURLOPT_READDATA, t) &&
	       SET(CURLOPT_INFILESIZE_LARGE, (curl_off_t)(known > 0 || !streamed ? known : -1));
}

/* Bodies from memory go as POSTFIELDS, which libcurl can send again by itself. */
static bool set_http(struct transfer *t)
{
	const struct transfer_request *req = t->req;
	bool ok = set_headers(t) && SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) &&
	          SET(CURLOPT_PATH_AS_IS, 1L) && SET(CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);

	if (!ok)
		return false;
	if (strcmp(req->method, "HEAD") == 0)
		return SET(CURLOPT_NOBODY, 1L);
	if (req->body_len == TRANSFER_STREAM)
		ok = set_upload(t);
	else if (req->body)
		ok = SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)req->body_len) &&
		     SET(CURLOPT_POSTFIELDS, req->body);
	else
		ok = SET(CURLOPT_HTTPGET, 1L);
	return ok && SET(CURLOPT_CUSTOMREQUEST, req->method);
}

static bool set_ssh(struct transfer *t)
{
	const struct transfer_ssh *ssh = t->req->ssh;
	const char *password = t->req->password;
	long types = (ssh->key_file ? CURLSSH_AUTH_PUBLICKEY : 0) | (ssh->agent ? CURLSSH_AUTH_AGENT : 0) |
	             (password && *password ? CURLSSH_AUTH_PASSWORD | CURLSSH_AUTH_KEYBOARD : 0);

	return SET(CURLOPT_SSH_KNOWNHOSTS, ssh->known_hosts) && SET(CURLOPT_SSH_KEYFUNCTION, on_host_key) &&
	       SET(CURLOPT_SSH_KEYDATA, t) && SET(CURLOPT_SSH_AUTH_TYPES, types) &&
	       SET(CURLOPT_SSH_PRIVATE_KEYFILE, ssh->key_file) &&
	       (!ssh->key_passphrase || SET(CURLOPT_KEYPASSWD, ssh->key_passphrase));
}

static bool set_sftp(struct transfer *t)
{
	const struct transfer_request *req = t->req;

	if (!set_ssh(t) || !add_lines(&t->before, req->before) || !add_lines(&t->after, req->after) ||
	    !SET(CURLOPT_QUOTE, t->before) || !SET(CURLOPT_POSTQUOTE, t->after))
		return false;
	if (strcmp(req->method, "HEAD") == 0)
		return SET(CURLOPT_NOBODY, 1L);
	if (strcmp(req->method, "PUT") != 0)
		return SET(CURLOPT_DIRLISTONLY,
		           1L); /* of a URL that ends with a slash: the names, one a line */
	return set_upload(t) && SET(CURLOPT_NEW_FILE_PERMS, 0600L) &&
	       SET(CURLOPT_NEW_DIRECTORY_PERMS, 0700L) &&
	       SET(CURLOPT_FTP_CREATE_MISSING_DIRS, (long)CURLFTP_CREATE_DIR);
}

/* libcurl verifies certificate and host name unless told otherwise; it is not. */
static bool set_common(struct transfer *t)
{
	const struct transfer_request *req = t->req;

	return SET(CURLOPT_PRIVATE, t) && SET(CURLOPT_URL, req->url) && SET(CURLOPT_ERRORBUFFER, t->words) &&
	       SET(CURLOPT_FOLLOWLOCATION, 0L) && SET(CURLOPT_NOSIGNAL, 1L) &&
	       SET(CURLOPT_TCP_KEEPALIVE, 1L) && SET(CURLOPT_USERAGENT, "ripcord") &&
	       SET(CURLOPT_TIMEOUT_MS, (long)req->timeout_ms) &&
	       SET(CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS) && SET(CURLOPT_RANGE, req->range) &&
	       SET(CURLOPT_USERNAME, req->user) && SET(CURLOPT_PASSWORD, req->password) &&
	       (!req->direct || SET(CURLOPT_NOPROXY, "*")) &&
	       (!req->ca_file || SET(CURLOPT_CAINFO, req->ca_file)) &&
	       SET(CURLOPT_UPLOAD_BUFFERSIZE, UPLOAD_BUFFER) && SET(CURLOPT_BUFFERSIZE, DOWNLOAD_BUFFER) &&
	       SET(CURLOPT_WRITEFUNCTION, on_receive) && SET(CURLOPT_WRITEDATA, t) &&
	       SET(CURLOPT_HEADERFUNCTION, on_header) && SET(CURLOPT_HEADERDATA, t);
}

static bool is_sftp(const struct transfer_request *req) { return strncasecmp(req->url, "sftp:", 5) == 0; }

static bool set_all(struct transfer *t)
{
	bool sftp = is_sftp(t->req);

	return set_common(t) && SET(CURLOPT_PROTOCOLS_STR, sftp ? "sftp" : "http,https") &&
	       (sftp ? set_sftp(t) : set_http(t));
}

#undef SET

/* ------------------------------------------------------------------ words */

/* The URL without user, password and query: what may stand in a message.  Owned by the caller. */
static char *url_label(const char *url)
{
	static const CURLUPart private_parts[] = { CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_QUERY,
		                                   CURLUPART_FRAGMENT };
	char *text = NULL;
	CURLU *u = curl_url();

	if (u && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK) {
		for (size_t i = 0; i < sizeof(private_parts) / sizeof(private_parts[0]); i++)
			curl_url_set(u, private_parts[i], NULL, 0);
		curl_url_get(u, CURLUPART_URL, &text, 0);
	}
	char *label = mem_strdup(text ? text : "the URL");
	curl_free(text);
	curl_url_cleanup(u);
	return label;
}

static enum transfer_end end_of(CURLcode rc)
{
	static const struct {
		CURLcode rc;
		enum transfer_end end;
	} table[] = {
		{ CURLE_OK, TRANSFER_DONE },
		{ CURLE_REMOTE_FILE_NOT_FOUND, TRANSFER_MISSING },
		{ CURLE_OPERATION_TIMEDOUT, TRANSFER_TIMED_OUT },
		{ CURLE_PEER_FAILED_VERIFICATION, TRANSFER_REFUSED },
		{ CURLE_SSL_CACERT_BADFILE, TRANSFER_REFUSED },
		{ CURLE_SSL_CERTPROBLEM, TRANSFER_REFUSED },
		{ CURLE_SSL_ISSUER_ERROR, TRANSFER_REFUSED },
		{ CURLE_LOGIN_DENIED, TRANSFER_REFUSED },
		{ CURLE_REMOTE_ACCESS_DENIED, TRANSFER_REFUSED },
		{ CURLE_QUOTE_ERROR, TRANSFER_REFUSED },
		{ CURLE_UNSUPPORTED_PROTOCOL, TRANSFER_REFUSED },
		{ CURLE_URL_MALFORMAT, TRANSFER_REFUSED },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i].rc == rc)
			return table[i].end;
	return TRANSFER_BROKEN;
}

/* libcurl's text for a host key that does not fit says neither whose nor why. */
static const char *why(const struct transfer *t)
{
	if (t->rc == CURLE_PEER_FAILED_VERIFICATION && t->host_key == CURLKHMATCH_MISMATCH)
		return "the server's host key is not the one in known_hosts";
	if (t->rc == CURLE_PEER_FAILED_VERIFICATION && t->host_key == CURLKHMATCH_MISSING)
		return "the server's host key is not in known_hosts";
	return t->words[0] ? t->words : curl_easy_strerror(t->rc);
}

static bool failed(const struct transfer *t, struct err *err)
{
	cleanup_free char *label = url_label(t->req->url);

	err->sys_errno = t->how == TRANSFER_TIMED_OUT ? ETIMEDOUT : 0;
	return err_set(err, t->how == TRANSFER_REFUSED ? ERR_REFUSED : ERR_IO, "%s %s: %s", t->req->method,
	               label, why(t));
}

static bool stopped(struct transfer *t, enum err_code code, const char *words, struct err *err)
{
	cleanup_free char *label = url_label(t->req->url);

	return err_set(err, code, "%s %s: %s", t->req->method, label, words);
}

/* ------------------------------------------------------------------ moving */

static void note_ends(struct transfer_client *c)
{
	CURLMsg *msg;
	int left;

	while ((msg = curl_multi_info_read(c->multi, &left)) != NULL) {
		char *found = NULL;
		if (msg->msg != CURLMSG_DONE ||
		    curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &found) != CURLE_OK)
			continue;
		struct transfer *t = (struct transfer *)(void *)found;
		t->done = t->answered = true;
		t->rc = msg->data.result;
		t->how = end_of(t->rc);
	}
}

/* A hung server is not told from a slow one by time alone: bytes that move count. */
static bool is_stalled(struct transfer *t)
{
	curl_off_t up = 0, down = 0;
	int64_t limit_ms = t->req->stall_ms > 0 ? t->req->stall_ms : TRANSFER_STALL_MS;

	curl_easy_getinfo(t->easy, CURLINFO_SIZE_UPLOAD_T, &up);
	curl_easy_getinfo(t->easy, CURLINFO_SIZE_DOWNLOAD_T, &down);
	if (up + down != t->moved) {
		t->moved = up + down;
		t->moved_ms = clock_ms();
	}
	return clock_ms() - t->moved_ms >= limit_ms;
}

typedef bool reached(const struct transfer *t);

/* Moves bytes until `t` is where the caller wants it, or at its end. */
static bool drive(struct transfer *t, reached *there, struct err *err)
{
	int running;

	t->moved_ms = clock_ms();
	for (;;) {
		if (cancel_requested() && !t->req->despite_cancel)
			return stopped(t, ERR_CANCELLED, "cancelled", err);
		if (curl_multi_perform(t->client->multi, &running) != CURLM_OK)
			return stopped(t, ERR_IO, "libcurl cannot go on", err);
		note_ends(t->client);
		if (t->done || there(t))
			return true;
		if (is_stalled(t)) {
			t->how = TRANSFER_TIMED_OUT;
			stopped(t, ERR_IO, "nothing has moved for too long", err);
			err->sys_errno = ETIMEDOUT;
			return false;
		}
		if (curl_multi_poll(t->client->multi, NULL, 0, WAIT_MS, NULL) != CURLM_OK)
			return stopped(t, ERR_IO, "libcurl cannot wait", err);
	}
}

static bool go_on(struct transfer *t, struct err *err)
{
	bool paused = t->hungry || t->full;

	t->hungry = t->full = false;
	return t->done || !paused || curl_easy_pause(t->easy, CURLPAUSE_CONT) == CURLE_OK ||
	       stopped(t, ERR_IO, "libcurl cannot go on", err);
}

static bool wants_more(const struct transfer *t) { return t->in_len == 0 && t->hungry; }
static bool has_answer(const struct transfer *t) { return t->answered; }
static bool has_bytes(const struct transfer *t) { return t->ahead_len > t->ahead_at; }

/* ------------------------------------------------------------------ one transfer */

static bool check(const struct transfer_request *req, struct err *err)
{
	if (is_sftp(req) && (!req->ssh || !req->ssh->known_hosts || !*req->ssh->known_hosts))
		return err_set(err, ERR_USAGE, "sftp needs a file of known host keys");
	if (req->body_len == TRANSFER_STREAM ? req->body != NULL : req->body_len < 0)
		return err_set(err, ERR_USAGE, "a request's body makes no sense");
	return true;
}

bool transfer_start(struct transfer_client *c, const struct transfer_request *req, struct transfer **out,
                    struct err *err)
{
	if (!check(req, err))
		return false;
	struct transfer *t = mem_new0(sizeof(*t));
	t->client = c;
	t->req = req;
	t->host_key = CURLKHMATCH_OK;
	t->easy = curl_easy_init();
	if (!t->easy || !set_all(t) || curl_multi_add_handle(c->multi, t->easy) != CURLM_OK) {
		stopped(t, ERR_IO, "libcurl does not take the request", err);
		transfer_free(t);
		return false;
	}
	*out = t;
	return true;
}

bool transfer_write(struct transfer *t, const void *data, size_t len, struct err *err)
{
	t->in = data;
	t->in_len = len;
	if (!go_on(t, err) || !drive(t, wants_more, err))
		return false;
	if (!t->done)
		return true;
	t->in_len = 0; /* the caller's bytes are his again */
	return t->rc == CURLE_OK ? stopped(t, ERR_IO, "the server answered before all was sent", err)
	                         : failed(t, err);
}

bool transfer_answer(struct transfer *t, int *status, struct err *err)
{
	t->in_end = true;
	if (!go_on(t, err) || !drive(t, has_answer, err))
		return false;
	if (t->done && t->rc != CURLE_OK && !has_bytes(t))
		return failed(t, err);
	*status = transfer_status(t);
	return true;
}

bool transfer_read(struct transfer *t, void *data, size_t cap, size_t *got, struct err *err)
{
	if (!has_bytes(t)) {
		t->ahead_at = t->ahead_len = 0;
		if (!go_on(t, err) || !drive(t, has_bytes, err))
			return false;
	}
	size_t have = t->ahead_len - t->ahead_at;
	if (have == 0 && t->rc != CURLE_OK)
		return failed(t, err);
	*got = have < cap ? have : cap;
	if (*got > 0)
		memcpy(data, t->ahead + t->ahead_at, *got);
	t->ahead_at += *got;
	return true;
}

int transfer_status(const struct transfer *t)
{
	long code = 0;

	if (is_sftp(t->req)) /* libcurl puts libssh2's last word there */
		return 0;
	return curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &code) == CURLE_OK ? (int)code : 0;
}

const char *transfer_header(const struct transfer *t, const char *name)
{
	return transfer_header_in(&t->answer, name);
}

enum transfer_end transfer_how(const struct transfer *t) { return t->how; }

void transfer_free(struct transfer *t)
{
	if (!t)
		return;
	if (t->easy)
		curl_multi_remove_handle(t->client->multi, t->easy);
	curl_easy_cleanup(t->easy);
	curl_slist_free_all(t->headers);
	curl_slist_free_all(t->before);
	curl_slist_free_all(t->after);
	strv_clear(&t->answer);
	free(t->ahead);
	free(t);
}

/* ------------------------------------------------------------------ in one call */

static bool take_body(struct transfer *t, struct buf *body, struct err *err)
{
	char piece[CURL_MAX_WRITE_SIZE];
	size_t got = 0;

	for (;;) {
		if (!transfer_read(t, piece, sizeof(piece), &got, err))
			return false;
		if (got == 0)
			return true;
		if (got > body->max - body->len) {
			cleanup_free char *words = mem_fmt("the answer is larger than %zu bytes", body->max);
			return stopped(t, ERR_IO, words, err);
		}
		buf_add(body, piece, got);
	}
}

bool transfer_run(struct transfer_client *c, const struct transfer_request *req, struct transfer_result *out,
                  struct err *err)
{
	cleanup_transfer struct transfer *t = NULL;
	int status = 0;

	out->how = TRANSFER_REFUSED;
	if (!transfer_start(c, req, &t, err))
		return false;
	bool ok = transfer_answer(t, &status, err) && take_body(t, &out->body, err);
	out->how = t->how;
	out->status = status;
	strv_add_all(&out->headers, &t->answer);
	return ok;
}

void transfer_result_clear(struct transfer_result *r)
{
	strv_clear(&r->headers);
	buf_clear(&r->body);
	r->status = 0;
	r->how = TRANSFER_RUNNING;
}

const char *transfer_header_in(const struct strv *headers, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < headers->n; i++) {
		const char *line = headers->v[i];
		if (strncasecmp(line, name, len) == 0 && line[len] == ':')
			return line + len + 1 + strspn(line + len + 1, " \t");
	}
	return NULL;
}

char *transfer_escape(const char *text, bool slashes)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
	cleanup_buf struct buf b = BUF_INIT(BUF_TEXT_MAX);

	for (const char *p = text; *p; p++) {
		if (strchr(plain, *p) || (slashes && *p == '/'))
			buf_char(&b, *p);
		else
			buf_fmt(&b, "%%%02X", (unsigned char)*p);
	}
	return buf_take(&b);
}

/* ------------------------------------------------------------------ the client */

/* Before the first handle; libcurl counts, and the process's end gives it back.  Clients are made by one thread. */
static bool init_once(void)
{
	static bool done;

	if (!done)
		done = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
	return done;
}

bool transfer_client_new(struct transfer_client **out, struct err *err)
{
	CURLM *multi = init_once() ? curl_multi_init() : NULL;

	if (!multi)
		return err_set(err, ERR_IO, "libcurl cannot be used");
	*out = mem_new0(sizeof(**out));
	(*out)->multi = multi;
	return true;
}

void transfer_client_free(struct transfer_client *c)
{
	if (!c)
		return;
	curl_multi_cleanup(c->multi);
	free(c);
}
