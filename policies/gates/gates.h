/*
 * gates.h - what the gates share: private to policies/gates.
 *
 * A gate looks at the facts and says one thing.  Its finding comes filled with its name and "pass".
 */
#ifndef POLICIES_GATES_GATES_H
#define POLICIES_GATES_GATES_H

#include "policies/policies.h"
#include "policies/preset.h"

typedef void gate_check(const struct facts *f, const struct preset *preset, struct finding *out);

gate_check gate_server_answers, gate_server_version, gate_server_writable, gate_track_counts, gate_standbys, gate_replay_lag;
gate_check gate_database_owner, gate_create_database, gate_terminate_sessions, gate_foreign_sessions;
gate_check gate_backup_rights, gate_unrestorable;
gate_check gate_invalid_indexes, gate_extension_versions, gate_name_bound_extensions, gate_logical_slots;
gate_check gate_subscriptions, gate_prepared_transactions, gate_running_dumps, gate_unmodelled, gate_others_writes;
gate_check gate_backup_waiver, gate_backup_verification, gate_backup_encryption, gate_pg_dump, gate_stores, gate_store_free_space;
gate_check gate_server_free_space;
gate_check gate_unfinished_run, gate_one_head, gate_downgrades, gate_proofs, gate_rehearsal, gate_way_back;

/* A failure may end in a restore and a swap. */
bool may_restore(const struct facts *f);
/* Something is restored in any case: by the ladder, or to verify the backup. */
bool will_restore(const struct facts *f);

/* Both return, so that a gate can say several things at its end without else. */
void say(struct finding *out, enum verdict verdict, const char *fmt, ...) PRINTF_LIKE(3, 4);
void advise(struct finding *out, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* "WHAT: a, b, c and 4 more" */
void say_list(struct finding *out, enum verdict verdict, const char *what, const struct strv *items);

#endif
