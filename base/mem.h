/*
 * mem.h - allocation that never returns NULL.
 *
 * Out of memory ends the process: every side effect is journaled before it happens, so
 * a crash is a case that recovery handles already, and no caller needs a branch for it.
 * Memory is the caller's, released with free().
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include "base/err.h"

#include <stdarg.h>
#include <stddef.h>

void *mem_new0(size_t size);                               /* zeroed */
void *mem_grow(void *p, size_t count, size_t size);        /* realloc to count * size, overflow checked */
char *mem_strdup(const char *s);                           /* NULL gives NULL */
char *mem_strndup(const char *s, size_t len);
char *mem_fmt(const char *fmt, ...) PRINTF_LIKE(1, 2);     /* asprintf */
char *mem_vfmt(const char *fmt, va_list ap) PRINTF_LIKE(1, 0);
void mem_wipe(void *p, size_t len);                        /* not optimised away: for secrets */

#endif
