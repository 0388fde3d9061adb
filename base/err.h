/*
 * err.h - one error value, filled by whoever fails, read by whoever decides.
 *
 * Every function that can fail returns bool (true: done, false: not done) and takes
 * `struct err *err` as its last parameter.  On false, *err says why; on true, *err is
 * untouched.  Nothing here allocates, so reporting an error cannot itself fail.
 *
 * Only runner/ turns an error into text for people and into an exit status.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdbool.h>

#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define MUST_CHECK             __attribute__((warn_unused_result))

/* What kind of failure, by what the caller may do about it; see err_exit_status(). */
enum err_code {
	ERR_NONE = 0,
	ERR_USAGE,     /* the command line, the configuration or a revision file is wrong */
	ERR_REFUSED,   /* a gate, a rule or a check said no; nothing was changed */
	ERR_DB,        /* the server refused or was lost; see sqlstate */
	ERR_IO,        /* a local system call failed; see sys_errno */
	ERR_PROC,      /* a child program failed */
	ERR_BACKUP,    /* a backup could not be written, stored or found */
	ERR_CORRUPT,   /* bytes read are not the bytes written */
	ERR_LOCKED,    /* another run holds the lock, or is unfinished */
	ERR_CANCELLED, /* the operator or a deadline stopped it */
};

struct err {
	enum err_code code;
	int sys_errno;    /* errno at the failure, 0 when not a system call */
	char sqlstate[6]; /* five characters, "" when not from the server */
	char msg[1024];   /* what happened to what: lower case, no final full stop */
	char hint[512];   /* what to do next, may be "" */
	char file[256];   /* where in the user's files, "" when nowhere */
	int line;         /* 1-based line of file, 0 when unknown */
};

#define ERR_INIT { .code = ERR_NONE }

/* Each returns false, so a failing function can end with `return err_set(...)`.
 * The first error set is kept: later ones are consequences. */
bool err_set(struct err *err, enum err_code code, const char *fmt, ...) PRINTF_LIKE(3, 4);
bool err_sys(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3); /* appends strerror(errno) */

/* Puts "context: " in front of the message on the way up.  Returns false. */
bool err_wrap(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Says what to do next; the last hint wins, since a caller knows more.  Returns false. */
bool err_hint(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Names the place in a user's file; the first place wins.  Returns false. */
bool err_at(struct err *err, const char *file, int line);

/* Gives the failure another kind, keeping its words (an I/O error that is a backup's
 * failure is exit 7, not 1).  Returns false. */
bool err_recode(struct err *err, enum err_code code);

/* Exit status for a code, for commands whose outcome is not decided by the guard:
 * part of the public interface, design.md section 8. */
int err_exit_status(enum err_code code);

#endif
