/*
 * What was there before the run: read once, compared at the end of each way back, kept in the journal.
 */
#include "runner/guard/run.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

bool before_read(struct run *run, struct err *err)
{
	struct before *b = &run->before;

	free(b->system_identifier);
	json_decref(b->facts);
	schema_free(b->roles);
	b->system_identifier = NULL;
	b->facts = NULL;
	b->roles = NULL;
	return database_oid(run->admin, run->database, &b->oid, err) &&
	       db_value(run->admin, "SELECT system_identifier::text FROM pg_catalog.pg_control_system()",
	                DB_NO_ARGS, &b->system_identifier, err) &&
	       database_facts(run->admin, run->database, &b->facts, err) &&
	       schema_read_roles(run->admin, &b->roles, err);
}

json_t *before_to_json(const struct before *b)
{
	json_t *out = json_object();

	json_put(out, "oid", json_integer(b->oid));
	json_put(out, "system_identifier", json_str(b->system_identifier));
	json_put(out, "facts", database_facts_public(b->facts));
	json_put(out, "schema", schema_to_json(b->schema));
	json_put(out, "roles", schema_to_json(b->roles));
	json_put(out, "identity", identity_to_json(&b->identity));
	json_put(out, "counters", counters_to_json(&b->counters));
	return out;
}

/* What the line has not is in the backup. */
static bool schema_of(const json_t *j, const char *key, struct schema **out, struct err *err)
{
	const json_t *facts = json_object_get(j, key);

	if (!json_is_object(facts) && !json_is_array(facts))
		return true;
	schema_free(*out);
	*out = NULL;
	return schema_from_json(facts, out, err);
}

bool before_from_json(const json_t *j, struct before *b, struct err *err)
{
	const char *system = json_string_value(json_object_get(j, "system_identifier"));

	b->oid = json_integer_value(json_object_get(j, "oid"));
	free(b->system_identifier);
	b->system_identifier = mem_strdup(system ? system : "");
	identity_from_json(json_object_get(j, "identity"), &b->identity);
	return schema_of(j, "schema", &b->schema, err) && schema_of(j, "roles", &b->roles, err) &&
	       counters_from_json(json_object_get(j, "counters"), &b->counters, err);
}

void before_clear(struct before *b)
{
	free(b->system_identifier);
	json_decref(b->facts);
	schema_free(b->schema);
	schema_free(b->roles);
	identity_clear(&b->identity);
	counters_clear(&b->counters);
	*b = (struct before){ .oid = 0 };
}

/* The database's own facts, read past a fence that is set just now; settings by their digests, for those of a run whose
 * backup was waived are known by no more. */
bool before_facts_are_now(struct run *run, struct err *err)
{
	cleanup_json json_t *now = NULL, *was = database_facts_public(run->before.facts);
	const char *key;
	json_t *fact;

	if (!database_facts(run->admin, run->database, &now, err))
		return false;
	if (run->fence.oid != 0)
		json_put(now, "connection_limit", json_integer(run->fence.before));
	cleanup_json json_t *is = database_facts_public(now);
	json_object_foreach(was, key, fact)
	{
		if (!json_equal(fact, json_object_get(is, key)))
			return err_set(err, ERR_REFUSED, "the database's %s is not as it was before the run",
			               key);
	}
	return true;
}

bool before_schema_is_now(struct run *run, struct err *err)
{
	struct schema_options options = { .version_table = ledger_table(run->ledger) };
	cleanup_schema struct schema *now = NULL;
	cleanup_buf struct buf diff = BUF_INIT(BUF_TEXT_MAX);

	if (!schema_read(run->db, &options, &now, err))
		return false;
	size_t differ = schema_diff(run->before.schema, now, SCHEMA_INSIDE, &diff);
	return differ == 0 || err_set(err, ERR_REFUSED,
	                              "the schema is not as it was before the run; %zu facts differ:\n%.700s",
	                              differ, buf_text(&diff));
}

bool before_is_now(struct run *run, struct err *err)
{
	return before_schema_is_now(run, err) && before_facts_are_now(run, err);
}

bool before_from_backup(struct run *run, struct err *err)
{
	cleanup_free char *facts = NULL, *schema = NULL, *roles = NULL;
	cleanup_json json_t *schema_facts = NULL, *roles_facts = NULL;
	size_t facts_len, schema_len, roles_len;
	struct before *b = &run->before;

	return backup_member(&run->stores, run->manifest, "settings.json", &facts, &facts_len, err) &&
	       backup_member(&run->stores, run->manifest, "schema.json", &schema, &schema_len, err) &&
	       backup_member(&run->stores, run->manifest, "roles.json", &roles, &roles_len, err) &&
	       json_parse(facts, facts_len, "settings.json", &b->facts, err) &&
	       json_parse(schema, schema_len, "schema.json", &schema_facts, err) &&
	       json_parse(roles, roles_len, "roles.json", &roles_facts, err) &&
	       schema_from_json(schema_facts, &b->schema, err) &&
	       schema_from_json(roles_facts, &b->roles, err);
}

/* ------------------------------------------------------------------ what a run left */

static bool same_heads(const json_t *list, const struct strv *heads)
{
	cleanup_strv struct strv told = STRV_INIT;
	const json_t *head;
	size_t i;

	json_array_foreach(list, i, head) strv_add(&told, json_string_value(head));
	return strv_same(&told, heads);
}

/* The fingerprint that this run left at these heads of the same database; NULL when it ended elsewhere. */
static const char *left_by(const struct run *run, const json_t *lines)
{
	const json_t *begin = journal_find(lines, "run", "begin");
	const char *outcome = journal_outcome(lines),
		   *database = json_string_value(json_object_get(begin, "database")),
		   *system = json_string_value(json_object_get(begin, "system_identifier"));

	if (!outcome || !database || !system || strcmp(database, run->database) != 0 ||
	    strcmp(system, run->before.system_identifier) != 0 ||
	    (strcmp(outcome, outcome_name(OUTCOME_UPGRADED)) != 0 &&
	     strcmp(outcome, outcome_name(OUTCOME_DOWNGRADED)) != 0) ||
	    !same_heads(json_object_get(begin, "to"), ledger_heads(run->ledger)))
		return NULL;
	return json_string_value(json_object_get(journal_find(lines, "after", "done"), "fingerprint"));
}

/* A difference is said and no failure: what somebody changed by hand at that revision is no fault of the downgrade. */
static void say_difference(struct run *run, const char *id, const char *left, const char *now)
{
	log_warn("the schema is not the one that run %s left at this revision", id);
	strv_fmt(&run->report->next,
	         "the schema is not the one that run %s left at this revision: its fingerprint was %s, now "
	         "it is %s",
	         uuid_short(id), left, now);
}

void run_compare_with_left(struct run *run, const char *fingerprint)
{
	cleanup_strv struct strv runs = STRV_INIT;
	struct err unread = ERR_INIT;

	if (!journal_runs(run->config->state_dir, &runs, &unread))
		log_warn("%s", unread.msg);
	for (size_t i = 0; i < runs.n; i++) {
		cleanup_json json_t *lines = NULL;
		struct err damaged = ERR_INIT;

		if (!journal_read(run->config->state_dir, runs.v[i], &lines, &damaged)) {
			log_warn("%s", damaged.msg);
			continue;
		}
		const char *left = left_by(run, lines);
		if (left && strcmp(left, fingerprint) != 0)
			say_difference(run, runs.v[i], left, fingerprint);
		if (left)
			return;
	}
}
