#include "base/cancel.h"

#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <time.h>

/* What comes so soon after one is the same wish: a terminal's Ctrl-C reaches us from it and from npm or make above us,
 * and a closed session brings SIGHUP and SIGTERM. */
enum { SAME_WISH_MS = 1000 };

static volatile sig_atomic_t count, last, last_ms;
static int held; /* signals that are dealt with; only the main thread writes it */

/* clock_gettime() is async-signal-safe; milliseconds that wrap around still have the right distance. */
static void on_signal(int sig)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	unsigned now = (unsigned)t.tv_sec * 1000 + (unsigned)(t.tv_nsec / 1000000);
	if (count > 0 && now - (unsigned)last_ms < SAME_WISH_MS)
		return;
	last = sig;
	last_ms = (sig_atomic_t)now;
	count++;
}

/* Without SA_RESTART, so that a read at a prompt ends. */
static void catch (int sig, const sigset_t *mask)
{
	struct sigaction sa = { .sa_handler = on_signal, .sa_mask = *mask };

	sigaction(sig, &sa, NULL);
}

static bool is_ignored(int sig)
{
	struct sigaction sa;

	return sigaction(sig, NULL, &sa) == 0 && sa.sa_handler == SIG_IGN;
}

void cancel_install(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	size_t n = sizeof(signals) / sizeof(signals[0]);
	sigset_t mask; /* one handler at a time: count++ is not atomic */

	sigemptyset(&mask);
	for (size_t i = 0; i < n; i++)
		sigaddset(&mask, signals[i]);
	for (size_t i = 0; i < n; i++) {
		if (signals[i] != SIGHUP || !is_ignored(SIGHUP)) /* nohup asked for that */
			catch (signals[i], &mask);
	}
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
}

bool cancel_requested(void) { return count > held; }
int cancel_signal(void) { return last; }
int cancel_count(void) { return count; }

void cancel_hold(void)
{
	int so_far = count;

	if (so_far > held)
		held = so_far;
}

int cancel_hold_first(void)
{
	int so_far = count > 0 ? count : 1;

	held = so_far;
	return so_far;
}
