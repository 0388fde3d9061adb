#include "base/uuid.h"
#include "base/clock.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

void random_bytes(void *out, size_t len)
{
	unsigned char *p = out;

	while (len > 0) {
		ssize_t n = getrandom(p, len, 0);
		if (n < 0 && errno != EINTR) {
			perror("ripcord: getrandom");
			abort();
		}
		if (n > 0) {
			p += n;
			len -= (size_t)n;
		}
	}
}

void random_hex(char *out, size_t digits)
{
	for (size_t i = 0; i < digits; i++) {
		unsigned char byte;
		random_bytes(&byte, 1);
		out[i] = "0123456789abcdef"[byte & 15];
	}
	out[digits] = '\0';
}

/* Two ids of one millisecond still sort by their making: the twelve bits after the version
 * hold the part of a millisecond (RFC 9562, 6.2, method 3), and a clock that did not move
 * on is moved on by one step of those. */
static uint64_t next_tick(void)
{
	static uint64_t last; /* in 4096ths of a millisecond */
	uint64_t us = (uint64_t)clock_wall_us();
	uint64_t tick = us / 1000 * 4096 + us % 1000 * 4096 / 1000;

	last = tick > last ? tick : last + 1;
	return last;
}

void uuid7(char out[UUID_TEXT])
{
	uint64_t tick = next_tick(), ms = tick / 4096;
	uint64_t r;

	random_bytes(&r, sizeof(r));
	r = (r & 0x3FFFFFFFFFFFFFFF) | 0x8000000000000000; /* variant 10 */
	snprintf(out, UUID_TEXT, "%08x-%04x-7%03x-%04x-%012llx", (unsigned)(ms >> 16 & 0xFFFFFFFF),
	         (unsigned)(ms & 0xFFFF), (unsigned)(tick % 4096), (unsigned)(r >> 48),
	         (unsigned long long)(r & 0xFFFFFFFFFFFF));
}

const char *uuid_short(const char *uuid)
{
	size_t len = strlen(uuid);

	return len > 8 ? uuid + len - 8 : uuid;
}
