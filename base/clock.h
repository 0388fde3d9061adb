/*
 * clock.h - time.  Durations and deadlines are in milliseconds of the monotonic clock;
 * points in time are microseconds since 1970 in UTC, printed as ISO 8601 with a Z.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

int64_t clock_ms(void);      /* monotonic */
int64_t clock_wall_us(void); /* UTC */

#define CLOCK_ISO 32
const char *clock_iso(int64_t wall_us, char out[CLOCK_ISO]);     /* 2026-11-22T10:15:00.123456Z */
/* The other way round, with or without the fraction; false when it is no such time. */
bool clock_from_iso(const char *iso, int64_t *wall_us);
const char *clock_compact(int64_t wall_us, char out[CLOCK_ISO]); /* 20261122T101500Z, design.md section 5 */

/* Sleeps, but no longer than until a cancel is requested (base/cancel.h). */
void clock_sleep_ms(int64_t ms);

/* Full jitter: a random time in [0, min(cap, base * 2^attempt)], attempt from 0.
 * Source: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015. */
int64_t clock_backoff_ms(int attempt, int64_t base_ms, int64_t cap_ms);

#endif
