/*
 * progress.h - how long work says how far it is, without knowing who listens.
 */
#ifndef BASE_PROGRESS_H
#define BASE_PROGRESS_H

#include <stdint.h>

struct progress {
	/* total is 0 while nobody knows it.  Called often: the listener decides how often it shows. */
	void (*report)(void *ctx, const char *phase, int64_t done_bytes, int64_t total_bytes);
	void *ctx;
};

/* NULL is fine: then nobody listens. */
static inline void progress_report(const struct progress *p, const char *phase, int64_t done_bytes, int64_t total_bytes)
{
	if (p && p->report)
		p->report(p->ctx, phase, done_bytes, total_bytes);
}

#endif
