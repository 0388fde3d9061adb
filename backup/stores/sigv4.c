#include "backup/stores/sigv4.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/transfer.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define ALGORITHM "AWS4-HMAC-SHA256"
#define DAY       8 /* YYYYMMDD, the date's part of clock_compact() */

/* ------------------------------------------------------------------ the query */

struct pair {
	char *name, *value; /* encoded, owned */
};

static int by_name_then_value(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;
	int names = strcmp(x->name, y->name);

	return names ? names : strcmp(x->value, y->value);
}

char *sigv4_query(const struct strv *pairs)
{
	size_t n = pairs ? pairs->n / 2 : 0;
	struct pair *sorted = mem_new0((n ? n : 1) * sizeof(*sorted));
	struct buf b = BUF_INIT(BUF_TEXT_MAX);

	for (size_t i = 0; i < n; i++) {
		sorted[i].name = transfer_escape(pairs->v[2 * i], false);
		sorted[i].value = transfer_escape(pairs->v[2 * i + 1], false);
	}
	qsort(sorted, n, sizeof(*sorted), by_name_then_value);
	for (size_t i = 0; i < n; i++) {
		buf_fmt(&b, "%s%s=%s", i ? "&" : "", sorted[i].name, sorted[i].value);
		free(sorted[i].name);
		free(sorted[i].value);
	}
	free(sorted);
	return buf_take(&b);
}

/* ------------------------------------------------------------------ the headers */

/* "Name:  a   b " becomes "name:a b". */
static char *canonical_line(const char *line)
{
	cleanup_buf struct buf b = BUF_INIT(BUF_TEXT_MAX);
	const char *p = line;

	for (; *p && *p != ':'; p++)
		buf_char(&b, (char)tolower((unsigned char)*p));
	buf_char(&b, ':');
	size_t start = b.len;
	for (p += *p == ':'; *p; p++) {
		bool blank = *p == ' ' || *p == '\t';
		if (!blank)
			buf_char(&b, *p);
		else if (b.len > start && p[1] && p[1] != ' ' && p[1] != '\t')
			buf_char(&b, ' ');
	}
	return buf_take(&b);
}

/* By name, not by line: "x-amz-a-b:" stands before "x-amz-a:" when lines are compared. */
static int by_header(const void *a, const void *b)
{
	const char *x = *(char *const *)a, *y = *(char *const *)b;
	size_t n = strcspn(x, ":"), m = strcspn(y, ":");
	int order = strncmp(x, y, n < m ? n : m);

	if (order)
		return order;
	return n < m ? -1 : n > m;
}

/* The lines that are signed, in canonical form and order, and their names joined by ';'. */
static void canonical_headers(const struct strv *headers, struct buf *lines, struct buf *names)
{
	cleanup_strv struct strv sorted = STRV_INIT;

	for (size_t i = 0; i < headers->n; i++) {
		cleanup_free char *line = canonical_line(headers->v[i]);
		strv_add(&sorted, line);
	}
	if (sorted.n > 0)
		qsort(sorted.v, sorted.n, sizeof(*sorted.v), by_header);
	for (size_t i = 0; i < sorted.n; i++) {
		buf_fmt(lines, "%s\n", sorted.v[i]);
		buf_fmt(names, "%s%.*s", i ? ";" : "", (int)strcspn(sorted.v[i], ":"), sorted.v[i]);
	}
}

/* ------------------------------------------------------------------ the signature */

static void request_digest(const struct sigv4_request *r, const char *lines, const char *names,
                           char hex[SHA256_HEX])
{
	cleanup_free char *text =
		mem_fmt("%s\n%s\n%s\n%s\n%s\n%s", r->method, r->path, r->query, lines, names, r->payload);

	sha256_of(text, strlen(text), hex);
}

/* The secret, folded with the day, the region and the service, so that what signs is good for these alone. */
static void signing_key(const struct sigv4_request *r, const char *secret, const char *when,
                        unsigned char key[HMAC_BYTES])
{
	char *start = mem_fmt("AWS4%s", secret);

	hmac_sha256(start, strlen(start), when, DAY, key);
	hmac_sha256(key, HMAC_BYTES, r->region, strlen(r->region), key);
	hmac_sha256(key, HMAC_BYTES, r->service, strlen(r->service), key);
	hmac_sha256(key, HMAC_BYTES, "aws4_request", strlen("aws4_request"), key);
	mem_wipe(start, strlen(start));
	free(start);
}

void sigv4_sign(const struct sigv4_request *r, const struct sigv4_keys *keys, struct strv *headers)
{
	cleanup_buf struct buf lines = BUF_INIT(BUF_TEXT_MAX), names = BUF_INIT(BUF_TEXT_MAX);
	char when[CLOCK_ISO], digest[SHA256_HEX], signature[2 * HMAC_BYTES + 1];
	unsigned char mac[HMAC_BYTES];

	clock_compact(r->at_us, when);
	strv_fmt(headers, "x-amz-date: %s", when);
	if (keys->session_token)
		strv_fmt(headers, "x-amz-security-token: %s", keys->session_token);
	canonical_headers(headers, &lines, &names);
	request_digest(r, buf_text(&lines), buf_text(&names), digest);

	cleanup_free char *scope = mem_fmt("%.*s/%s/%s/aws4_request", DAY, when, r->region, r->service);
	cleanup_free char *text = mem_fmt(ALGORITHM "\n%s\n%s\n%s", when, scope, digest);
	signing_key(r, keys->secret_key, when, mac);
	hmac_sha256(mac, sizeof(mac), text, strlen(text), mac);
	hash_hex(mac, sizeof(mac), signature);
	strv_fmt(headers, "Authorization: " ALGORITHM " Credential=%s/%s,SignedHeaders=%s,Signature=%s",
	         keys->access_key, scope, buf_text(&names), signature);
}
