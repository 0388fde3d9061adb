/*
 * passwords.h - role passwords out of the script of pg_dumpall that a backup holds.
 *
 * Nothing of the script is run: only the hash and the login of the roles that are asked for are taken from it, so that a
 * role that is there keeps what it has.
 */
#ifndef RUNNER_PROOF_PASSWORDS_H
#define RUNNER_PROOF_PASSWORDS_H

#include "base/db.h"
#include "base/err.h"
#include "base/strv.h"

/*
 * Gives `roles` (quoted as quote_ident() does) the password hash and the login that `script` has for them, and adds
 * them to `done`.  One without a password there gets its login alone, and one that is not there nothing.
 * ERR_CORRUPT for a hash of a form that PostgreSQL does not write.
 */
MUST_CHECK bool passwords_put(struct db *db, const char *script, const struct strv *roles, struct strv *done,
                              struct err *err);

#endif
