#include "base/http.h"
#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/mem.h"

#include <curl/curl.h>

#include <string.h>

#define TIMEOUT_DEFAULT_MS 30000 /* header: the whole request */
#define CONNECT_TIMEOUT_MS 10000L

/* What the callbacks of one request share. */
struct transfer {
	struct buf *body;
	bool too_large;
	bool cancelled;
};

static size_t on_body(char *data, size_t size, size_t n, void *ctx)
{
	struct transfer *t = ctx;
	size_t len = size * n; /* size is always 1 (CURLOPT_WRITEFUNCTION) */

	if (len > t->body->max - t->body->len) {
		t->too_large = true;
		return 0; /* less than len: an error to libcurl */
	}
	buf_add(t->body, data, len);
	return len;
}

/* Called at least once a second, also while nothing moves (CURLOPT_XFERINFOFUNCTION). */
static int on_progress(void *ctx, curl_off_t down_total, curl_off_t down, curl_off_t up_total, curl_off_t up)
{
	struct transfer *t = ctx;
	(void)down_total, (void)down, (void)up_total, (void)up;

	t->cancelled = cancel_requested();
	return t->cancelled;
}

/* The URL without user, password and query: what may stand in a message.  Owned by the caller. */
static char *url_label(const char *url)
{
	char *label = NULL, *text = NULL;
	CURLU *u = curl_url();

	if (u && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK) {
		curl_url_set(u, CURLUPART_USER, NULL, 0);
		curl_url_set(u, CURLUPART_PASSWORD, NULL, 0);
		curl_url_set(u, CURLUPART_QUERY, NULL, 0);
		curl_url_set(u, CURLUPART_FRAGMENT, NULL, 0);
		curl_url_get(u, CURLUPART_URL, &text, 0);
	}
	label = mem_strdup(text ? text : "the URL");
	curl_free(text);
	curl_url_cleanup(u);
	return label;
}

static bool set_headers(CURL *curl, const struct strv *headers, struct curl_slist **list)
{
	/* Servers that do not know 100-continue would cost a second a request. */
	*list = curl_slist_append(NULL, "Expect:");
	for (size_t i = 0; *list && headers && i < headers->n; i++) {
		struct curl_slist *longer = curl_slist_append(*list, headers->v[i]);
		if (!longer)
			return false;
		*list = longer;
	}
	return *list && curl_easy_setopt(curl, CURLOPT_HTTPHEADER, *list) == CURLE_OK;
}

static bool set_body(CURL *curl, const struct http_request *req)
{
	if (req->body)
		return curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)req->body_len) ==
		               CURLE_OK &&
		       curl_easy_setopt(curl, CURLOPT_POSTFIELDS, req->body) == CURLE_OK;
	if (strcmp(req->method, "HEAD") == 0)
		return curl_easy_setopt(curl, CURLOPT_NOBODY, 1L) == CURLE_OK;
	return curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L) == CURLE_OK;
}

/* libcurl verifies certificate and host name unless told otherwise; it is not. */
static bool set_options(CURL *curl, const struct http_request *req, struct transfer *t)
{
	long timeout_ms = (long)(req->timeout_ms > 0 ? req->timeout_ms : TIMEOUT_DEFAULT_MS);

	return curl_easy_setopt(curl, CURLOPT_URL, req->url) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
	       set_body(curl, req) &&
	       curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, req->method) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_USERAGENT, "ripcord") == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, timeout_ms) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_WRITEDATA, t) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_XFERINFODATA, t) == CURLE_OK;
}

static bool failed(const struct http_request *req, const struct transfer *t, CURLcode rc, struct err *err)
{
	cleanup_free char *label = url_label(req->url);

	if (t->cancelled)
		return err_set(err, ERR_CANCELLED, "%s %s: cancelled", req->method, label);
	if (t->too_large)
		return err_set(err, ERR_IO, "%s %s: the answer is larger than %zu bytes", req->method, label,
		               t->body->max);
	/* The code's own text: CURLOPT_ERRORBUFFER may hold the URL. */
	if (rc == CURLE_OPERATION_TIMEDOUT)
		return err_set(err, ERR_CANCELLED, "%s %s: no answer in time", req->method, label);
	return err_set(err, ERR_IO, "%s %s: %s", req->method, label, curl_easy_strerror(rc));
}

/* Before the first handle; libcurl counts, and the process's end gives it back. */
static bool init_once(void)
{
	static bool done;

	if (!done)
		done = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
	return done;
}

bool http_send(const struct http_request *req, int *status, struct buf *body, struct err *err)
{
	struct transfer t = { .body = body };
	struct curl_slist *headers = NULL;
	long code = 0;

	CURL *curl = init_once() ? curl_easy_init() : NULL;
	if (!curl)
		return err_set(err, ERR_IO, "libcurl cannot be used");
	CURLcode rc = CURLE_OUT_OF_MEMORY;
	if (set_options(curl, req, &t) && set_headers(curl, req->headers, &headers))
		rc = curl_easy_perform(curl);
	if (rc == CURLE_OK)
		rc = curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &code);
	curl_slist_free_all(headers);
	curl_easy_cleanup(curl);
	if (rc != CURLE_OK)
		return failed(req, &t, rc, err);
	*status = (int)code;
	return true;
}
