#include "migrations/schema/changes/ddl.h"
#include "migrations/schema/changes/kinds/satellites.h"
#include "migrations/schema/changes/words.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "base/sql.h"

#include <stdlib.h>
#include <string.h>

/* $$, or a tag that the body does not have. */
static void add_body(struct buf *out, const char *body)
{
	cleanup_free char *tag = mem_strdup("$$");

	while (strstr(body, tag)) {
		char *longer = mem_fmt("$%.*sf$", (int)strlen(tag) - 2, tag + 1);

		free(tag);
		tag = longer;
	}
	buf_fmt(out, "\nAS %s%s%s", tag, body, tag);
}

/* Settings that are lists of names, kept as such (variable_is_guc_list_quote() of pg_dump). */
static bool is_list(const char *name, size_t len)
{
	static const char *const LISTS[] = { "local_preload_libraries",   "search_path",
		                             "session_preload_libraries", "shared_preload_libraries",
		                             "temp_tablespaces",          "unix_socket_directories" };

	for (size_t i = 0; i < sizeof(LISTS) / sizeof(*LISTS); i++)
		if (strlen(LISTS[i]) == len && strncmp(LISTS[i], name, len) == 0)
			return true;
	return false;
}

static void add_settings(struct buf *out, const struct fact *f)
{
	cleanup_strv struct strv settings = STRV_INIT;

	if (!fact_value(f, "settings"))
		return;
	words_literals(&settings, fact_value(f, "settings"));
	for (size_t i = 0; i < settings.n; i++) {
		const char *setting = settings.v[i], *value = strchr(setting, '=') + 1;
		size_t len = (size_t)(value - setting) - 1;

		buf_fmt(out, "\nSET %.*s TO ", (int)len, setting);
		if (!is_list(setting, len))
			sql_literal(out, value);
		else
			buf_str(out, value[0] == '\0' || strcmp(value, "\"\"") == 0 ? "''" : value);
	}
}

static bool differs_from(const struct fact *f, const char *attribute, const char *plain)
{
	const char *value = fact_value(f, attribute);

	return value && strcmp(value, plain) != 0;
}

/* DEFAULT_COST of a function is 100, of C and internal ones 1; of rows 1000 (CREATE FUNCTION's page). */
static void add_costs(struct writer *w, struct buf *out, const struct object *o)
{
	const char *language = fact_value(o->new, "language");
	bool native = strcmp(language, "c") == 0 || strcmp(language, "internal") == 0;

	if (differs_from(o->new, "cost", native ? "1" : "100"))
		ddl_expand(w->all, out, o, o->new, " COST {cost}");
	if (differs_from(o->new, "rows", "1000"))
		ddl_expand(w->all, out, o, o->new, " ROWS {rows}");
}

static void add_upper(struct buf *out, const char *before, const char *word)
{
	buf_str(out, word ? before : "");
	for (; word && *word; word++)
		buf_char(out, (char)(*word - 'a' + 'A'));
}

static void add_transforms(struct buf *out, const struct fact *f)
{
	cleanup_strv struct strv types = STRV_INIT;

	words_list(&types, fact_value(f, "transforms") ? fact_value(f, "transforms") : "");
	for (size_t i = 0; i < types.n; i++)
		buf_fmt(out, "%sFOR TYPE %s", i > 0 ? ", " : "\nTRANSFORM ", types.v[i]);
}

static bool write_routine(struct writer *w, const struct object *o, struct err *err)
{
	cleanup_buf struct buf sql = BUF_INIT(BUF_TEXT_MAX);
	bool replaces = o->action == ACTION_ALTER, function = strcmp(o->kind->noun, "FUNCTION") == 0;

	buf_fmt(&sql, "CREATE %s%s ", replaces ? "OR REPLACE " : "", o->kind->noun);
	ddl_expand(w->all, &sql, o, o->new, "{bare}([{arguments}])");
	if (function)
		ddl_expand(w->all, &sql, o, o->new, "[ RETURNS {result}]");
	ddl_expand(w->all, &sql, o, o->new, "\nLANGUAGE {language}[ WINDOW{?window}]");
	add_upper(&sql, " ", fact_value(o->new, "volatility"));
	ddl_expand(w->all, &sql, o, o->new,
	           "[ STRICT{?strict}][ SECURITY DEFINER{?security definer}][ LEAKPROOF{?leakproof}]");
	if (function) {
		add_upper(&sql, " PARALLEL ", fact_value(o->new, "parallel"));
		add_costs(w, &sql, o);
	}
	ddl_expand(w->all, &sql, o, o->new, "[ SUPPORT {support}]");
	add_transforms(&sql, o->new);
	add_settings(&sql, o->new);
	if (fact_value(o->new, "library"))
		ddl_expand(w->all, &sql, o, o->new, "\nAS {library'}, {source'}");
	else if (fact_value(o->new, "body"))
		ddl_expand(w->all, &sql, o, o->new, "\n{body}");
	else
		add_body(&sql, fact_value(o->new, "source"));
	ddl_add(w, o, replaces ? "replace" : "create", 0, buf_text(&sql));
	return !replaces || dependencies_keep(w, o, err);
}

/* Where the default of an argument begins. */
static size_t without_default(const char *argument)
{
	const char *preset = words_find(argument, " DEFAULT ");

	return preset ? (size_t)(preset - argument) : strlen(argument);
}

/* A function can be replaced by one whose arguments have the same names and types, and no default less. */
static enum how decide_arguments(const struct objects *all, struct object *o)
{
	cleanup_strv struct strv old = STRV_INIT, new = STRV_INIT;
	const char *was = fact_value(o->old, "arguments"), *is = fact_value(o->new, "arguments");

	(void)all;
	words_list(&old, was ? was : "");
	words_list(&new, is ? is : "");
	if (old.n != new.n)
		return HOW_REBUILD;
	for (size_t i = 0; i < old.n; i++) {
		size_t len = without_default(old.v[i]);

		if (len != without_default(new.v[i]) || strncmp(old.v[i], new.v[i], len) != 0 ||
		    (old.v[i][len] && !new.v[i][len]))
			return HOW_REBUILD;
	}
	return HOW_IN_PLACE;
}

#define TOGETHER(attribute)                                                                                  \
	{                                                                                                    \
		attribute, .together = true                                                                  \
	}

static const struct property ROUTINE[] = {
	{ "owner", .set = "ALTER ROUTINE {name} OWNER TO {owner\"}", .after = true },
	{ "arguments", .decide = decide_arguments, .together = true },
	{ "result", .how = HOW_REBUILD },
	{ "window", .how = HOW_REBUILD },
	{ "part of its type", .how = HOW_REFUSED },
	TOGETHER("language"),
	TOGETHER("volatility"),
	TOGETHER("strict"),
	TOGETHER("security definer"),
	TOGETHER("leakproof"),
	TOGETHER("parallel"),
	TOGETHER("cost"),
	TOGETHER("rows"),
	TOGETHER("support"),
	TOGETHER("settings"),
	TOGETHER("transforms"),
	TOGETHER("source"),
	TOGETHER("library"),
	TOGETHER("body"),
	END_OF_PROPERTIES,
};

static const struct kind KIND_FUNCTION = {
	.name = "function",
	.noun = "FUNCTION",
	.rank = 35,
	.drop = "DROP FUNCTION {name}",
	.properties = ROUTINE,
	.write_create = write_routine,
	.write_together = write_routine,
};

static const struct kind KIND_PROCEDURE = {
	.name = "procedure",
	.noun = "PROCEDURE",
	.rank = 35,
	.drop = "DROP PROCEDURE {name}",
	.properties = ROUTINE,
	.write_create = write_routine,
	.write_together = write_routine,
};

/* aggfinalmodify of pg_aggregate: what CREATE AGGREGATE takes by itself depends on the form. */
static void add_modify(struct buf *out, const struct fact *f, const char *attribute, const char *word)
{
	const char *value = fact_value(f, attribute), *plain = fact_value(f, "form") ? "w" : "r";

	if (value && strcmp(value, plain) != 0)
		buf_fmt(out, ", %s = %s", word,
		        value[0] == 'r'   ? "READ_ONLY"
		        : value[0] == 's' ? "SHAREABLE"
		                          : "READ_WRITE");
}

static bool write_aggregate(struct writer *w, const struct object *o, struct err *err)
{
	cleanup_buf struct buf sql = BUF_INIT(BUF_TEXT_MAX);
	const char *arguments = fact_value(o->new, "arguments"), *form = fact_value(o->new, "form");
	const char *sort = fact_value(o->new, "sort operator");

	(void)err;
	buf_str(&sql, o->action == ACTION_ALTER ? "CREATE OR REPLACE AGGREGATE " : "CREATE AGGREGATE ");
	ddl_expand(w->all, &sql, o, o->new, "{bare}(");
	buf_str(&sql, arguments && arguments[0] ? arguments : "*");
	ddl_expand(w->all, &sql, o, o->new,
	           ") (SFUNC = {transition}, STYPE = {state}[, SSPACE = {state size}][, FINALFUNC = {final}]"
	           "[, FINALFUNC_EXTRA{?final extra}]");
	add_modify(&sql, o->new, "final modifies", "FINALFUNC_MODIFY");
	ddl_expand(
		w->all, &sql, o, o->new,
		"[, COMBINEFUNC = {combine}][, SERIALFUNC = {serialize}][, DESERIALFUNC = {deserialize}]"
		"[, INITCOND = {initial'}][, MSFUNC = {moving transition}][, MINVFUNC = {moving inverse}]"
		"[, MSTYPE = {moving state}][, MSSPACE = {moving state size}][, MFINALFUNC = {moving final}]"
		"[, MFINALFUNC_EXTRA{?moving final extra}]");
	if (fact_value(o->new, "moving transition"))
		add_modify(&sql, o->new, "moving final modifies", "MFINALFUNC_MODIFY");
	ddl_expand(w->all, &sql, o, o->new, "[, MINITCOND = {moving initial'}]");
	if (sort)
		buf_fmt(&sql, ", SORTOP = OPERATOR(%.*s)", (int)(words_find(sort, "(") - sort), sort);
	add_upper(&sql, ", PARALLEL = ", fact_value(o->new, "parallel"));
	buf_str(&sql, form && strcmp(form, "hypothetical set") == 0 ? ", HYPOTHETICAL)" : ")");
	ddl_add(w, o, o->action == ACTION_ALTER ? "replace" : "create", 0, buf_text(&sql));
	return true;
}

static const struct property AGGREGATE[] = {
	{ "owner", .set = "ALTER ROUTINE {name} OWNER TO {owner\"}", .after = true },
	{ "arguments", .how = HOW_REBUILD },
	{ "result", .how = HOW_REBUILD },
	{ "form", .how = HOW_REBUILD },
	{ "direct arguments", .how = HOW_REBUILD },
	TOGETHER("parallel"),
	TOGETHER("transition"),
	TOGETHER("state"),
	TOGETHER("state size"),
	TOGETHER("initial"),
	TOGETHER("final"),
	TOGETHER("final extra"),
	TOGETHER("final modifies"),
	TOGETHER("combine"),
	TOGETHER("serialize"),
	TOGETHER("deserialize"),
	TOGETHER("moving transition"),
	TOGETHER("moving inverse"),
	TOGETHER("moving final"),
	TOGETHER("moving state"),
	TOGETHER("moving state size"),
	TOGETHER("moving initial"),
	TOGETHER("moving final extra"),
	TOGETHER("moving final modifies"),
	TOGETHER("sort operator"),
	END_OF_PROPERTIES,
};

static const struct kind KIND_AGGREGATE = {
	.name = "aggregate",
	.noun = "AGGREGATE",
	.rank = 36,
	.drop = "DROP ROUTINE {name}",
	.properties = AGGREGATE,
	.write_create = write_aggregate,
	.write_together = write_aggregate,
};

static bool create_event_trigger(struct writer *w, const struct object *o, struct err *err)
{
	(void)err;
	ddl_write(w, o, o->new, "create", 0,
	          "CREATE EVENT TRIGGER {name} ON {event}[ WHEN TAG IN ({tags})] EXECUTE FUNCTION "
	          "{function}()");
	return true;
}

static bool change_enabled(struct writer *w, const struct object *o, struct err *err)
{
	const char *is = fact_value(o->new, "enabled");

	(void)err;
	ddl_write(w, o, o->new, is ? is : "enable", 0,
	          !is                           ? "ALTER EVENT TRIGGER {name} ENABLE"
	          : strcmp(is, "disabled") == 0 ? "ALTER EVENT TRIGGER {name} DISABLE"
	          : strcmp(is, "replica") == 0  ? "ALTER EVENT TRIGGER {name} ENABLE REPLICA"
	                                        : "ALTER EVENT TRIGGER {name} ENABLE ALWAYS");
	return true;
}

static const struct property EVENT_TRIGGER[] = {
	OWNED_BY("EVENT TRIGGER"),
	{ "event", .how = HOW_REBUILD },
	{ "function", .how = HOW_REBUILD },
	{ "tags", .how = HOW_REBUILD },
	{ "enabled", .after = true, .write = change_enabled },
	END_OF_PROPERTIES,
};

/* Dropped first and made last: the statements between would set it off. */
static const struct kind KIND_EVENT_TRIGGER = {
	.name = "event trigger",
	.noun = "EVENT TRIGGER",
	.rank = 89,
	.drop = "DROP EVENT TRIGGER {name}",
	.properties = EVENT_TRIGGER,
	.write_create = create_event_trigger,
};

static const struct property LANGUAGE[] = {
	OWNED_BY("LANGUAGE"),
	{ "trusted", .how = HOW_REBUILD },
	{ "handler", .how = HOW_REBUILD },
	{ "inline", .how = HOW_REBUILD },
	{ "validator", .how = HOW_REBUILD },
	END_OF_PROPERTIES,
};

static const struct kind KIND_LANGUAGE = {
	.name = "language",
	.noun = "LANGUAGE",
	.rank = 20,
	.create = "CREATE[ TRUSTED{?trusted}] LANGUAGE {name}[ HANDLER {handler}][ INLINE {inline}][ "
		  "VALIDATOR {validator}]",
	.drop = "DROP LANGUAGE {name}",
	.properties = LANGUAGE,
};

const struct kind *const KIND_ROUTINES[] = { &KIND_FUNCTION,      &KIND_PROCEDURE, &KIND_AGGREGATE,
	                                     &KIND_EVENT_TRIGGER, &KIND_LANGUAGE,  NULL };
