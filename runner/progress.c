#include "runner/progress.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define BAR_EVERY_MS   100   /* ten times a second: as often as an eye follows */
#define LINES_EVERY_MS 10000 /* a CI log needs a sign of life before its idle timeout, no more */
#define BAR_CELLS      24
#define PHASE_MAX      48
#define LINE_MAX_BYTES 512
#define COLUMNS        80 /* of a terminal that does not say */

/* The one display of the program; see the header. */
static struct {
	enum progress_mode mode;
	char phase[PHASE_MAX]; /* "" when none is under way */
	struct progress_view view;
	int64_t began_ms, shown_ms;
	bool on_screen; /* the bar stands on the terminal's last line */
} display;

/* ---------------------------------------------------------------- formatting */

/* Bytes a second, 0 while too little time has passed to say. */
static int64_t rate(const struct progress_view *v)
{
	return v->elapsed_ms < 200 ? 0 : (int64_t)((double)v->done_bytes * 1000.0 / (double)v->elapsed_ms);
}

/* -1: not known.  The total may be an estimate that was passed already. */
static int64_t left_ms(const struct progress_view *v)
{
	int64_t per_s = rate(v);

	if (per_s <= 0 || v->total_bytes <= v->done_bytes)
		return -1;
	return (int64_t)((double)(v->total_bytes - v->done_bytes) * 1000.0 / (double)per_s);
}

void progress_format_line(const struct progress_view *view, char *out, size_t cap)
{
	char done[TEXT_SHORT], total[TEXT_SHORT], per_s[TEXT_SHORT], left[TEXT_SHORT];
	size_t n = 0;
	int64_t wait = left_ms(view);

	n += (size_t)snprintf(out, cap, "%s: %s", view->phase, text_size(view->done_bytes, done));
	if (n < cap && view->total_bytes > 0)
		n += (size_t)snprintf(out + n, cap - n, " of %s", text_size(view->total_bytes, total));
	if (n < cap && rate(view) > 0)
		n += (size_t)snprintf(out + n, cap - n, ", %s/s", text_size(rate(view), per_s));
	if (n < cap && wait >= 0)
		(void)snprintf(out + n, cap - n, ", %s left", text_duration(wait, left));
}

/* The line above is what matters; the picture is drawn where the terminal has room for it. */
void progress_format_bar(const struct progress_view *view, int columns, char *out, size_t cap)
{
	char line[LINE_MAX_BYTES], cells[BAR_CELLS + 1];
	size_t width = columns > 0 ? (size_t)columns : 0;

	progress_format_line(view, line, sizeof(line));
	if (view->total_bytes > 0 && strlen(line) + BAR_CELLS + 9 <= width) {
		double part = (double)view->done_bytes / (double)view->total_bytes;
		size_t full;
		part = part < 0 ? 0 : part > 1 ? 1 : part;
		full = (size_t)(part * BAR_CELLS);
		memset(cells, '.', BAR_CELLS);
		memset(cells, '#', full);
		cells[BAR_CELLS] = '\0';
		(void)snprintf(out, cap, "[%s] %3d%%  %s", cells, (int)(part * 100), line);
	} else {
		(void)snprintf(out, cap, "%s", line);
	}
	if (strlen(out) > width)
		out[text_utf8_cut(out, width)] = '\0';
}

/* ---------------------------------------------------------------- showing */

/* Asked each time: a terminal's window changes while we work. */
static int columns(void)
{
	struct winsize w;

	return ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0 ? w.ws_col : COLUMNS;
}

static void clear_bar(void)
{
	if (display.on_screen)
		fputs("\r\033[K", stderr);
	display.on_screen = false;
}

static void draw_bar(void)
{
	char text[LINE_MAX_BYTES];

	if (display.mode != PROGRESS_BAR || !*display.phase)
		return;
	/* One column is left free: a full line would wrap, and a wrapped one cannot be cleared. */
	progress_format_bar(&display.view, columns() - 1, text, sizeof(text));
	fprintf(stderr, "\r%s\033[K", text);
	display.on_screen = true;
}

static void print_line(void)
{
	char text[LINE_MAX_BYTES];

	progress_format_line(&display.view, text, sizeof(text));
	fprintf(stderr, "%s\n", text);
}

static void end_phase(void)
{
	char size[TEXT_SHORT], took[TEXT_SHORT];

	if (!*display.phase)
		return;
	clear_bar();
	fprintf(stderr, "%s: %s in %s\n", display.phase, text_size(display.view.done_bytes, size),
	        text_duration(display.view.elapsed_ms, took));
	display.phase[0] = '\0';
}

static void begin_phase(const char *phase, int64_t now)
{
	end_phase();
	(void)snprintf(display.phase, sizeof(display.phase), "%s", phase);
	display.began_ms = now;
	/* The bar shows at once; the first line comes after its interval, for most work ends before it. */
	display.shown_ms = display.mode == PROGRESS_BAR ? now - BAR_EVERY_MS : now;
}

static void on_report(void *ctx, const char *phase, int64_t done_bytes, int64_t total_bytes)
{
	int64_t now = clock_ms();

	(void)ctx;
	if (display.mode == PROGRESS_NONE)
		return;
	if (strncmp(display.phase, phase, sizeof(display.phase) - 1) != 0)
		begin_phase(phase, now);
	display.view = (struct progress_view){
		.phase = display.phase,
		.done_bytes = done_bytes,
		.total_bytes = total_bytes,
		.elapsed_ms = now - display.began_ms,
	};
	if (now - display.shown_ms < (display.mode == PROGRESS_BAR ? BAR_EVERY_MS : LINES_EVERY_MS))
		return;
	display.shown_ms = now;
	if (display.mode == PROGRESS_BAR)
		draw_bar();
	else
		print_line();
}

void progress_set_mode(enum progress_mode mode)
{
	progress_finish();
	display.mode = mode;
	if (mode == PROGRESS_BAR)
		log_set_overlay(clear_bar, draw_bar);
	else
		log_set_overlay(NULL, NULL);
}

const struct progress *progress_listener(void)
{
	static const struct progress listener = { .report = on_report };

	return &listener;
}

void progress_finish(void) { end_phase(); }
