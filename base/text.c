#include "base/text.h"
#include "base/buf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct unit {
	const char *name;
	int64_t factor;
};

static const struct unit duration_units[] = {
	{ "", 1000 }, { "ms", 1 }, { "s", 1000 }, { "min", 60000 }, { "h", 3600000 }, { "d", 86400000 },
};

static const struct unit size_units[] = {
	{ "", 1 },
	{ "B", 1 },
	{ "k", 1LL << 10 },
	{ "KiB", 1LL << 10 },
	{ "kB", 1000 },
	{ "M", 1LL << 20 },
	{ "MiB", 1LL << 20 },
	{ "MB", 1000000 },
	{ "G", 1LL << 30 },
	{ "GiB", 1LL << 30 },
	{ "GB", 1000000000 },
	{ "T", 1LL << 40 },
	{ "TiB", 1LL << 40 },
	{ "TB", 1000000000000 },
};

/* ctype.h asks the locale, and is undefined for negative char. */
static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_alpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
static bool is_blank(char c) { return c != '\0' && strchr(" \t\r\n\v\f", c); }

static bool leading_int(const char *s, int64_t *value, const char **rest)
{
	char *end;

	if (!is_digit(s[0]) && !(s[0] == '-' && is_digit(s[1])))
		return false; /* strtoll would take blanks and a plus */
	errno = 0;
	long long n = strtoll(s, &end, 10);
	if (errno != 0)
		return false;
	*value = n;
	*rest = end;
	return true;
}

bool text_to_int64(const char *s, int64_t *out)
{
	int64_t value;
	const char *rest;

	if (!leading_int(s, &value, &rest) || *rest)
		return false;
	*out = value;
	return true;
}

static bool with_unit(const char *s, const struct unit *units, size_t n, int64_t *out)
{
	int64_t value, product;
	const char *rest;

	if (!leading_int(s, &value, &rest) || value < 0)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (strcasecmp(rest, units[i].name) != 0)
			continue;
		if (__builtin_mul_overflow(value, units[i].factor, &product))
			return false;
		*out = product;
		return true;
	}
	return false;
}

bool text_to_duration_ms(const char *s, int64_t *out)
{
	return with_unit(s, duration_units, COUNT(duration_units), out);
}

bool text_to_size(const char *s, int64_t *out) { return with_unit(s, size_units, COUNT(size_units), out); }

bool text_to_bool(const char *s, bool *out)
{
	static const char *const words[][2] = {
		{ "no", "yes" }, { "false", "true" }, { "off", "on" }, { "0", "1" }
	};

	for (size_t i = 0; i < COUNT(words); i++) {
		for (int value = 0; value < 2; value++) {
			if (strcasecmp(s, words[i][value]) == 0) {
				*out = value;
				return true;
			}
		}
	}
	return false;
}

const char *text_size(int64_t bytes, char out[TEXT_SHORT])
{
	static const char *const names[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };

	if (bytes < 1024) {
		snprintf(out, TEXT_SHORT, "%lld B", (long long)bytes);
		return out;
	}
	double value = (double)bytes / 1024;
	size_t i = 0;
	for (; value >= 1023.95 && i + 1 < COUNT(names); i++) /* or it would print as 1024.0 */
		value /= 1024;
	snprintf(out, TEXT_SHORT, "%.1f %s", value, names[i]);
	return out;
}

const char *text_duration(int64_t ms, char out[TEXT_SHORT])
{
	long long s = ms / 1000, min = s / 60, h = min / 60;

	if (ms < 1000)
		snprintf(out, TEXT_SHORT, "%lld ms", (long long)ms);
	else if (s < 60)
		snprintf(out, TEXT_SHORT, "%lld.%lld s", s, (long long)ms % 1000 / 100);
	else if (min < 60)
		snprintf(out, TEXT_SHORT, "%lld min %02lld s", min, s % 60);
	else if (h < 24)
		snprintf(out, TEXT_SHORT, "%lld h %02lld min", h, min % 60);
	else
		snprintf(out, TEXT_SHORT, "%lld d %02lld h", h / 24, h % 24);
	return out;
}

bool text_starts(const char *s, const char *prefix) { return strncmp(s, prefix, strlen(prefix)) == 0; }

bool text_ends(const char *s, const char *suffix)
{
	size_t len = strlen(s), n = strlen(suffix);

	return n <= len && strcmp(s + len - n, suffix) == 0;
}

char *text_trim(char *s)
{
	while (is_blank(*s))
		s++;
	size_t len = strlen(s);
	while (len > 0 && is_blank(s[len - 1]))
		len--;
	s[len] = '\0';
	return s;
}

/* Bytes of the well-formed character at p, 0 when there is none: Unicode 15, table 3-7. */
static size_t utf8_length(const unsigned char *p, size_t left)
{
	unsigned char low = 0x80, high = 0xBF; /* what the second byte may be */
	size_t n;

	if (p[0] < 0x80)
		return p[0] != 0;
	if (p[0] < 0xC2 || p[0] > 0xF4)
		return 0;
	n = p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;
	if (p[0] == 0xE0)
		low = 0xA0; /* shorter forms exist */
	else if (p[0] == 0xED)
		high = 0x9F; /* surrogates */
	else if (p[0] == 0xF0)
		low = 0x90;
	else if (p[0] == 0xF4)
		high = 0x8F; /* past U+10FFFF */
	if (left < n || p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++) {
		if ((p[i] & 0xC0) != 0x80)
			return 0;
	}
	return n;
}

size_t text_utf8_valid(const char *s, size_t len)
{
	size_t at = 0;

	while (at < len) {
		size_t n = utf8_length((const unsigned char *)s + at, len - at);
		if (n == 0)
			return at;
		at += n;
	}
	return len;
}

size_t text_utf8_cut(const char *s, size_t max)
{
	size_t len = strlen(s);

	if (len <= max)
		return len;
	while (max > 0 && ((unsigned char)s[max] & 0xC0) == 0x80)
		max--;
	return max;
}

char *text_percent(const char *s)
{
	struct buf b = BUF_INIT(BUF_TEXT_MAX);

	for (; *s; s++) {
		if (is_alpha(*s) || is_digit(*s) || *s == '_' || *s == '-')
			buf_char(&b, *s);
		else
			buf_fmt(&b, "%%%02X", (unsigned char)*s);
	}
	return buf_take(&b);
}

#define WORD_MAX 48

static size_t min3(size_t a, size_t b, size_t c)
{
	size_t least = a < b ? a : b;

	return least < c ? least : c;
}

/* Optimal string alignment: insertions, deletions, substitutions, and two letters swapped. */
static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t d[WORD_MAX + 1][WORD_MAX + 1];

	for (size_t i = 0; i <= a_len; i++)
		d[i][0] = i;
	for (size_t j = 0; j <= b_len; j++)
		d[0][j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		for (size_t j = 1; j <= b_len; j++) {
			size_t differs = a[i - 1] != b[j - 1];
			d[i][j] = min3(d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + differs);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				d[i][j] = min3(d[i][j], d[i][j], d[i - 2][j - 2] + 1);
		}
	}
	return d[a_len][b_len];
}

const char *text_nearest(const char *word, const char *const *entries, size_t n)
{
	const char *best = NULL;
	size_t best_distance = 4, len = strlen(word);

	for (size_t i = 0; i < n; i++) {
		size_t entry_len = strlen(entries[i]);
		if (len > WORD_MAX || entry_len > WORD_MAX)
			continue;
		size_t far = distance(word, len, entries[i], entry_len);
		if (far < best_distance && far * 2 < len) {
			best_distance = far;
			best = entries[i];
		}
	}
	return best;
}
