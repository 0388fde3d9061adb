/* `backup verify`: what is in the stores is read again without a server; what a server proves comes after. */
#include "runner/guard/backup_run.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "runner/guard/run.h"
#include "runner/progress.h"

#include <stdlib.h>

#define MAJORS_TRIED 8 /* a pg_restore newer than the dump reads it; so many majors ahead are looked for */

static const struct guard_request by_hand = { .verb = GUARD_UPGRADE };

struct verifying {
	struct run run;
	struct backup_list list;
	struct stores sound; /* those whose copy is whole; the stores are the run's */
	struct err first;    /* the first damage */
	size_t n_damaged;
};

static void damaged(struct verifying *v, const char *what)
{
	log_warn("%s", what);
	if (v->n_damaged++ == 0)
		err_set(&v->first, ERR_BACKUP, "%s", what);
}

/* ------------------------------------------------------------------ reading */

static bool find_tools(struct verifying *v, struct err *err)
{
	const struct manifest *m = v->list.v[0].manifest;
	int major = manifest_pg_major(m);
	struct err first = ERR_INIT;

	for (int i = 0; i < MAJORS_TRIED; i++) {
		struct err why = ERR_INIT;
		if (dump_tools_find(major + i, v->run.config->pg_bindir, &v->run.bin_dir, &why))
			return true;
		if (i == 0)
			first = why;
	}
	*err = first;
	return false;
}

/* A copy that is damaged must not be counted on by retention any more. */
static void judge_copy(struct verifying *v, struct store *s, const struct err *why)
{
	struct err err = ERR_INIT;

	damaged(v, why->msg);
	if (!backup_unmark_verified(s, v->list.v[0].manifest, &err))
		log_warn("%s", err.msg);
}

static bool read_copies(struct verifying *v, struct err *err)
{
	const struct backup_entry *e = &v->list.v[0];

	v->sound.v = mem_new0((v->run.stores.n + 1) * sizeof(struct store *));
	for (size_t i = 0; i < v->run.stores.n; i++) {
		struct store *s = v->run.stores.v[i];
		struct err why = ERR_INIT;
		if (!strv_has(&e->stores, store_name(s)))
			continue;
		bool ok = backup_read(s, e->manifest, v->run.bin_dir, progress_listener(), &why);
		progress_finish();
		if (ok) {
			v->sound.v[v->sound.n++] = s;
		} else if (why.code == ERR_CORRUPT || why.code == ERR_BACKUP) {
			judge_copy(v, s, &why);
		} else {
			*err = why;
			return err_wrap(err, "store %s", store_name(s));
		}
	}
	return true;
}

/* Marks that cannot be believed are written anew. */
static bool heal_marks(struct verifying *v, struct err *err)
{
	bool ok = true;

	for (size_t i = 0; v->list.v[0].bad_marks && i < v->sound.n; i++)
		ok = ok && backup_unmark_verified(v->sound.v[i], v->run.manifest, err);
	return ok;
}

static bool mark(struct verifying *v, const char *how, struct err *err)
{
	return v->sound.n == 0 || backup_mark_verified(&v->sound, v->run.manifest, how, err);
}

/* ------------------------------------------------------------------ restoring */

static bool connect(struct verifying *v, struct err *err)
{
	struct run *run = &v->run;
	const struct ledger_names names = { .schema = run->config->version_schema,
		                            .table = run->config->version_table };

	return run_connect(run, err) && ledger_open(run->db, &names, &run->ledger, err);
}

static bool leave_at_read(const struct verify_choice *choice, const struct err *why,
                          struct verify_result *out, struct err *err)
{
	if (choice->mode) {
		*err = *why;
		return err_wrap(err, "the backup was read, and cannot be restored");
	}
	out->not_restored = mem_strdup(why->msg);
	return true;
}

/* Without --level a server that is not there leaves the proof at what could be read, and says so. */
static bool restore(struct verifying *v, const struct verify_choice *choice, struct verify_result *out,
                    struct err *err)
{
	enum verify_mode mode = choice->mode ? *choice->mode : v->run.config->verify;
	struct err why = ERR_INIT;

	if (mode == BACKUP_VERIFY_READ || v->sound.n == 0)
		return true;
	if (!backup_can_open(&v->sound, v->run.manifest)) {
		err_set(&why, ERR_BACKUP, "it is encrypted, and there is no key (identity in [backup])");
		return leave_at_read(choice, &why, out, err);
	}
	if (!connect(v, &why))
		return leave_at_read(choice, &why, out, err);
	free(v->run.bin_dir);
	v->run.bin_dir = NULL;
	if (!run_find_tools(&v->run, err) || !before_from_backup(&v->run, err))
		return false;
	if (!run_restore_scratch(&v->run, mode == BACKUP_VERIFY_RESTORE, err))
		return err_recode(err, err->code == ERR_CANCELLED ? ERR_CANCELLED : ERR_BACKUP);
	out->how = verify_name(mode);
	return mark(v, out->how, err);
}

/* ------------------------------------------------------------------ all of it */

static bool verify(struct verifying *v, const struct verify_choice *choice, struct verify_result *out,
                   struct err *err)
{
	if (!run_open_stores(&v->run, err) ||
	    !backup_list_read_one(&v->run.stores, choice->id, &v->list, err) || !find_tools(v, err))
		return false;
	v->run.manifest = v->list.v[0].manifest;
	for (size_t i = 0; i < v->list.warnings.n; i++)
		damaged(v, v->list.warnings.v[i]);
	out->how =
		backup_can_open(&v->run.stores, v->run.manifest) ? verify_name(BACKUP_VERIFY_READ) : "stored";
	if (!read_copies(v, err) || !heal_marks(v, err) || !mark(v, out->how, err) ||
	    !restore(v, choice, out, err))
		return false;
	if (v->n_damaged == 0)
		return true;
	*err = v->first;
	if (v->n_damaged > 1)
		err_wrap(err, "%zu things are wrong with backup %s, the first", v->n_damaged,
		         manifest_id(v->run.manifest));
	return false;
}

bool backup_run_verify(const struct config *config, const struct verify_choice *choice,
                       struct verify_result *out, struct err *err)
{
	struct run_report report = { .run = "" };
	struct verifying v = { .n_damaged = 0 };
	int64_t began = clock_ms();

	*out = (struct verify_result){ .how = NULL };
	run_init(&v.run, config, &by_hand, &report);
	bool ok = verify(&v, choice, out, err);
	out->seconds = (double)(clock_ms() - began) / 1000;
	if (v.run.manifest) { /* the list owned it */
		v.list.v[0].manifest = NULL;
		out->manifest = v.run.manifest;
		v.run.manifest = NULL;
	}
	free(v.sound.v);
	backup_list_clear(&v.list);
	run_clear(&v.run);
	run_report_clear(&report);
	return ok;
}

void verify_result_clear(struct verify_result *r)
{
	manifest_free(r->manifest);
	free(r->not_restored);
	*r = (struct verify_result){ .how = NULL };
}
