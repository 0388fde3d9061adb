/*
 * log.h - lines on standard error, for people.  Levels never steer the program.
 * Only runner/ logs; everything below returns its reasons in struct err.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/err.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

void log_set_level(enum log_level level);
bool log_is_shown(enum log_level level);
void log_set_color(bool on);
void log_error(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_warn(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_info(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_debug(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* "ripcord: what happened" and below it what to do next; with the place in the user's file. */
void log_err(const struct err *err);

/* A progress line that the next log line must not be written into: called before each line
 * and after it (redraw).  NULL for none; set by runner/progress. */
void log_set_overlay(void (*clear)(void), void (*redraw)(void));

#endif
