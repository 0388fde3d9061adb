/*
 * age.h - the age program (age-encryption.org/v1) as a filter of the pipeline.
 *
 *     age_encrypt_write() ...            -> age -r RECIPIENT ...  -> on_bytes
 *     pull of the stored bytes           -> age -d -i IDENTITY    -> age_decrypt_read()
 *
 * The program runs beside its caller, in a thread that feeds and drains it.  Its exit status and what it says count:
 * a stream is whole only when finish() or the last read() was true.  Recipients are public and stand in its
 * arguments; the identity stays in its file, and only its name is given.
 */
#ifndef BACKUP_STREAM_AGE_H
#define BACKUP_STREAM_AGE_H

#include "base/err.h"
#include "base/strv.h"

#include <stddef.h>

/* Called in the filter's thread. */
typedef bool age_on_bytes(void *ctx, const void *data, size_t len, struct err *err);
/* *got = 0 is the end. */
typedef bool age_pull(void *ctx, void *data, size_t cap, size_t *got, struct err *err);

struct age;

/* ERR_BACKUP when there is no age program. */
MUST_CHECK bool age_encrypt_new(const struct strv *recipients, age_on_bytes *on_bytes, void *ctx, struct age **out,
                                struct err *err);
MUST_CHECK bool age_encrypt_write(struct age *a, const void *data, size_t len, struct err *err);
/* All has gone through on_bytes, which is not called any more. */
MUST_CHECK bool age_encrypt_finish(struct age *a, struct err *err);

/* Bytes that were changed are ERR_CORRUPT, an identity that does not fit is ERR_BACKUP. */
MUST_CHECK bool age_decrypt_new(const char *identity, age_pull *pull, void *ctx, struct age **out, struct err *err);
MUST_CHECK bool age_decrypt_read(struct age *a, void *data, size_t cap, size_t *got, struct err *err);

void age_free(struct age *a); /* ends the program when it still runs; NULL is fine */

/* Encrypts a few bytes to the recipients and, with an identity that is not NULL, opens them again: both fit each
 * other.  ERR_BACKUP with age's own words. */
MUST_CHECK bool age_try(const struct strv *recipients, const char *identity, struct err *err);
/* "1.1.1"; the caller's. */
MUST_CHECK bool age_version(char **out, struct err *err);

#endif
