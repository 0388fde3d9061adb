#include "backup/stores/s3_request.h"

#include "backup/stores/s3_credentials.h"
#include "backup/stores/sigv4.h"
#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/xml.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Full jitter: the tenth attempt comes about 25 s after the first. */
#define BACKOFF_MS     100
#define BACKOFF_CAP_MS 20000
/* No attempt begins later than this after the first one. */
#define RETRY_BUDGET_MS (INT64_C(10) * 60 * 1000)
/* A signature is good for 15 minutes; a part that takes longer is no use trying. */
#define TIMEOUT_MS (INT64_C(15) * 60 * 1000)
/* Attempts at a server that did not answer the last request at all, whatever was tried. */
#define ATTEMPTS_UNREACHABLE 2

#define MESSAGE_MAX 300 /* of the server's words */

struct s3_client {
	const struct s3_config *config;
	struct transfer_client *http;
	pthread_mutex_t lock; /* over all below */
	struct s3_credentials *credentials;
	char *region;         /* of the configuration, or what the server named */
	int64_t clock_off_us; /* the server's clock minus ours */
	bool unreachable;     /* the last request had no answer at all */
};

/* What an attempt means for the next one. */
enum verdict {
	VERDICT_DONE,
	VERDICT_AGAIN,     /* it passes; whether it had an effect is not known */
	VERDICT_SLOWER,    /* it passes; it had no effect */
	VERDICT_KEYS,      /* credentials have expired */
	VERDICT_CLOCK,     /* our clock is wrong */
	VERDICT_ELSEWHERE, /* another region */
	VERDICT_NO,
};

/* Amazon S3 API Reference, "Error responses"; codes win over the status. */
static const struct {
	const char *code;
	enum verdict verdict;
} codes[] = {
	{ "SlowDown", VERDICT_SLOWER },
	{ "ServiceUnavailable", VERDICT_SLOWER },
	{ "RequestTimeout", VERDICT_AGAIN },
	{ "InternalError", VERDICT_AGAIN },
	{ "OperationAborted", VERDICT_AGAIN },
	{ "ConditionalRequestConflict", VERDICT_AGAIN },
	{ "IncompleteBody", VERDICT_SLOWER },
	{ "BadDigest", VERDICT_SLOWER },
	{ "XAmzContentSHA256Mismatch", VERDICT_SLOWER },
	{ "TooManyRequests", VERDICT_SLOWER },
	{ "RequestTimeTooSkewed", VERDICT_CLOCK },
	{ "ExpiredToken", VERDICT_KEYS },
	{ "TokenRefreshRequired", VERDICT_KEYS },
	{ "InvalidToken", VERDICT_KEYS },
	{ "AuthorizationHeaderMalformed", VERDICT_ELSEWHERE },
	{ "PermanentRedirect", VERDICT_ELSEWHERE },
	{ "IllegalLocationConstraintException", VERDICT_ELSEWHERE },
	{ "NotImplemented", VERDICT_NO },
	{ "InsufficientStorage", VERDICT_NO },
};

/* ------------------------------------------------------------------ making and ending */

bool s3_client_new(const struct s3_config *config, struct s3_client **out, struct err *err)
{
	struct transfer_client *http = NULL;

	if (!transfer_client_new(&http, err))
		return err_recode(err, ERR_BACKUP);
	struct s3_client *c = mem_new0(sizeof(*c));
	c->config = config;
	c->http = http;
	c->credentials = s3_credentials_new(config);
	c->region = mem_strdup(config->region);
	pthread_mutex_init(&c->lock, NULL);
	*out = c;
	return true;
}

void s3_client_free(struct s3_client *c)
{
	if (!c)
		return;
	transfer_client_free(c->http);
	s3_credentials_free(c->credentials);
	pthread_mutex_destroy(&c->lock);
	free(c->region);
	free(c);
}

const struct s3_config *s3_client_config(const struct s3_client *c) { return c->config; }

void s3_answer_clear(struct s3_answer *a)
{
	transfer_result_clear(&a->http);
	a->code[0] = '\0';
	a->passing = a->maybe_done = false;
}

char *s3_place(const struct s3_client *c, const char *key)
{
	return mem_fmt("%s%s%s", c->config->bucket, key ? "/" : "", key ? key : "");
}

/* ------------------------------------------------------------------ one attempt */

/* Where a request goes.  All owned. */
struct address {
	char *host, *path, *query, *url;
};

static void address_clear(struct address *a)
{
	free(a->host);
	free(a->path);
	free(a->query);
	free(a->url);
}

/* The URL holds exactly the bytes that are signed. */
static struct address address_of(const struct s3_config *c, const char *region, const struct s3_call *call)
{
	struct address a = { .query = sigv4_query(call->query) };
	cleanup_free char *key = transfer_escape(call->key ? call->key : "", true);
	cleanup_free char *host = c->host ? mem_strdup(c->host) : mem_fmt("s3.%s.amazonaws.com", region);

	a.host = c->path_style ? mem_strdup(host) : mem_fmt("%s.%s", c->bucket, host);
	if (c->path_style)
		a.path = mem_fmt("/%s%s%s", c->bucket, call->key ? "/" : "", key);
	else
		a.path = mem_fmt("/%s", key);
	a.url = mem_fmt("%s://%s%s%s%s", c->scheme, a.host, a.path, *a.query ? "?" : "", a.query);
	return a;
}

/* Payload digest, and for bodies Content-MD5: taken once, signed at every attempt. */
struct digests {
	char sha256[SHA256_HEX];
	char *md5; /* base64, owned; NULL without a body */
};

static struct digests digests_of(const struct s3_call *call)
{
	struct digests d = { .md5 = NULL };
	unsigned char md5[MD5_BYTES];

	sha256_of(call->body ? call->body : "", call->body_len, d.sha256);
	if (call->body) {
		md5_of(call->body, call->body_len, md5);
		d.md5 = hash_base64(md5, sizeof(md5));
	}
	return d;
}

/* Under the lock: another thread may fetch credentials, or learn the time. */
static bool sign(struct s3_client *c, const struct s3_call *call, const struct digests *d, struct address *to,
                 struct strv *headers, struct err *err)
{
	struct sigv4_keys keys;

	pthread_mutex_lock(&c->lock);
	bool ok = s3_credentials_get(c->credentials, &keys, err);
	if (ok) {
		*to = address_of(c->config, c->region, call);
		const struct sigv4_request r = { .method = call->method,
			                         .path = to->path,
			                         .query = to->query,
			                         .payload = d->sha256,
			                         .region = c->region,
			                         .service = "s3",
			                         .at_us = clock_wall_us() + c->clock_off_us };
		strv_fmt(headers, "Host: %s", to->host);
		strv_fmt(headers, "x-amz-content-sha256: %s", d->sha256);
		if (d->md5)
			strv_fmt(headers, "Content-MD5: %s", d->md5);
		if (call->headers)
			strv_add_all(headers, call->headers);
		sigv4_sign(&r, &keys, headers);
	}
	pthread_mutex_unlock(&c->lock);
	return ok;
}

static bool attempt(struct s3_client *c, struct transfer_client *http, const struct s3_call *call,
                    const struct digests *d, struct s3_answer *answer, struct err *err)
{
	__attribute__((cleanup(address_clear))) struct address to = { .host = NULL };
	cleanup_strv struct strv headers = STRV_INIT;

	/* Without credentials nothing was sent: no further attempt, the source has made its own. */
	if (!sign(c, call, d, &to, &headers, err)) {
		answer->http.how = TRANSFER_REFUSED;
		return false;
	}
	const struct transfer_request req = { .method = call->method,
		                              .url = to.url,
		                              .headers = &headers,
		                              .body = call->body,
		                              .body_len = (int64_t)call->body_len,
		                              .range = call->range,
		                              .ca_file = c->config->ca_file,
		                              .direct = c->config->loopback,
		                              .despite_cancel = call->despite_cancel,
		                              .timeout_ms = TIMEOUT_MS,
		                              .stall_ms = c->config->stall_ms *
		                                          (call->patience ? call->patience : 1) };
	return transfer_run(http, &req, &answer->http, err);
}

/* ------------------------------------------------------------------ judging it */

/* "  <?xml ...><Error>": S3 sends blanks while it assembles an object. */
static struct xml *error_in(const struct s3_answer *answer)
{
	const char *text = buf_text(&answer->http.body);
	struct err ignored = ERR_INIT;
	struct xml *x = NULL;

	text += strspn(text, " \t\r\n");
	if (*text != '<' || !xml_parse(text, strlen(text), "the answer", &x, &ignored))
		return NULL;
	if (xml_is(xml_root(x), "Error"))
		return x;
	xml_free(x);
	return NULL;
}

/* The server's words, without control characters. */
static void words_of(const struct xml *x, struct s3_answer *answer, char message[MESSAGE_MAX])
{
	cleanup_free char *code = x ? xml_text(xml_root(x), "Code") : NULL;
	cleanup_free char *text = x ? xml_text(xml_root(x), "Message") : NULL;

	snprintf(answer->code, sizeof(answer->code), "%s", code ? code : x ? "Error" : "");
	snprintf(message, MESSAGE_MAX, "%s%s", text ? ": " : "", text ? text : "");
	for (char *p = message; *p; p++)
		if ((unsigned char)*p < ' ')
			*p = ' ';
}

static enum verdict verdict_of(const struct s3_answer *answer)
{
	int status = answer->http.status;

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (strcmp(codes[i].code, answer->code) == 0)
			return codes[i].verdict;
	if (status == 429)
		return VERDICT_SLOWER;
	if (status == 301 || status == 307)
		return VERDICT_ELSEWHERE;
	/* 501 and 507: neither another method nor space comes by waiting a minute. */
	if (status == 408 || (status >= 500 && status != 501 && status != 507))
		return VERDICT_AGAIN;
	return status >= 200 && status < 300 && *answer->code ? VERDICT_AGAIN : VERDICT_NO;
}

/* What a person can do about it. */
static void hint(const struct s3_answer *answer, struct err *err)
{
	static const struct {
		const char *code, *hint;
	} hints[] = {
		{ "NoSuchBucket", "create the bucket; ripcord does not" },
		{ "AccessDenied", "the credentials need s3:ListBucket, GetObject, PutObject, DeleteObject, "
		                  "AbortMultipartUpload, "
		                  "ListMultipartUploadParts and ListBucketMultipartUploads" },
		{ "SignatureDoesNotMatch", "the secret key does not belong to the access key" },
		{ "InvalidAccessKeyId", "the server does not know the access key" },
		{ "EntityTooSmall", "this server needs a larger part_size (Amazon S3: 5MiB)" },
		{ "RequestTimeTooSkewed", "set this machine's clock" },
	};

	for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++)
		if (strcmp(hints[i].code, answer->code) == 0)
			err_hint(err, "%s", hints[i].hint);
}

static enum verdict refused(const struct s3_client *c, const struct s3_call *call, struct s3_answer *answer,
                            const struct xml *x, struct err *err)
{
	cleanup_free char *place = s3_place(c, call->key);
	char message[MESSAGE_MAX];

	words_of(x, answer, message);
	err_set(err, ERR_BACKUP, "%s %s: status %d%s%s%s", call->method, place, answer->http.status,
	        *answer->code ? " " : "", answer->code, message);
	hint(answer, err);
	return verdict_of(answer);
}

/* sent: an answer came, whatever it says. */
static enum verdict judge(const struct s3_client *c, const struct s3_call *call, bool sent,
                          struct s3_answer *answer, struct err *err)
{
	int status = answer->http.status;
	enum transfer_end how = answer->http.how;

	if (!sent) {
		if (err->code != ERR_CANCELLED && err->code != ERR_USAGE)
			err_recode(err, ERR_BACKUP);
		return how == TRANSFER_BROKEN || how == TRANSFER_TIMED_OUT ? VERDICT_AGAIN : VERDICT_NO;
	}
	bool good = status >= 200 && status < 300;
	cleanup_xml struct xml *x = good && status == 206 ? NULL : error_in(answer);
	return good && !x ? VERDICT_DONE : refused(c, call, answer, x, err);
}

/* ------------------------------------------------------------------ what one learns from a refusal */

/* RFC 9110, 5.6.7: "Sun, 22 Nov 2026 10:15:00 GMT". */
static bool learn_time(struct s3_client *c, const struct s3_answer *answer)
{
	const char *date = transfer_header_in(&answer->http.headers, "Date");
	struct tm tm = { .tm_mday = 1 };
	const char *end = date ? strptime(date, "%a, %d %b %Y %H:%M:%S", &tm) : NULL;

	if (!end || strcmp(end, " GMT") != 0)
		return false;
	c->clock_off_us = (int64_t)timegm(&tm) * 1000000 - clock_wall_us();
	return true;
}

static bool is_region(const char *text)
{
	return *text && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(text);
}

/* False when the answer names none, or the one that was used. */
static bool learn_region(struct s3_client *c, const struct s3_answer *answer)
{
	cleanup_xml struct xml *x = error_in(answer);
	cleanup_free char *named = x ? xml_text(xml_root(x), "Region") : NULL;
	const char *region = transfer_header_in(&answer->http.headers, "x-amz-bucket-region");

	if (!region)
		region = named;
	if (!region || !is_region(region) || strcmp(region, c->region) == 0)
		return false;
	free(c->region);
	c->region = mem_strdup(region);
	return true;
}

/* Whether another attempt has a better chance now. */
static bool learn(struct s3_client *c, enum verdict verdict, const struct s3_answer *answer)
{
	bool ok = true;

	pthread_mutex_lock(&c->lock);
	if (verdict == VERDICT_KEYS)
		s3_credentials_expire(c->credentials);
	else if (verdict == VERDICT_CLOCK)
		ok = learn_time(c, answer);
	else
		ok = learn_region(c, answer);
	pthread_mutex_unlock(&c->lock);
	return ok;
}

static void set_unreachable(struct s3_client *c, bool value)
{
	pthread_mutex_lock(&c->lock);
	c->unreachable = value;
	pthread_mutex_unlock(&c->lock);
}

static int attempts_for(struct s3_client *c, const struct s3_call *call)
{
	int attempts = call->attempts ? call->attempts : c->config->attempts;

	pthread_mutex_lock(&c->lock);
	bool few = c->unreachable && attempts > ATTEMPTS_UNREACHABLE;
	pthread_mutex_unlock(&c->lock);
	return few ? ATTEMPTS_UNREACHABLE : attempts;
}

/* ------------------------------------------------------------------ all of it */

struct trying {
	int attempts, made; /* at most, so far */
	int64_t began_ms;
	bool learned[VERDICT_NO]; /* once each */
};

static bool is_worth_another(struct s3_client *c, const struct s3_call *call, struct trying *t,
                             enum verdict verdict, const struct s3_answer *answer)
{
	if (verdict == VERDICT_NO || (call->stop && atomic_load(call->stop)) ||
	    (cancel_requested() && !call->despite_cancel))
		return false;
	if (verdict == VERDICT_KEYS || verdict == VERDICT_CLOCK || verdict == VERDICT_ELSEWHERE) {
		bool first = !t->learned[verdict];
		t->learned[verdict] = true;
		return first && learn(c, verdict, answer);
	}
	if (t->made >= t->attempts || clock_ms() - t->began_ms > RETRY_BUDGET_MS)
		return false;
	clock_sleep_ms(clock_backoff_ms(t->made - 1, BACKOFF_MS, BACKOFF_CAP_MS));
	return true;
}

static bool gave_up(const struct trying *t, bool passing, const struct err *why, struct err *err)
{
	*err = *why;
	if (t->made > 1 && passing)
		err_wrap(err, "after %d attempts", t->made);
	return false;
}

bool s3_send(struct s3_client *c, struct transfer_client *http, const struct s3_call *call,
             struct s3_answer *answer, struct err *err)
{
	struct trying t = { .attempts = attempts_for(c, call), .began_ms = clock_ms() };
	struct digests d = digests_of(call);
	struct err why = ERR_INIT;
	enum verdict verdict;
	bool maybe_done = false;

	do {
		why = (struct err)ERR_INIT;
		s3_answer_clear(answer);
		t.made++;
		bool sent = attempt(c, http ? http : c->http, call, &d, answer, &why);
		verdict = judge(c, call, sent, answer, &why);
		maybe_done |= verdict == VERDICT_AGAIN;
		set_unreachable(c, verdict == VERDICT_AGAIN && !sent);
	} while (verdict != VERDICT_DONE && is_worth_another(c, call, &t, verdict, answer));
	free(d.md5);
	answer->maybe_done = maybe_done;
	answer->passing = verdict == VERDICT_AGAIN || verdict == VERDICT_SLOWER;
	return verdict == VERDICT_DONE || gave_up(&t, answer->passing, &why, err);
}
