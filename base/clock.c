#include "base/clock.h"
#include "base/cancel.h"
#include "base/uuid.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* A signal that comes between the look at the counter and the sleep is seen after a slice. */
#define SLICE_MS 50

static struct timespec now(clockid_t which)
{
	struct timespec t;

	clock_gettime(which, &t);
	return t;
}

int64_t clock_ms(void)
{
	struct timespec t = now(CLOCK_MONOTONIC);

	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t clock_wall_us(void)
{
	struct timespec t = now(CLOCK_REALTIME);

	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* Rounds down, before 1970 too; *us is in [0, 1000000). */
static struct tm split(int64_t wall_us, int *us)
{
	int64_t rest = wall_us % 1000000;
	time_t s = wall_us / 1000000;
	struct tm tm = { .tm_mday = 1 };

	if (rest < 0) {
		rest += 1000000;
		s--;
	}
	*us = (int)rest;
	gmtime_r(&s, &tm);
	return tm;
}

const char *clock_iso(int64_t wall_us, char out[CLOCK_ISO])
{
	int us;
	struct tm tm = split(wall_us, &us);
	char seconds[CLOCK_ISO];

	strftime(seconds, sizeof(seconds), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out, CLOCK_ISO, "%.23s.%06dZ", seconds, us);
	return out;
}

bool clock_from_iso(const char *iso, int64_t *wall_us)
{
	struct tm tm = { .tm_mday = 1 };
	const char *rest = strptime(iso, "%Y-%m-%dT%H:%M:%S", &tm);
	int64_t us = 0, unit = 100000;

	if (rest && *rest == '.')
		for (rest++; *rest >= '0' && *rest <= '9'; rest++, unit /= 10)
			us += (*rest - '0') * unit;
	if (!rest || strcmp(rest, "Z") != 0)
		return false;
	*wall_us = (int64_t)timegm(&tm) * 1000000 + us;
	return true;
}

const char *clock_compact(int64_t wall_us, char out[CLOCK_ISO])
{
	int us;
	struct tm tm = split(wall_us, &us);

	strftime(out, CLOCK_ISO, "%Y%m%dT%H%M%SZ", &tm);
	return out;
}

void clock_sleep_ms(int64_t ms)
{
	int64_t end = clock_ms() + ms;

	for (int64_t left = ms; left > 0 && !cancel_requested(); left = end - clock_ms()) {
		int64_t slice = left < SLICE_MS ? left : SLICE_MS;
		struct timespec t = { .tv_nsec = (long)slice * 1000000 };
		nanosleep(&t, NULL);
	}
}

int64_t clock_backoff_ms(int attempt, int64_t base_ms, int64_t cap_ms)
{
	int64_t most = base_ms;

	for (int i = 0; i < attempt && most < cap_ms; i++)
		most = most > cap_ms / 2 ? cap_ms : most * 2;
	if (most > cap_ms)
		most = cap_ms;
	if (most <= 0)
		return 0;

	uint64_t r;
	random_bytes(&r, sizeof(r));
	return (int64_t)(r % ((uint64_t)most + 1));
}
